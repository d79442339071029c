"""RFC 7889: APPENDLIMIT."""

from tests.support.imap_server import ImapServer


def test_limit_is_told_and_kept(imap: ImapServer) -> None:
    limit = imap.settings.max_append_bytes
    imap.play(
        rf"""
        C: a CAPABILITY
        S~ \* CAPABILITY .*APPENDLIMIT={limit}\b.*
        S: a OK
        C: b APPEND INBOX {{{limit + 1}}}
        S: b NO [TOOBIG]
        """
    )


def test_s3_limit_of_a_mailbox(imap: ImapServer) -> None:
    limit = imap.settings.max_append_bytes
    imap.play(
        f"""
        C: a STATUS INBOX (APPENDLIMIT MESSAGES)
        S: * STATUS "INBOX" (APPENDLIMIT {limit} MESSAGES 0)
        S: a OK
        C: b LIST "" INBOX RETURN (STATUS (APPENDLIMIT))
        S: * LIST (\\HasNoChildren) "/" "INBOX"
        S: * STATUS "INBOX" (APPENDLIMIT {limit})
        S: b OK
        """
    )
