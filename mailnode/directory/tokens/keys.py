"""The issuer's public keys: fetched, kept for a while, fetched again for a key not seen before.

Promises: one fetch at a time, and none more often than its pauses allow whatever tokens come; keys
that are known go on while the issuer is unreachable; symmetric and weak keys are not taken.
Fails: ``DirectoryGone`` while nobody knows whether there is such a key.
RFC: 7517 (JWK), 8725 3.5 (key sizes), OpenID Connect Discovery 4.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from jwt import PyJWK
from jwt.exceptions import PyJWTError

from mailnode.model.errors import DirectoryGone, TemporaryError
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import Event, MailLog
from mailnode.runtime.settings.oauth import OauthSettings
from mailnode.runtime.web import Unreachable, Web

DISCOVERY = "/.well-known/openid-configuration"
_MAX_KEYS = 100
_MIN_RSA_BITS = 2048
# Between fetches for keys that nobody has heard of, and after one that failed.
UNKNOWN_PAUSE_S = 30.0
FAILED_PAUSE_S = 5.0
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519"}
_KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


class KeySource:
    """Used on one event loop."""

    def __init__(
        self,
        load: Callable[[], Awaitable[bytes]],
        *,
        lifetime_s: float,
        clock: Clock,
        log: MailLog,
    ) -> None:
        self._load = load
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._log = log
        self._keys: list[dict[str, Any]] | None = None
        self._loaded_at = self._failed_at = float("-inf")
        self._loading = asyncio.Lock()

    async def find(self, kid: str | None, algorithm: str) -> list[PyJWK]:
        """The keys that may have signed; empty when there is none, for sure."""
        if self._age() > self._lifetime_s:
            await self._refresh(self._lifetime_s, needed=self._keys is None)
        found = self._fitting(kid, algorithm)
        if not found and self._age() > UNKNOWN_PAUSE_S:
            await self._refresh(UNKNOWN_PAUSE_S, needed=True)
            found = self._fitting(kid, algorithm)
        return found

    async def count(self) -> int:
        """How many keys the issuer has now. Raises ``Unreachable``."""
        return len(parse_keys(await self._load()))

    def _age(self) -> float:
        return self._clock.monotonic() - self._loaded_at

    async def _refresh(self, older_than_s: float, *, needed: bool) -> None:
        async with self._loading:
            if self._age() <= older_than_s:
                return  # somebody else has done it meanwhile
            if self._clock.monotonic() - self._failed_at > FAILED_PAUSE_S:
                await self._try_to_load()
            if needed and self._age() > older_than_s:
                raise DirectoryGone("the issuer's keys are not to be had")

    async def _try_to_load(self) -> None:
        try:
            self._keys = parse_keys(await self._load())
            self._loaded_at = self._clock.monotonic()
        except TemporaryError as error:
            self._failed_at = self._clock.monotonic()
            self._log.event(
                Event.ISSUER,
                reason=f"keys: {error}",
                remedy="see that the issuer can be reached; logins by token fail for now",
            )

    def _fitting(self, kid: str | None, algorithm: str) -> list[PyJWK]:
        found = [key for key in self._keys or () if fits(key, kid, algorithm)]
        made = (_made(key, algorithm) for key in found)
        return [key for key in made if key is not None]


def parse_keys(raw: bytes) -> list[dict[str, Any]]:
    """The public keys of a JWKS. Raises ``Unreachable`` for what is none."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        raise Unreachable("what came is not JSON") from None
    keys = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(keys, list):
        raise Unreachable("what came is no set of keys")
    return [key for key in keys[:_MAX_KEYS] if isinstance(key, dict) and key.get("kty") != "oct"]


def fits(key: dict[str, Any], kid: str | None, algorithm: str) -> bool:
    """Whether this key may have made this signature."""
    return (
        (kid is None or key.get("kid") == kid)
        and key.get("kty") == _KINDS[algorithm[:2]]
        and key.get("crv") == _CURVES.get(algorithm)
        and key.get("alg") in (None, algorithm)
        and key.get("use") in (None, "sig")
        and (not isinstance(key.get("key_ops"), list) or "verify" in key["key_ops"])
    )


def _made(key: dict[str, Any], algorithm: str) -> PyJWK | None:
    try:
        made = PyJWK(key, algorithm)
    except (PyJWTError, ValueError, TypeError, KeyError):
        return None
    return made if getattr(made.key, "key_size", _MIN_RSA_BITS) >= _least_bits(algorithm) else None


def _least_bits(algorithm: str) -> int:
    return _MIN_RSA_BITS if _KINDS[algorithm[:2]] == "RSA" else 0


def loader(settings: OauthSettings, web: Web) -> Callable[[], Awaitable[bytes]]:
    """Where the settings say that the keys are. What it gives raises ``Unreachable``."""

    async def from_file() -> bytes:
        assert settings.jwks_file is not None
        try:
            return await asyncio.to_thread(settings.jwks_file.read_bytes)
        except OSError as error:
            raise Unreachable(f"{settings.jwks_file}: {error.strerror}") from None

    async def from_url() -> bytes:
        return await _fetched(web, settings.jwks_url or await _discovered(settings, web))

    return from_file if settings.jwks_file is not None else from_url


async def _discovered(settings: OauthSettings, web: Web) -> str:
    try:
        found = json.loads(await _fetched(web, settings.issuer.rstrip("/") + DISCOVERY))
    except (ValueError, RecursionError):
        raise Unreachable("the issuer's configuration is not JSON") from None
    where = found.get("jwks_uri") if isinstance(found, dict) else None
    # OpenID Connect Discovery 4.3: it must be the issuer's own.
    if not isinstance(where, str) or found.get("issuer") != settings.issuer:
        raise Unreachable("the issuer's configuration names another issuer, or no keys")
    if not settings.may_fetch(where):
        raise Unreachable(f"{where} is not https; see oauth.allow_http")
    return where


async def _fetched(web: Web, url: str) -> bytes:
    answer = await web.get(url)
    if answer.status != 200:
        raise Unreachable(f"{url}: status {answer.status}")
    return answer.body
