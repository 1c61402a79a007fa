"""Where values go: one folder per kind of sink, all behind `agent.northbound.api`."""
