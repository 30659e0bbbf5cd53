"""Interactive voice response: FastAGI server, declarative flows and prompts."""
