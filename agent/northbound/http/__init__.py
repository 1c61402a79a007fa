"""Frames pushed to a platform by HTTP; README.md has every option."""
