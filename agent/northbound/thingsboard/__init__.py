"""Devices, telemetry and RPC over ThingsBoard's gateway API; README.md has every option."""
