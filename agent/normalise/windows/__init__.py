"""Aggregates of aligned windows: what is asked, what is counted, when a window closes, and what is kept of it."""
