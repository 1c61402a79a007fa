"""Modbus: the registers and coils of PLCs, meters and drives, read in few requests."""
