"""Half a minute of Floorgate on one machine: a small plant, a platform, an outage of each, and the account of it."""
