"""A mail address as a value.

Promises: immutable; the domain is lower case and without a trailing dot; the local part
is kept as the client wrote it.
RFC: 5321 2.4 (case of local parts), 6531 (UTF-8 addresses).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox address, already parsed. ``local`` is unquoted text, ``domain`` lower case.

    Domain literals keep their brackets (``[192.0.2.1]``). Parsing and quoting live in
    ``wire/smtp``; ``str()`` is for logs and directory keys only.
    """

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}" if self.domain else self.local

    @property
    def folded(self) -> str:
        """The whole address in lower case, as PostfixAdmin stores its keys."""
        return str(self).lower()

    def without_extension(self, delimiter: str) -> Address:
        """``user+ext@d`` as ``user@d``; the same where no delimiter is, or only a leading one."""
        if not delimiter:
            return self
        head, found, _ = self.local.partition(delimiter)
        return Address(head, self.domain) if found and head else self
