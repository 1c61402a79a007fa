"""One module per area of the bench; each has `rows()`."""
