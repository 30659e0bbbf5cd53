"""Agents: states, queues, phones, timers, figures, alarms, screen-pops and accounts."""
