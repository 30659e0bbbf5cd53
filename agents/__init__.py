"""Agents at work: states, queues, phones, timers, figures, alarms, the screen-pop; and who may sign in."""
