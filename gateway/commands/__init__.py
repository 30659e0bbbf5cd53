"""Planning commands: a command and the picture in, steps for the PBX or a refusal out. Pure."""
