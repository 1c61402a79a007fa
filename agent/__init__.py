"""Floorgate: reads PLCs and meters, keeps what it read on disk until the platform has it."""

__version__ = "0.1.0"
