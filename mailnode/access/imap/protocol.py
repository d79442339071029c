"""IMAP at Twisted's door: ``IMAP4Server`` as a transport that speaks TLS, nothing else of it."""

from __future__ import annotations

from twisted.mail.imap4 import IMAP4Server

from mailnode.access.door import DoorProtocol


class ImapProtocol(DoorProtocol, IMAP4Server):
    """One connection of a client."""

    service = "imap"
    full = b"* BYE [UNAVAILABLE] too many connections\r\n"
