"""RFC 2342: NAMESPACE."""

from tests.support.imap_server import ImapServer


def test_namespace(imap: ImapServer) -> None:
    imap.play('C: a NAMESPACE\nS: * NAMESPACE (("" "/")) NIL NIL\nS: a OK')
