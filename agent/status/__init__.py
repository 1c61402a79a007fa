"""What the agent shows of itself over HTTP, on loopback."""
