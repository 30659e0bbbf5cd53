"""Who may sign in: accounts, roles, sessions."""
