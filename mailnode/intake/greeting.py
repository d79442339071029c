"""What a server says of itself: the keywords behind EHLO, exactly those that work.

RFC: 5321 4.1.1.1, 1869 4.3; each keyword's own beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailnode.intake.desk import Desk, Role
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


def hello_reply(hostname: str, offers: dict[str, str]) -> Reply:
    """The answer to HELO (no offers), EHLO and LHLO."""
    lines = (f"{keyword} {value}".rstrip() for keyword, value in offers.items())
    return Reply(250, "", hostname, tuple(lines))
