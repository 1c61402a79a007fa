"""The MQTT transport that several sinks share; README.md says what a sink can ask of it."""
