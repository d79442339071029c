"""SASL exchanges (RFC 4422, 4616) without I/O."""
