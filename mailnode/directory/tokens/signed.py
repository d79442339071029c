"""Tokens that carry their claims and a signature (JWT).

Promises: only signatures by the issuer's public keys and the algorithms of the settings; issuer,
audience and life are always checked.
Fails: ``DirectoryGone`` while the issuer's keys are not to be had.
RFC: 7519, 7515, 8725 (what to be careful about), 9068.
"""

from __future__ import annotations

from typing import Any

import jwt
from jwt.exceptions import (
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAudienceError,
    InvalidIssuerError,
    InvalidSignatureError,
    PyJWTError,
)

from mailnode.directory import LoginFailure
from mailnode.directory.tokens.claims import MAX_TOKEN, user_of
from mailnode.directory.tokens.keys import DISCOVERY, KeySource
from mailnode.runtime.settings.oauth import OauthSettings

# Keys without a name are tried one after the other.
_TRIED = 10
_CHECKED = {"require": ["exp", "iss", "aud"], "verify_sub": False, "verify_jti": False}


class SignedTokens:
    """Implements ``Issuer``."""

    def __init__(self, settings: OauthSettings, keys: KeySource) -> None:
        self.scope = settings.scope
        self.configuration = settings.issuer.rstrip("/") + DISCOVERY
        self._settings = settings
        self._keys = keys

    async def judge(self, token: str) -> str | LoginFailure:
        """See ``Issuer``."""
        head = _head(token)
        if head is None or head.get("alg") not in self._settings.algorithms:
            return LoginFailure.TOKEN
        kid = head.get("kid")
        # RFC 7515 4.1.11: what is critical must be understood, and we understand nothing more.
        if "crit" in head or not (kid is None or isinstance(kid, str)):
            return LoginFailure.TOKEN
        verdict: str | LoginFailure = LoginFailure.TOKEN_FORGED
        for key in (await self._keys.find(kid, head["alg"]))[:_TRIED]:
            verdict = self._checked(token, key, head["alg"])
            if verdict is not LoginFailure.TOKEN_FORGED:
                break
        return verdict

    async def look(self) -> str:
        """What is there, for a person. Raises ``Unreachable``."""
        return f"{await self._keys.count()} keys"

    def _checked(self, token: str, key: jwt.PyJWK, algorithm: str) -> str | LoginFailure:
        settings = self._settings
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=settings.audience,
                issuer=settings.issuer,
                leeway=settings.leeway_s,
                options=_CHECKED,  # type: ignore[arg-type]  # a TypedDict whose keys are all there
            )
        except (PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            return _why(error)
        return user_of(claims, settings)


def _why(error: Exception) -> LoginFailure:
    """For the log; the client hears only that the token is not good."""
    if isinstance(error, ExpiredSignatureError | ImmatureSignatureError):
        return LoginFailure.TOKEN_OVER
    if isinstance(error, InvalidAudienceError | InvalidIssuerError):
        return LoginFailure.TOKEN_FOREIGN
    forged = isinstance(error, InvalidSignatureError)
    return LoginFailure.TOKEN_FORGED if forged else LoginFailure.TOKEN


def _head(token: str) -> dict[str, Any] | None:
    if len(token) > MAX_TOKEN:
        return None
    try:
        return jwt.get_unverified_header(token)
    except (PyJWTError, ValueError, TypeError, RecursionError):
        return None
