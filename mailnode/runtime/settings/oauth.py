"""The ``[oauth]`` section: whose access tokens log users in."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from mailnode.runtime.settings.section import Section

# RFC 8725 3.1, 3.2: never "none", and no HMAC, whose key would be a public one here.
Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
ALGORITHMS: tuple[Algorithm, ...] = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip


class OauthSettings(Section):
    """Log in by access tokens (SASL OAUTHBEARER and XOAUTH2) from one issuer: signed ones (JWT),
    or any that the issuer says is good (introspection). Off as long as neither is set."""

    issuer: str = Field(
        default="",
        description='URL of the issuer as its tokens name it ("iss"). Its keys are found by '
        "OpenID discovery unless jwks_url or jwks_file says where they are.",
    )
    audience: list[str] = Field(
        default=[],
        description='What tokens must be for ("aud" has one of them). Needed for signed tokens: '
        "without it any application's token would read its user's mail.",
    )
    jwks_url: str = Field(default="", description="Where the issuer's public keys are.")
    jwks_file: Path | None = Field(
        default=None, description="File with the issuer's public keys (JWKS), instead of a URL."
    )
    introspection_url: str = Field(
        default="",
        description="Ask the issuer here about each token (RFC 7662) instead of checking "
        "signatures. A token that it revoked ends within introspected_s.",
    )
    client_id: str = Field(default="", description="Our name at the introspection URL.")
    client_secret_file: Path | None = Field(
        default=None, description="File with our password at the introspection URL; chmod 600."
    )
    username_claim: str = Field(
        default="email",
        min_length=1,
        description='Which claim of a token names the mailbox: "email", "preferred_username", '
        '"sub", for introspection perhaps "username". login.default_domain completes it.',
    )
    scope: str = Field(
        default="", description="Scopes that a token must have, with spaces between. Empty: any."
    )
    algorithms: list[Algorithm] = Field(
        default=list(ALGORITHMS), min_length=1, description="Signatures that are taken."
    )
    leeway_s: float = Field(
        default=60.0, ge=0, le=600, description="How far the issuer's clock may be from ours."
    )
    keys_s: float = Field(
        default=3600.0,
        ge=60,
        le=86400,
        description="The issuer's keys are fetched again after so long, and at once (twice a "
        "minute at most) for a token with an unknown key.",
    )
    introspected_s: float = Field(
        default=60.0, ge=0, le=3600, description="An answer about a token holds for so long."
    )
    cache_entries: int = Field(
        default=5000, ge=1, le=1000000, description="Answers about tokens that a worker remembers."
    )
    timeout_s: float = Field(
        default=5.0,
        gt=0,
        le=60,
        description="An issuer that has not answered by then counts as unreachable: logins by "
        "token fail for now, with a temporary error.",
    )
    ca_file: Path | None = Field(
        default=None,
        description="PEM file: authorities that sign the issuer's TLS certificate, where the "
        "system does not know them.",
    )
    allow_http: bool = Field(
        default=False,
        description="Take http URLs of other machines, too. Whoever is in between could log in "
        "as anybody.",
    )

    @property
    def on(self) -> bool:
        """Are access tokens taken?"""
        return bool(self.issuer or self.introspection_url)

    @field_validator("issuer", "jwks_url", "introspection_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("https", "http") or not parts.hostname):
            raise ValueError("not a URL, write one like https://login.example.org/realms/mail")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> OauthSettings:
        for value in (self.issuer, self.jwks_url, self.introspection_url):
            if value and not self.may_fetch(value):
                raise ValueError(f"{value} is not https; see oauth.allow_http")
        if self.issuer and not self.introspection_url and not self.audience:
            raise ValueError("oauth.audience must say what signed tokens are for")
        if (self.jwks_url or self.jwks_file) and not self.issuer:
            raise ValueError("oauth.issuer must be set beside the place of its keys")
        if self.introspection_url and (self.jwks_url or self.jwks_file):
            raise ValueError("choose oauth.introspection_url or a place of keys, not both")
        return self

    def may_fetch(self, url: str) -> bool:
        """Whether this URL is safe enough: https, or this very machine."""
        parts = urlsplit(url)
        if parts.scheme == "https":
            return True
        return parts.scheme == "http" and (self.allow_http or _is_here(parts.hostname or ""))


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
