"""Commands from the desk and the wallboard: planned on the PBX state (pure), executed once, audited."""
