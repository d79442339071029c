"""People and probes: the command line."""
