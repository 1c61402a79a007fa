"""Numbers without hardware: for trying things out, for demos and for tests."""
