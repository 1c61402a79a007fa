"""A fake plant from the user's own configuration: the very registers and nodes of its devices, on loopback."""
