"""IMAP system flags as bits, keywords as text.

Promises: ``MAILDIR_LETTERS`` is the one table that maps file-name letters to bits.
RFC: 9051 2.3.2; Maildir: https://cr.yp.to/proto/maildir.html
"""

from __future__ import annotations

from enum import IntFlag


class Flag(IntFlag):
    """The settable system flags. ``\\Recent`` is session state and not among them."""

    SEEN = 1
    ANSWERED = 2
    FLAGGED = 4
    DELETED = 8
    DRAFT = 16


NO_FLAGS = Flag(0)
ALL_FLAGS = Flag.SEEN | Flag.ANSWERED | Flag.FLAGGED | Flag.DELETED | Flag.DRAFT

# Maildir "info" letters; P (passed) is kept as the keyword $Forwarded, as Dovecot does.
MAILDIR_LETTERS: dict[str, Flag] = {
    "D": Flag.DRAFT,
    "F": Flag.FLAGGED,
    "R": Flag.ANSWERED,
    "S": Flag.SEEN,
    "T": Flag.DELETED,
}
