"""One log line: fields to text and back.

Promises: a line holds no control character, whatever a client sent, so nobody can forge a line
or steer a terminal; a line of either format parses back into its fields; a line is never longer
than ``LINE_MAX_BYTES``, which a pipe takes in one piece (PIPE_BUF, pipe(7)).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache

LINE_MAX_BYTES = 4096
# Tried in this order until the whole line fits.
_VALUE_LIMITS_CHARS = (3000, 1000, 250, 60, 15)

_BARE = re.compile(r"[!#-<>-~]+")  # printable ASCII without space, quote and "="
_SPACED = re.compile(r"[ !#-[\]-~]+")  # what needs quotes and nothing else
_KEY_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
# C0, DEL, C1, line and paragraph separators, bidirectional overrides, lone surrogates.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_FIELD = re.compile(r'([A-Za-z0-9_.-]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?: |$)')
_URL_PASSWORD = re.compile(r"(://[^/@:\s]*:)[^/@\s]*@")


def timestamp(now: float) -> str:
    """UTC with microseconds, as RFC 3339 writes it."""
    second, fraction = divmod(now, 1)
    return f"{_second(int(second))}.{int(fraction * 1_000_000):06d}Z"


@lru_cache(maxsize=8)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def quick_logfmt(fields: Mapping[str, object], head: str) -> bytes | None:
    """The same as ``format_line`` for the plain values that nearly all lines are made of, at a
    fifth of the cost; ``None`` where the long way is needed. Keys must be bare names. ``head`` is
    the beginning of the line, already as it has to be."""
    parts = [head]
    for key, value in fields.items():
        # Not isinstance, for bool is an int and written otherwise.
        if type(value) is str:
            if not value:
                parts.append(f'{key}=""')
                continue
            if "://" in value:
                return None
            if not _BARE.fullmatch(value):
                if not _SPACED.fullmatch(value):
                    return None
                value = f'"{value}"'
        elif type(value) is bool:
            value = "yes" if value else "no"
        elif type(value) is float:
            value = round(value, 6)
        elif type(value) is not int:
            return None
        parts.append(f"{key}={value}")
    line = " ".join(parts)
    return f"{line}\n".encode() if len(line) < LINE_MAX_BYTES else None


def format_line(fields: Mapping[str, object], as_json: bool) -> bytes:
    """The line with its line feed; long values lose their middle when the line is too long."""
    flat = {_KEY_UNSAFE.sub("_", key): _flat(value) for key, value in fields.items()}
    render = _json if as_json else _logfmt
    for limit in _VALUE_LIMITS_CHARS:
        line = render({key: _shorten(value, limit) for key, value in flat.items()})
        if len(line) < LINE_MAX_BYTES:
            break
    else:
        line = render(dict(list(flat.items())[:5]) | {"cut": True})[: LINE_MAX_BYTES - 1]
    return line + b"\n"


def parse_logfmt(line: str) -> dict[str, str]:
    """The fields of a logfmt line, as text. Raises ``ValueError`` for anything else."""
    fields, at = {}, 0
    line = line.rstrip("\n")
    while at < len(line):
        found = _FIELD.match(line, at)
        if not found:
            raise ValueError(f"no field at column {at + 1}")
        raw = found[2]
        fields[found[1]] = json.loads(raw) if raw.startswith('"') else raw
        at = found.end()
    return fields


def _flat(value: object) -> object:
    """Numbers and booleans as they are, everything else as text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ",".join(str(_flat(one)) for one in value)
    return str(value)


def _shorten(value: object, limit: int) -> object:
    if not isinstance(value, str):
        return value
    value = _URL_PASSWORD.sub(r"\1***@", value)
    if len(value) <= limit:
        return value
    # The end says more than the middle, of a traceback above all.
    return f"{value[: limit // 4]}…{value[-(limit - limit // 4) :]}"


def _quoted(value: str) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _logfmt(fields: Mapping[str, object]) -> bytes:
    return " ".join(f"{key}={_value(value)}" for key, value in fields.items()).encode()


def _value(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    return text if _BARE.fullmatch(text) else _quoted(text)


def _json(fields: Mapping[str, object]) -> bytes:
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()
