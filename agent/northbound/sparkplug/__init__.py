"""The `sparkplug` sink: an edge node of Sparkplug B 3.0; README.md explains it."""
