"""Message structure, header and body decoding (RFC 5322, 2045-2047, 2231) without I/O."""
