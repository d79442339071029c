"""Its owner reads the mail: IMAP, POP3."""
