"""POP3 at Twisted's door: ``POP3`` as a transport that speaks TLS, nothing else of it.
Its APOP is never reached either."""

from __future__ import annotations

from twisted.mail.pop3 import POP3

from mailnode.access.door import DoorProtocol


class Pop3Protocol(DoorProtocol, POP3):
    """One connection of a client."""

    service = "pop3"
    full = b"-ERR [SYS/TEMP] too many connections\r\n"
