"""What a client has switched on for its session, by ENABLE or by showing that it knows.

Promises: what is on stays on until the connection ends (RFC 5161 3.1).
RFC: 5161, 6855, 7162 3.1.8 and 3.2.3, 9051 6.3.1, 9586 3.
"""

from __future__ import annotations


class Enabled:
    """Switches of one session; whatever answers looks at them."""

    __slots__ = ("condstore", "qresync", "rev2", "uidonly", "utf8", "utf8_accept")

    def __init__(self, *, condstore: bool = False, qresync: bool = False) -> None:
        self.condstore = condstore or qresync  # RFC 7162 3.2.3: QRESYNC brings CONDSTORE
        self.qresync = qresync
        self.rev2 = False  # RFC 9051 6.3.1: the client speaks IMAP4rev2
        self.uidonly = False  # RFC 9586: messages are called by their UIDs only
        self.utf8 = False  # mailbox names and quoted strings are UTF-8, both ways
        self.utf8_accept = False  # RFC 6855; brings ``utf8``
