"""OPC UA devices: subscribed to, or polled."""
