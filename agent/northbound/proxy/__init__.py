"""The way out through an HTTP or SOCKS5 proxy, for every sink that has a connection of its own; README.md says how."""
