"""AUTH: a SASL exchange over SMTP lines.

Promises: the password goes to the gate and nowhere else; a client hears only that it failed.
RFC: 4954 (AUTH); mechanisms: see ``directory.exchange``.
"""

from __future__ import annotations

from mailnode.directory import LoginFailure, Mailbox, Service
from mailnode.directory.exchange import Visitor, authenticate
from mailnode.intake.desk import Desk
from mailnode.intake.wire import Wire
from mailnode.model.errors import MailnodeError
from mailnode.wire.sasl import SaslFault
from mailnode.wire.sasl.dialog import LINE_LIMIT
from mailnode.wire.smtp.reply import (
    BAD_ARGUMENT,
    BAD_MECHANISM,
    LINE_TOO_LONG,
    LOGIN_CANCELLED,
    LOGIN_FAILED,
    Reply,
)

_DIRECTORY_GONE = Reply(454, "4.7.0", "temporary authentication failure")
_BAD_DATA = Reply(501, "5.5.2", "invalid authentication data")
_FAULTS = {
    SaslFault.UNKNOWN: BAD_MECHANISM,
    SaslFault.BINDING: BAD_MECHANISM,
    SaslFault.CANCELLED: LOGIN_CANCELLED,
    SaslFault.TOO_LONG: LINE_TOO_LONG,
}


def visitor(desk: Desk, wire: Wire) -> Visitor:
    """The client as one that wants to log in."""
    return Visitor(desk.gate, Service.SMTP, wire.host, bool(wire.tls), wire.tunnel())


async def log_in(desk: Desk, wire: Wire, argument: bytes) -> Mailbox | Reply:
    """The exchange that ``AUTH argument`` begins: who it is, or the refusal to send."""
    words = argument.split()
    if not 1 <= len(words) <= 2:
        return BAD_ARGUMENT

    async def ask(challenge: bytes) -> bytes | None:
        # RFC 4954 4: challenges go behind 334, in base64.
        wire.send(Reply(334, "", challenge.decode("ascii")))
        line = await wire.read_line(LINE_LIMIT + 2)
        return None if line is None else line.rstrip(b"\r\n")

    name, initial = words[0].decode("ascii", "replace"), words[1] if len(words) == 2 else None
    try:
        found = await authenticate(visitor(desk, wire), name, initial, ask)
    except MailnodeError:
        return _DIRECTORY_GONE
    if isinstance(found, Mailbox):
        return found
    return LOGIN_FAILED if isinstance(found, LoginFailure) else _FAULTS.get(found, _BAD_DATA)
