"""Command lines: verb and argument.

RFC: 5321 2.3.8 (only CRLF ends a line), 2.4 (verbs in any case), 4.1.1.
"""

from __future__ import annotations

import re

from mailnode.wire.smtp.reply import BAD_LINE, Reply

_COMMAND = re.compile(rb"([A-Za-z]{1,12})(?:[ \t]+(.*?))?[ \t]*")
# Anything but controls: SP to ~, and bytes that may be UTF-8.
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def split_command(line: bytes) -> tuple[str, bytes] | Reply:
    """Verb in upper case and raw argument of a line with its line end.

    A line that is not ended by CRLF, or holds controls, is refused as a whole.
    """
    # RFC 5321 2.3.8: a bare LF or CR is never a line end.
    if not line.endswith(b"\r\n") or _CONTROL.search(line, 0, len(line) - 2):
        return BAD_LINE
    found = _COMMAND.fullmatch(line, 0, len(line) - 2)
    if found is None:
        # An unknown verb, as long as it is text, is for the caller to refuse.
        return "", line[:-2]
    return found[1].decode("ascii").upper(), found[2] or b""


def after_keyword(argument: bytes, keyword: bytes) -> bytes | None:
    """What follows ``FROM:`` or ``TO:``; ``None`` when it is not there.

    RFC 5321 deviation: spaces after the colon are forgiven, as every server does.
    """
    if argument[: len(keyword)].upper() != keyword:
        return None
    return argument[len(keyword) :].lstrip(b" ")
