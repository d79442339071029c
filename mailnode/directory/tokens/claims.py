"""What a good token says of its user.

RFC: 7662 2.2, 9068 2.2 (claims), 8693 4.2 (scope), OpenID Connect Core 5.1 (email_verified).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailnode.directory import LoginFailure
from mailnode.runtime.settings.oauth import OauthSettings

# Octets of a token; RFC 4954 4 lets SASL lines carry no more.
MAX_TOKEN = 9000
_MAX_NAME = 320


def user_of(claims: Mapping[str, Any], settings: OauthSettings) -> str | LoginFailure:
    """The user name in claims that are true, or why they are not enough."""
    if not set(settings.scope.split()) <= _scopes(claims):
        return LoginFailure.SCOPE
    name = claims.get(settings.username_claim)
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME:
        return LoginFailure.TOKEN_NAMELESS
    # An issuer that lets people type in any address says so here.
    if settings.username_claim == "email" and claims.get("email_verified", True) is not True:
        return LoginFailure.TOKEN_NAMELESS
    return name


def _scopes(claims: Mapping[str, Any]) -> set[str]:
    """``scope`` is words in a string; some issuers give a list, some call it ``scp``."""
    found = claims.get("scope", claims.get("scp", ""))
    if isinstance(found, str):
        return set(found.split())
    if isinstance(found, list):
        return {one for one in found if isinstance(one, str)}
    return set()
