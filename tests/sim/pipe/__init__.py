"""A kind of sink that takes commands over a Unix socket: one JSON object in a line, and the answer in a line."""
