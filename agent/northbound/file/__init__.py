"""Frames as lines of JSON in a file; README.md has every option."""
