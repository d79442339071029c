"""Database addresses as settings give them: read, checked, with passwords kept out of sight.

Fails: ``BadSettings`` for an address that cannot be understood; it shows no password.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from mailnode.model.errors import BadSettings

_DRIVERS = {
    "mysql": "mysql+aiomysql",
    "mariadb": "mysql+aiomysql",
    "mysql+aiomysql": "mysql+aiomysql",
    "mariadb+aiomysql": "mysql+aiomysql",
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
}
_OPTIONS = frozenset({"unix_socket", "charset", "password_file", "password_env", "ssl_ca"})


def parse_url(raw_url: str) -> URL:
    """A database address, driver filled in, password fetched from its file or variable.

    ``mysql://user:password@host:port/db``, ``mysql://user@/db?unix_socket=/path``,
    ``sqlite:////absolute/path``; ``password_file=/path`` and ``password_env=NAME`` keep the
    password out of the address, ``ssl_ca=/path`` asks for TLS. Raises ``BadSettings``.
    """
    try:
        url = make_url(raw_url)
    except (ArgumentError, ValueError):
        raise BadSettings("a database address must look like mysql://user@host/name") from None
    driver = _DRIVERS.get(url.drivername)
    shown = url.render_as_string(hide_password=True)
    if driver is None:
        raise BadSettings(f"{shown}: use mysql:// or sqlite:///")
    unknown = set(url.query) - _OPTIONS
    if unknown:
        raise BadSettings(f"{shown}: unknown option {', '.join(sorted(unknown))}")
    if driver.startswith("sqlite") and url.database in (None, "", ":memory:"):
        raise BadSettings("sqlite:// needs a file: sqlite:////var/lib/mailnode/directory.db")
    _check_trust(url, shown)
    return _with_password(url.set(drivername=driver), shown)


def _check_trust(url: URL, shown: str) -> None:
    try:
        trust(url)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        why = getattr(error, "strerror", None) or error
        raise BadSettings(f"{shown}: ssl_ca cannot be used: {why}") from None


def trust(url: URL) -> ssl.SSLContext | None:
    """Whose certificates are believed; ``None`` where no TLS is asked for."""
    ca = url.query.get("ssl_ca")
    return ssl.create_default_context(cafile=ca) if isinstance(ca, str) else None


def _with_password(url: URL, shown: str) -> URL:
    file, variable = url.query.get("password_file"), url.query.get("password_env")
    try:
        if isinstance(file, str):
            url = url.set(password=_first_line(file))
        elif isinstance(variable, str):
            url = url.set(password=os.environ[variable])
    except OSError as error:
        raise BadSettings(f"{shown}: password_file cannot be read: {error.strerror}") from None
    except (KeyError, UnicodeDecodeError):
        raise BadSettings(f"{shown}: no usable password in password_file/password_env") from None
    return url.difference_update_query(["password_file", "password_env"])


def _first_line(file: str) -> str:
    return Path(file).read_text(encoding="utf-8").rstrip("\r\n")


def password_now(raw_url: str) -> str | None:
    """What ``password_file`` of this address holds by now, as passwords are changed while we run;
    ``None`` where there is no such file, or it cannot be read at the moment."""
    file = make_url(raw_url).query.get("password_file")
    try:
        return _first_line(file) if isinstance(file, str) else None
    except (OSError, UnicodeDecodeError):
        return None
