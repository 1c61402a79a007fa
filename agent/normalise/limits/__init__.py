"""What a value can be: within its range, no faster than it can change, and not still for ever."""
