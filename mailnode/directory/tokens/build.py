"""Opens the issuer that the settings name.

Fails: ``BadSettings`` for a secret that cannot be read.
"""

from __future__ import annotations

from mailnode.directory.tokens.introspection import IntrospectedTokens
from mailnode.directory.tokens.keys import KeySource, loader
from mailnode.directory.tokens.signed import SignedTokens
from mailnode.model.errors import BadSettings
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import MailLog
from mailnode.runtime.settings.oauth import OauthSettings
from mailnode.runtime.web import Web

_MAX_SECRET = 4096
# Of a set of keys, a configuration, an answer.
LIMIT_BYTES = 1 << 20


def open_web(settings: OauthSettings) -> Web:
    """The way to the issuer; close it."""
    return Web(timeout_s=settings.timeout_s, limit_bytes=LIMIT_BYTES, authorities=settings.ca_file)


def open_issuer(
    settings: OauthSettings, web: Web, *, clock: Clock, log: MailLog
) -> SignedTokens | IntrospectedTokens | None:
    """Whose tokens are taken; ``None`` where none are. Nothing is fetched yet."""
    if not settings.on:
        return None
    if settings.introspection_url:
        return IntrospectedTokens(settings, web, secret=_secret(settings), clock=clock, log=log)
    keys = KeySource(loader(settings, web), lifetime_s=settings.keys_s, clock=clock, log=log)
    return SignedTokens(settings, keys)


def _secret(settings: OauthSettings) -> str:
    path = settings.client_secret_file
    if path is None:
        return ""
    try:
        return path.read_bytes()[:_MAX_SECRET].decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise BadSettings(f"[oauth] client_secret_file = {path}: {reason}") from None
