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
