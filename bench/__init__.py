"""Load tests against a running instance on this machine, loopback only."""
