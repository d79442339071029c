"""Tokens that only the issuer can read: it is asked about each.

Promises: an answer is remembered by the token's hash, for a bounded time and in a bounded number;
never beyond the token's own life.
Fails: ``DirectoryGone`` when the issuer cannot be asked.
RFC: 7662.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from typing import Any

from mailnode.directory import LoginFailure
from mailnode.directory.tokens.claims import MAX_TOKEN, user_of
from mailnode.directory.tokens.keys import DISCOVERY
from mailnode.model.errors import DirectoryGone
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import Event, MailLog
from mailnode.runtime.settings.oauth import OauthSettings
from mailnode.runtime.web import Unreachable, Web

# A token that is not good now may be good soon (its time has not come yet).
_REFUSED_S = 10.0


class IntrospectedTokens:
    """Implements ``Issuer``."""

    def __init__(
        self, settings: OauthSettings, web: Web, *, secret: str, clock: Clock, log: MailLog
    ) -> None:
        self.scope = settings.scope
        self.configuration = settings.issuer.rstrip("/") + DISCOVERY if settings.issuer else ""
        self._settings = settings
        self._web = web
        self._secret = secret
        self._clock = clock
        self._log = log
        self._known: OrderedDict[bytes, tuple[str | LoginFailure, float]] = OrderedDict()

    async def judge(self, token: str) -> str | LoginFailure:
        """See ``Issuer``."""
        if len(token) > MAX_TOKEN:
            return LoginFailure.TOKEN
        mark = hashlib.sha256(token.encode()).digest()
        known = self._known.get(mark)
        if known is not None and self._clock.monotonic() < known[1]:
            return known[0]
        try:
            claims = await self._ask(token)
        except Unreachable as error:
            self._log.event(
                Event.ISSUER,
                reason=f"introspection: {error}",
                remedy="see that the issuer can be reached and knows oauth.client_id",
            )
            raise DirectoryGone("the issuer cannot be asked") from None
        verdict = self._verdict(claims)
        self._remember(mark, verdict, claims)
        return verdict

    async def look(self) -> str:
        """What is there, for a person. Raises ``Unreachable``."""
        await self._ask("mailnode-doctor")
        return "answers about tokens"

    async def _ask(self, token: str) -> dict[str, Any]:
        settings = self._settings
        fields = {"token": token, "token_type_hint": "access_token"}
        answer = await self._web.post(
            settings.introspection_url, fields, settings.client_id, self._secret
        )
        # RFC 7662 2.3: a refused client is our fault, not the token's.
        if answer.status != 200:
            raise Unreachable(f"status {answer.status}")
        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError):
            raise Unreachable("the answer is not JSON") from None
        if not isinstance(found, dict):
            raise Unreachable("the answer is no JSON object")
        return found

    def _verdict(self, claims: dict[str, Any]) -> str | LoginFailure:
        settings, now = self._settings, self._clock.now()
        # RFC 7662 2.2: "inactive" is said of a made-up token as of one that has run out.
        if claims.get("active") is not True:
            return LoginFailure.TOKEN_INACTIVE
        alive = (
            now < _number(claims.get("exp"), float("inf")) + settings.leeway_s
            and now >= _number(claims.get("nbf"), float("-inf")) - settings.leeway_s
        )
        if not alive:
            return LoginFailure.TOKEN_OVER
        ours = not settings.issuer or claims.get("iss", settings.issuer) == settings.issuer
        if settings.audience:
            told = claims.get("aud", [])
            audience = told if isinstance(told, list) else [told]
            ours = ours and any(one in settings.audience for one in audience)
        return user_of(claims, settings) if ours else LoginFailure.TOKEN_FOREIGN

    def _remember(self, mark: bytes, verdict: str | LoginFailure, claims: dict[str, Any]) -> None:
        holds_s = self._settings.introspected_s
        if isinstance(verdict, LoginFailure):
            holds_s = min(holds_s, _REFUSED_S)
        left_s = _number(claims.get("exp"), float("inf")) - self._clock.now()
        holds_s = min(holds_s, max(left_s, 0.0))
        self._known[mark] = (verdict, self._clock.monotonic() + holds_s)
        self._known.move_to_end(mark)
        while len(self._known) > self._settings.cache_entries:
            self._known.popitem(last=False)


def _number(value: object, missing: float) -> float:
    """A time claim; what is no number at all counts as over (RFC 7519 2 "NumericDate")."""
    if value is None:
        return missing
    if isinstance(value, bool) or not isinstance(value, int | float):
        return -missing
    return float(value)
