"""How names are folded before they are looked up.

Key columns are latin1: an address outside ASCII cannot be in them, and asking for one makes MySQL
report an error rather than nothing. So such names are answered "no" without asking.
RFC: 5890 2.3.2.1 (A-labels), 5321 4.5.3.1 (lengths).
"""

from __future__ import annotations

import idna

MAX_KEY = 255


def domain_key(name: str) -> str | None:
    """The domain as PostfixAdmin stores it: lower case, A-labels; ``None`` if it cannot be one."""
    folded = name.lower().rstrip(".")
    if not folded.isascii():
        try:
            folded = idna.encode(folded, uts46=True).decode()
        except (idna.IDNAError, UnicodeError):
            return None
    return folded if _storable(folded) and "@" not in folded else None


def address_key(local: str, domain: str) -> str | None:
    """``local@domain`` folded, ``@domain`` without a local part; ``None`` if it cannot be one."""
    folded, name = local.lower(), domain_key(domain)
    if name is None or (folded and not _storable(folded)):
        return None
    key = f"{folded}@{name}"
    return key if len(key) <= MAX_KEY else None


def split_key(key: str) -> tuple[str, str]:
    """Local part and domain of a key; the domain is empty where there is no ``@``."""
    local, found, domain = key.rpartition("@")
    return (local, domain) if found else (key, "")


def _storable(text: str) -> bool:
    # A trailing space would be ignored by MySQL's comparison.
    return bool(text) and text.isascii() and text.isprintable() and not text.endswith(" ")


def maildir_path(raw: str) -> str | None:
    """The maildir column as a safe relative path without trailing slash; ``None`` if it escapes, or
    leads to where the store keeps what is nobody's mailbox (its top-level names with a dot)."""
    path = raw.rstrip("/")
    parts = path.split("/")
    if not path or path[0] in "/." or not path.isprintable() or len(path) > MAX_KEY:
        return None
    return path if all(part not in ("", ".", "..") for part in parts) else None
