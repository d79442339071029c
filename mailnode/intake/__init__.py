"""A client speaks SMTP, submission or LMTP to us."""
