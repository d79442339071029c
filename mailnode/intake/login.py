"""AUTH: a SASL exchange over SMTP lines.

Promises: the password goes to the gate and nowhere else; a client hears only that it failed.
RFC: 4954 (AUTH), 4616 (PLAIN), 5802 (SCRAM).
"""

from __future__ import annotations

from mailnode.directory import Mailbox, Service
from mailnode.intake.desk import Desk
from mailnode.intake.wire import Wire
from mailnode.model.errors import DirectoryGone, MailnodeError
from mailnode.wire.sasl import (
    Challenge,
    Credentials,
    KeysWanted,
    Proof,
    SaslFailure,
    SaslFault,
    open_dialog,
)
from mailnode.wire.sasl.dialog import LINE_LIMIT, challenge_line
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


async def log_in(desk: Desk, wire: Wire, argument: bytes) -> Mailbox | Reply:
    """The exchange that ``AUTH argument`` begins: who it is, or the refusal to send."""
    words = argument.split()
    if not 1 <= len(words) <= 2:
        return BAD_ARGUMENT
    dialog = open_dialog(words[0].decode("ascii", "replace"), scram=desk.gate.scram)
    if dialog is None:
        return BAD_MECHANISM
    step = dialog.begin(words[1] if len(words) == 2 else None)
    while isinstance(step, (Challenge, KeysWanted)):
        if isinstance(step, KeysWanted):
            try:
                keys = await desk.gate.scram_keys(step.user, step.mechanism)
            except MailnodeError:
                return _DIRECTORY_GONE
            step = dialog.keys(keys)
            continue
        # RFC 4954 4: challenges go behind 334, in base64.
        wire.send(Reply(334, "", challenge_line(step).decode("ascii")))
        line = await wire.read_line(LINE_LIMIT + 2)
        if line is None:
            return LINE_TOO_LONG
        step = dialog.answer(line.rstrip(b"\r\n"))
    if isinstance(step, SaslFailure):
        return LOGIN_CANCELLED if step.fault is SaslFault.CANCELLED else _BAD_DATA
    return await _check(desk, wire, step)


async def _check(desk: Desk, wire: Wire, claim: Credentials | Proof) -> Mailbox | Reply:
    # RFC 4954 4: acting for another is not offered to anyone.
    if claim.for_another:
        return LOGIN_FAILED
    mechanism, tls = claim.mechanism, bool(wire.tls)
    user, host = claim.authcid, wire.host
    try:
        if isinstance(claim, Proof):
            answer = await desk.gate.proved(
                user, claim.right, Service.SMTP, host, mechanism=mechanism, tls=tls
            )
        else:
            answer = await desk.gate.login(
                user, claim.password, Service.SMTP, host, mechanism=mechanism, tls=tls
            )
    except (DirectoryGone, MailnodeError):
        return _DIRECTORY_GONE
    return answer if isinstance(answer, Mailbox) else LOGIN_FAILED
