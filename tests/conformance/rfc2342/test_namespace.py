"""RFC 2342: NAMESPACE."""

from tests.support.imap_server import ImapServer


def test_namespace(imap: ImapServer) -> None:
    spaces = '(("" "/")) (("Other Users/" "/")) (("Public/" "/"))'
    imap.play(f"C: a NAMESPACE\nS: * NAMESPACE {spaces}\nS: a OK")
