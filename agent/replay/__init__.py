"""A recording played against a configuration: the same drivers and steps, another wire and another clock."""
