"""POP3 grammar (RFC 1939, 2449) without I/O."""
