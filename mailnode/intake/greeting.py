"""What a server says of itself: the keywords behind EHLO, exactly those that work.

RFC: 5321 4.1.1.1, 1869 4.3; each keyword's own beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailnode.intake.desk import Desk, Hello, Role
from mailnode.wire.smtp.reply import Reply


def capabilities(
    desk: Desk, tls: bool, mechanisms: Sequence[str], logged_in: bool = False
) -> dict[str, str]:
    """Keyword and parameters (empty: none), in the order they are told; ``mechanisms``: what
    AUTH takes now."""
    settings = desk.settings
    offers = {
        "PIPELINING": "",  # RFC 2920
        "SIZE": str(settings.max_message_bytes),  # RFC 1870
        "8BITMIME": "",  # RFC 6152
        "ENHANCEDSTATUSCODES": "",  # RFC 2034
        "CHUNKING": "",  # RFC 3030
        "SMTPUTF8": "",  # RFC 6531
        "DSN": "",  # RFC 3461
        # RFC 9422 4
        "LIMITS": f"RCPTMAX={settings.max_recipients} "
        f"MAILMAX={settings.max_messages_per_connection}",
        "HELP": "",
    }
    # RFC 3207 4.2: not once TLS is there.
    if not tls:
        offers["STARTTLS"] = ""
    # RFC 8689 4: only under TLS.
    elif desk.role is not Role.LMTP:
        offers["REQUIRETLS"] = ""
    # RFC 4468 3.1: which URLs can be used is told to whom they can be read for.
    if desk.urls is not None:
        offers["BURL"] = "imap" if logged_in else ""
    if mechanisms:
        offers["AUTH"] = " ".join(mechanisms)  # RFC 4954
    return offers


def hello(desk: Desk, tls: bool, mechanisms: tuple[str, ...], logged_in: bool) -> Hello:
    """The answer to EHLO and LHLO; made once for all clients who are told the same."""
    known = desk.hellos.get((tls, mechanisms, logged_in))
    if known is None:
        offers = capabilities(desk, tls, mechanisms, logged_in)
        lines = (f"{keyword} {value}".rstrip() for keyword, value in offers.items())
        known = Hello(Reply(250, "", desk.hostname, tuple(lines)), frozenset(offers))
        desk.hellos[tls, mechanisms, logged_in] = known
    return known


def plain_hello(desk: Desk) -> Hello:
    """The answer to HELO."""
    return Hello(Reply(250, "", desk.hostname), frozenset())
