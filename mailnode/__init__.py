"""mailnode: SMTP, IMAP and POP3 over Maildirs, on one node or several active ones."""

__version__ = "0.1.0"
