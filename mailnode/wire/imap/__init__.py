"""IMAP grammar (RFC 3501, 9051 and extensions) without I/O."""
