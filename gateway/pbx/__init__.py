"""The link to Asterisk: panoramisk hardened, typed events, commands, resync, configuration rendering."""
