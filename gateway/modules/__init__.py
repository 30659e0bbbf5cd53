"""The capabilities of the gateway, a module each."""
