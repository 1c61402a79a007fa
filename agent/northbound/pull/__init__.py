"""Frames that are fetched: the sink has no pump, its consumer asks the status server."""
