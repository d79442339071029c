"""The answer to CAPA.

RFC: 2449 5, 6; 2595 4 (STLS), 3206 (AUTH-RESP-CODE), 5034 (SASL), 6856 2 (UTF8), 3 (LANG).
"""

from __future__ import annotations

from collections.abc import Sequence


def capability_lines(
    *,
    mechanisms: Sequence[str],
    stls: bool,
    expire_days: int | None,
    implementation: str = "mailnode",
) -> list[str]:
    """The capabilities now, one a line. ``mechanisms``: what a password may be sent by now; with
    none, USER is not offered either. ``expire_days`` ``None``: mail is kept for ever."""
    lines = ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING"]
    lines.append("EXPIRE NEVER" if expire_days is None else f"EXPIRE {expire_days}")
    if mechanisms:
        lines += ["USER", "SASL " + " ".join(mechanisms)]
    if stls:
        lines.append("STLS")
    # RFC 6856 2.2: "USER" says that user names and passwords may be UTF-8 at any time.
    return [*lines, "UTF8 USER", "LANG", f"IMPLEMENTATION {implementation}"]
