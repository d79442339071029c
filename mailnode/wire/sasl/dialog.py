"""A SASL exchange in base64 lines, as SMTP AUTH, IMAP AUTHENTICATE and POP3 AUTH carry it.

Promises: bounded in line length and number of steps; strict base64.
RFC: 4422 3, 4648 3, 4954 4, 4959, 5034 4, 9051 6.2.2.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Sequence

from mailnode.model.scram import PLUS, SCRAM_HASHES, ScramKeys
from mailnode.wire.sasl.bearer import OauthBearer, Xoauth2
from mailnode.wire.sasl.mechanisms import External, LoginExchange, Plain
from mailnode.wire.sasl.scram import Scram
from mailnode.wire.sasl.steps import (
    MALFORMED,
    Challenge,
    Exchange,
    SaslFailure,
    SaslFault,
    Step,
)

# RFC 4954 4: 12288 octets are enough for every mechanism in use.
LINE_LIMIT = 12288
STEP_LIMIT = 8


def decode_base64(raw: bytes) -> bytes | None:
    """Strict base64 (RFC 4648 4: alphabet, padding and no more), else ``None``."""
    try:
        return binascii.a2b_base64(raw, strict_mode=True)
    except (binascii.Error, ValueError):
        return None


def encode_base64(raw: bytes) -> bytes:
    """Base64 without line ends."""
    return binascii.b2a_base64(raw, newline=False)


class Dialog:
    """The lines of one exchange. Once a step was no ``Challenge`` the dialog is over."""

    def __init__(self, exchange: Exchange, line_limit: int = LINE_LIMIT) -> None:
        self.mechanism = exchange.name
        self._exchange = exchange
        self._line_limit = line_limit
        self._steps = 0

    def begin(self, initial: bytes | None) -> Step:
        """Start with the command's initial response: base64, ``b"="`` for an empty one,
        ``None`` if the command had none."""
        if initial is None:
            return self._exchange.step(None)
        # RFC 4954 4, 4959 3, 5034 4: "=" stands for an initial response of no octets.
        if initial == b"=":
            return self._exchange.step(b"")
        return self.answer(initial)

    def answer(self, line: bytes) -> Step:
        """The client's next line, without CRLF."""
        self._steps += 1
        if len(line) > self._line_limit:
            return SaslFailure(SaslFault.TOO_LONG)
        if line == b"*":
            return SaslFailure(SaslFault.CANCELLED)
        if self._steps > STEP_LIMIT:
            return SaslFailure(SaslFault.TOO_MANY_STEPS)
        decoded = decode_base64(line)
        if decoded is None:
            return SaslFailure(SaslFault.MALFORMED)
        return self._exchange.step(decoded)

    def keys(self, keys: ScramKeys) -> Step:
        """What ``KeysWanted`` asked for."""
        return self._exchange.keys(keys) if isinstance(self._exchange, Scram) else MALFORMED

    def refuse(self, status: str, scope: str, configuration: str) -> Step:
        """The ``Token`` was refused, and why; the client has to hear it (RFC 7628 3.2.2)."""
        if isinstance(self._exchange, (OauthBearer, Xoauth2)):
            return self._exchange.refuse(status, scope, configuration)
        return MALFORMED


def challenge_line(challenge: Challenge) -> bytes:
    """The base64 that goes behind ``+ `` or ``334 ``."""
    return encode_base64(challenge.data)


Binding = Callable[[str], bytes | None]
PASSWORDS = ("PLAIN", "LOGIN")
TOKENS = ("OAUTHBEARER", "XOAUTH2")
SCRAMS = tuple(SCRAM_HASHES)
SCRAMS_PLUS = tuple(name + PLUS for name in SCRAM_HASHES)
_SIMPLE: dict[str, Callable[[], Exchange]] = {
    "PLAIN": Plain,
    "LOGIN": LoginExchange,
    "EXTERNAL": External,
    "OAUTHBEARER": OauthBearer,
    "XOAUTH2": Xoauth2,
}


def open_dialog(
    mechanism: str,
    offered: Sequence[str] = PASSWORDS,
    binding: Binding | None = None,
    line_limit: int = LINE_LIMIT,
) -> Dialog | None:
    """A dialog for the mechanism (any case), ``None`` for one that is not ``offered``.

    ``binding`` gives channel bindings for SCRAM; see ``Scram``.
    """
    name = mechanism.upper()
    if name not in offered:
        return None
    simple = _SIMPLE.get(name)
    return Dialog(simple() if simple else Scram(name, binding=binding), line_limit)
