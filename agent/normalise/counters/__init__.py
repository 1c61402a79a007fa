"""Counters: a register that wraps, is reset or replaced becomes a total that only grows, and energy per interval."""
