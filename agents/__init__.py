"""Agents (坐席): state machine, skills, desk commands, accounts and roles."""
