"""Settings' values as text: as TOML writes them, and as they may be shown.

Promises: a secret (by its key, or inside a URL) never comes out of ``mask``.
"""

from __future__ import annotations

import json
import re
from enum import Enum

from pydantic import SecretStr

_URL_PASSWORD = re.compile(r"(://[^/@:\s]*:)[^/\s]*@")
_SECRET_KEY = re.compile(r"(^|_)(pass(word|wd|phrase)?|secret|token|credentials?)(_|$)", re.I)
_SHOWN_CHARS = 80


def shown(key: str, value: object) -> object:
    """The value in JSON's types, secrets masked."""
    if _SECRET_KEY.search(key) or isinstance(value, SecretStr):
        return "***"
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {str(name): shown(str(name), one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [shown("", one) for one in value]
    return _URL_PASSWORD.sub(r"\1***@", str(value.value if isinstance(value, Enum) else value))


def mask(key: str, value: object, limit_chars: int = _SHOWN_CHARS) -> str:
    """The value as it may be shown: secrets and passwords inside URLs are left out."""
    if _SECRET_KEY.search(key) or isinstance(value, SecretStr):
        return '"***"'
    shown = _URL_PASSWORD.sub(r"\1***@", toml_value(value))
    return shown if len(shown) <= limit_chars else shown[:limit_chars] + "…"


def toml_value(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple | set | frozenset):
        ordered = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return f"[{', '.join(toml_value(one) for one in ordered)}]"
    if isinstance(value, dict):
        inner = ", ".join(f"{json.dumps(key)} = {toml_value(one)}" for key, one in value.items())
        return f"{{{inner}}}"
    if isinstance(value, SecretStr):
        return '""'
    text = value.value if isinstance(value, Enum) else value
    # A JSON string is a valid TOML basic string.
    return json.dumps(str(text), ensure_ascii=False)
