"""SMTP and LMTP grammar (RFC 5321, 2033) without I/O."""
