"""Frames as JSON to an MQTT broker, QoS 1, many at a time; README.md has every option."""
