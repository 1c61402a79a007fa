"""What is worth a message: what has changed, and how far, and what has not been told for long."""
