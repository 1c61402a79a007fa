"""How field devices are read: one folder per protocol, all behind `drivers.api`."""
