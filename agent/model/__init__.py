"""Pure data that everyone shares; it needs nothing but the standard library."""
