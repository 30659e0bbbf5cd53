"""Commands of the desk and the wall: planned on the state of the PBX (pure), carried out once, audited."""
