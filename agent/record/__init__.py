"""Recordings: what went over the wires of a site, in one bounded file."""
