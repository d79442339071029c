"""The nouns every other room speaks in. No I/O, no clock, no framework."""
