"""Interactive voice response: FastAGI server, declarative flows, prompts, business hours, survey."""
