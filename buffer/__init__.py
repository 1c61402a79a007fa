"""The store-and-forward log: what was read stays on disk until every sink has it."""
