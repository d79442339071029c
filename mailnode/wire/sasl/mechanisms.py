"""The server side of the mechanisms of one message or two: PLAIN, LOGIN, EXTERNAL.

Promises: every input ends in a value, none in an exception.
RFC: 4422 3 and A (EXTERNAL), 4616 (PLAIN); LOGIN as draft-murchison-sasl-login and every client
know it.
"""

from __future__ import annotations

from mailnode.wire.sasl.steps import MALFORMED, Certified, Challenge, Credentials, Step, as_text


class Plain:
    """RFC 4616: ``[authzid] NUL authcid NUL passwd`` in one message."""

    name = "PLAIN"

    def step(self, response: bytes | None) -> Step:
        """An empty challenge first if there was no initial response."""
        if response is None:
            return Challenge(b"")
        text = as_text(response)
        parts = text.split("\0") if text is not None else []
        # RFC 4616 2: exactly two NULs; authcid and passwd are not empty.
        if len(parts) != 3 or not parts[1] or not parts[2]:
            return MALFORMED
        return Credentials(parts[1], parts[0], parts[2], self.name)


class LoginExchange:
    """LOGIN: user and password, each asked for; some clients send the user at once."""

    name = "LOGIN"

    def __init__(self) -> None:
        self._user = ""

    def step(self, response: bytes | None) -> Step:
        """Asks ``Username:`` and ``Password:``, the words that clients wait for."""
        if response is None:
            return Challenge(b"Username:")
        text = as_text(response)
        if not text or "\0" in text:
            return MALFORMED
        if not self._user:
            self._user = text
            return Challenge(b"Password:")
        return Credentials(self._user, "", text, self.name)


class External:
    """RFC 4422 A: the client has shown who it is outside; here it may say as whom it acts."""

    name = "EXTERNAL"

    def step(self, response: bytes | None) -> Step:
        """An empty challenge first if there was no initial response."""
        if response is None:
            return Challenge(b"")
        text = as_text(response)
        # RFC 4422 A.1 "utf8-no-nul"
        if text is None or "\0" in text:
            return MALFORMED
        return Certified(text, self.name)
