"""Access tokens: good, bad and hostile ones, against an issuer over real HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from pydantic import ValidationError

from mailnode.directory import LoginFailure
from mailnode.directory.tokens.build import LIMIT_BYTES, open_issuer, open_web
from mailnode.model.errors import BadSettings, DirectoryGone
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.maillog import Event, ListLog
from mailnode.runtime.settings.oauth import OauthSettings
from mailnode.runtime.web import Unreachable
from tests.support import issuer as issuing
from tests.support.issuer import running_issuer

USER = "user1@example.test"
REFUSED = {failure for failure in LoginFailure if failure.name.startswith("TOKEN")}


class Clock(SystemClock):
    """The real time, and some more that passed."""

    passed = 0.0

    def now(self) -> float:
        return super().now() + self.passed

    def monotonic(self) -> float:
        return super().monotonic() + self.passed


class World:
    def __init__(self, judge: Any, log: ListLog, clock: Clock) -> None:
        self.issuer, self.log, self.clock = judge, log, clock

    async def judge(self, token: str) -> str | LoginFailure:
        return await self.issuer.judge(token)


@asynccontextmanager
async def opened(**settings: Any) -> AsyncIterator[World]:
    chosen = OauthSettings.model_validate(settings)
    web, log, clock = open_web(chosen), ListLog(), Clock()
    judge = open_issuer(chosen, web, clock=clock, log=log)
    assert judge is not None
    try:
        yield World(judge, log, clock)
    finally:
        await asyncio.to_thread(web.close)


@pytest.fixture
def issuer() -> Iterator[issuing.Issuer]:
    with running_issuer() as found:
        yield found


@asynccontextmanager
async def signed(source: issuing.Issuer, **settings: Any) -> AsyncIterator[World]:
    async with opened(**{"issuer": source.url, "audience": ["mail"], **settings}) as world:
        yield world


async def test_a_good_token_names_its_user(issuer: issuing.Issuer) -> None:
    async with signed(issuer) as world:
        for _ in range(3):
            assert await world.judge(issuer.token()) == USER
        assert await world.judge(issuer.token(kid=None)) == USER
        assert issuer.asked == {"/.well-known/openid-configuration": 1, "/keys": 1}
        assert world.issuer.configuration == issuer.url + "/.well-known/openid-configuration"


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS256", rsa.generate_private_key(65537, 2048)),
        ("PS512", rsa.generate_private_key(65537, 2048)),
        ("ES256", ec.generate_private_key(ec.SECP256R1())),
        ("ES384", ec.generate_private_key(ec.SECP384R1())),
        ("ES512", ec.generate_private_key(ec.SECP521R1())),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
    ],
)
async def test_algorithms(issuer: issuing.Issuer, algorithm: str, key: issuing.Key) -> None:
    issuer.keys["k2"] = key
    token = issuer.token("k2", algorithm)
    async with signed(issuer) as world:
        assert await world.judge(token) == USER
    others = [one for one in ("RS256", "ES256") if one != algorithm]
    async with signed(issuer, algorithms=others) as world:
        assert await world.judge(token) in REFUSED


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": 1 << 40},
        {"iat": 1 << 40},
        {"aud": "web-shop"},
        {"aud": None},
        {"aud": ["web-shop", 7]},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"email": None},
        {"email": ""},
        {"email": 7},
        {"email": ["user1@example.test"]},
        {"email": "x" * 400},
        {"email_verified": False},
        {"email_verified": "false"},
    ],
)
async def test_claims_that_will_not_do(issuer: issuing.Issuer, claims: dict[str, Any]) -> None:
    async with signed(issuer) as world:
        assert await world.judge(issuer.token(**claims)) in REFUSED


async def test_the_log_can_tell_why(issuer: issuing.Issuer) -> None:
    stranger = ec.generate_private_key(ec.SECP256R1())
    forged = jwt.encode(issuer.claims(), stranger, "ES256", headers={"kid": "k1"})
    unknown = jwt.encode(issuer.claims(), stranger, "ES256", headers={"kid": "k9"})
    async with signed(issuer) as world:
        assert await world.judge(issuer.token(exp=1)) is LoginFailure.TOKEN_OVER
        assert await world.judge(issuer.token(nbf=1 << 40)) is LoginFailure.TOKEN_OVER
        assert await world.judge(issuer.token(aud="shop")) is LoginFailure.TOKEN_FOREIGN
        assert await world.judge(issuer.token(iss="https://x.test")) is LoginFailure.TOKEN_FOREIGN
        assert await world.judge(forged) is LoginFailure.TOKEN_FORGED
        assert await world.judge(unknown) is LoginFailure.TOKEN_FORGED
        assert await world.judge(issuer.token(email=None)) is LoginFailure.TOKEN_NAMELESS
        assert await world.judge("nonsense") is LoginFailure.TOKEN


async def test_leeway(issuer: issuing.Issuer) -> None:
    late = int(Clock().now()) - 30
    async with signed(issuer) as world:
        assert await world.judge(issuer.token(exp=late)) == USER
        assert await world.judge(issuer.token(nbf=late + 60, iat=late + 60)) == USER
    async with signed(issuer, leeway_s=5) as world:
        assert await world.judge(issuer.token(exp=late)) in REFUSED


@pytest.mark.parametrize(
    ("claims", "enough"),
    [
        ({"scope": "mail openid"}, True),
        ({"scope": ["openid", "mail"]}, True),
        ({"scope": None, "scp": ["mail", "openid"]}, True),
        ({"scope": "mailx openid"}, False),
        ({"scope": None}, False),
        ({"scope": 7}, False),
    ],
)
async def test_scope(issuer: issuing.Issuer, claims: dict[str, Any], enough: bool) -> None:
    async with signed(issuer, scope="mail openid") as world:
        expected = USER if enough else LoginFailure.SCOPE
        assert await world.judge(issuer.token(**claims)) == expected


async def test_another_claim_may_name_the_user(issuer: issuing.Issuer) -> None:
    async with signed(issuer, username_claim="sub") as world:
        assert await world.judge(issuer.token(email_verified=False)) == "7"


def b64(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


async def test_signatures_that_are_none(issuer: issuing.Issuer) -> None:
    """RFC 8725 2.1: "none", and a public key taken for a shared secret."""
    good = issuer.token()
    head, body, signature = good.split(".")
    public = issuer.keys["k1"].public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    hmac_key = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    faked_head = b64({"alg": "HS256", "kid": "k1"})
    faked = f"{faked_head}.{body}"
    stranger = ec.generate_private_key(ec.SECP256R1())
    hostile = [
        f"{b64({'alg': 'none'})}.{body}.",
        f"{b64({'alg': 'None', 'kid': 'k1'})}.{body}.{signature}",
        f"{faked}.{b64(hmac_key.sign(faked.encode(), pem))}",
        f"{head}.{b64(issuer.claims(email='boss@example.test'))}.{signature}",
        jwt.encode(issuer.claims(), stranger, "ES256", headers={"kid": "k1"}),
        jwt.encode(issuer.claims(), stranger, "ES256", headers={"kid": "k1", "crit": ["x"]}),
        issuer.token()[:-4],
        f"{b64({'alg': 'ES256', 'kid': 7})}.{body}.{signature}",
        f"{b64({'alg': ['ES256'], 'kid': 'k1'})}.{body}.{signature}",
        f"{b64({'alg': 'RS256', 'kid': 'k1'})}.{body}.{signature}",
        f"{b64(b'[' * 5000)}.{body}.{signature}",
        f"{head}.{b64(b'7')}.{signature}",
        "x" * 20000,
        "",
        ".",
        "..",
        "a.b.c",
        "\0",
    ]
    async with signed(issuer) as world:
        assert await world.judge(good) == USER
        for token in hostile:
            assert await world.judge(token) in REFUSED, token[:200]


async def test_keys_that_are_not_taken(issuer: issuing.Issuer) -> None:
    issuer.keys["small"] = rsa.generate_private_key(65537, 1024)
    secret = b64(b"s" * 32)
    issuer.more = [
        {"kty": "oct", "kid": "shared", "k": secret},
        {"kty": "EC", "kid": "broken", "crv": "P-256", "x": "!", "y": "!"},
        {"kty": "EC", "kid": "partial", "crv": "P-256"},
        {**issuer.jwks()["keys"][0], "kid": "encryption", "use": "enc"},
        {**issuer.jwks()["keys"][0], "kid": "other", "alg": "ES384"},
        {**issuer.jwks()["keys"][0], "kid": "signer", "key_ops": ["sign"]},
        "nonsense",
    ]
    async with signed(issuer) as world:
        with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
            weak = issuer.token("small", "RS256")
        assert await world.judge(weak) in REFUSED
        for kid in ("shared", "broken", "partial", "encryption", "other", "signer"):
            token = jwt.encode(issuer.claims(), issuer.keys["k1"], "ES256", headers={"kid": kid})
            assert await world.judge(token) in REFUSED, kid


async def test_a_new_key_is_fetched_and_an_old_one_ends(issuer: issuing.Issuer) -> None:
    async with signed(issuer) as world:
        old = issuer.token()
        assert await world.judge(old) == USER
        issuer.keys = {"k2": ec.generate_private_key(ec.SECP256R1())}
        new = issuer.token("k2")
        # The keys are younger than the pause: nobody may make us fetch at will.
        assert await world.judge(new) in REFUSED
        assert issuer.asked["/keys"] == 1
        world.clock.passed = 31
        assert await world.judge(new) == USER
        assert issuer.asked["/keys"] == 2
        assert await world.judge(old) in REFUSED
        assert issuer.asked["/keys"] == 2


async def test_many_at_once_fetch_once(issuer: issuing.Issuer) -> None:
    async with signed(issuer) as world:
        found = await asyncio.gather(*(world.judge(issuer.token()) for _ in range(20)))
        assert set(found) == {USER}
        assert issuer.asked["/keys"] == 1


async def test_an_unreachable_issuer_is_no_bad_token(issuer: issuing.Issuer) -> None:
    async with signed(issuer, keys_s=60) as world:
        issuer.status = 503
        for _ in range(5):
            with pytest.raises(DirectoryGone):
                await world.judge(issuer.token())
        assert issuer.asked["/.well-known/openid-configuration"] == 1, "not asked at each login"
        assert [event for event, _ in world.log.events] == [Event.ISSUER]
        issuer.status = 200
        world.clock.passed = 6
        assert await world.judge(issuer.token()) == USER
        # Known keys go on while it is away; an unknown one may be new.
        issuer.status, world.clock.passed = 500, 100
        assert await world.judge(issuer.token()) == USER
        issuer.keys["k2"] = ec.generate_private_key(ec.SECP256R1())
        with pytest.raises(DirectoryGone):
            await world.judge(issuer.token("k2"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"7",
        b"[" * 100_000,
        b'{"keys": 7}',
        b'{"issuer": "https://evil.example", "jwks_uri": "http://127.0.0.1:1/"}',
        b" " * (LIMIT_BYTES + 1),
        b"\xff",
    ],
)
async def test_nonsense_from_the_issuer_is_a_temporary_failure(
    issuer: issuing.Issuer, body: bytes
) -> None:
    issuer.body = body
    for settings in ({}, {"jwks_url": issuer.url + "/keys"}):
        async with signed(issuer, **settings) as world:
            with pytest.raises(DirectoryGone):
                await world.judge(issuer.token())


async def test_discovery_may_not_lead_to_clear_text(issuer: issuing.Issuer) -> None:
    issuer.configuration["jwks_uri"] = "http://keys.example.org/keys"
    async with signed(issuer) as world:
        with pytest.raises(DirectoryGone):
            await world.judge(issuer.token())
        assert "not https" in str(world.log.events[0][1]["reason"])


async def test_a_slow_issuer_keeps_nobody_for_long(issuer: issuing.Issuer) -> None:
    issuer.delay = threading.Event()
    async with signed(issuer, timeout_s=0.2) as world:
        with pytest.raises(DirectoryGone):
            await world.judge(issuer.token())
        issuer.delay.set()


async def test_keys_in_a_file(issuer: issuing.Issuer, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    async with signed(issuer, jwks_file=str(path)) as world:
        with pytest.raises(DirectoryGone):
            await world.judge(issuer.token())
        path.write_text(json.dumps(issuer.jwks()))
        world.clock.passed = 6
        assert await world.judge(issuer.token()) == USER
        assert not issuer.asked


@asynccontextmanager
async def introspected(
    source: issuing.Issuer, folder: Path, **settings: Any
) -> AsyncIterator[World]:
    secret = folder / "secret"
    secret.write_text("s: cret\n")
    chosen = {
        "introspection_url": source.url + "/introspect",
        "client_id": "mailnode",
        "client_secret_file": secret,
        **settings,
    }
    async with opened(**chosen) as world:
        yield world


async def test_the_issuer_is_asked_and_its_answer_kept(
    issuer: issuing.Issuer, tmp_path: Path
) -> None:
    issuer.opaque["t1"] = issuer.claims(active=True)
    async with introspected(issuer, tmp_path) as world:
        for _ in range(3):
            assert await world.judge("t1") == USER
            assert await world.judge("unknown") in REFUSED
        assert issuer.asked["/introspect"] == 2
        issuer.opaque["t1"] = {"active": False}
        world.clock.passed = 61
        # It may be made up as well as have run out.
        assert await world.judge("t1") is LoginFailure.TOKEN_INACTIVE
        issuer.opaque["t2"] = issuer.claims(active=True, exp=5)
        assert await world.judge("t2") is LoginFailure.TOKEN_OVER


async def test_an_answer_ends_with_the_token(issuer: issuing.Issuer, tmp_path: Path) -> None:
    issuer.opaque["t1"] = issuer.claims(active=True, exp=int(Clock().now()) + 10)
    async with introspected(issuer, tmp_path, leeway_s=0) as world:
        assert await world.judge("t1") == USER
        world.clock.passed = 11
        assert await world.judge("t1") in REFUSED
        assert issuer.asked["/introspect"] == 2


@pytest.mark.parametrize(
    ("claims", "settings"),
    [
        ({"active": "true"}, {}),
        ({"active": True, "exp": 5}, {}),
        ({"active": True, "exp": "never"}, {}),
        ({"active": True, "nbf": 1 << 40}, {}),
        ({"active": True, "iss": "https://evil.example"}, {"issuer": "https://good.example"}),
        ({"active": True, "aud": "shop"}, {"audience": ["mail"]}),
        ({"active": True, "aud": None}, {"audience": ["mail"]}),
        ({"active": True, "email": None}, {}),
    ],
)
async def test_answers_that_will_not_do(
    issuer: issuing.Issuer, tmp_path: Path, claims: dict[str, Any], settings: dict[str, Any]
) -> None:
    issuer.opaque["t1"] = issuer.claims(**claims)
    async with introspected(issuer, tmp_path, **settings) as world:
        assert await world.judge("t1") in REFUSED


async def test_answers_are_bounded(issuer: issuing.Issuer, tmp_path: Path) -> None:
    async with introspected(issuer, tmp_path, cache_entries=2) as world:
        for token in ("a", "b", "c", "a"):
            await world.judge(token)
        assert issuer.asked["/introspect"] == 4
        assert await world.judge("x" * 10000) in REFUSED
        assert issuer.asked["/introspect"] == 4


async def test_who_cannot_ask_says_later(issuer: issuing.Issuer, tmp_path: Path) -> None:
    async with introspected(issuer, tmp_path, client_id="somebody") as world:
        with pytest.raises(DirectoryGone):
            await world.judge("t1")
        assert "status 401" in str(world.log.events[0][1]["reason"])
    for body in (b"[]", b"x", b"[" * 100_000):
        issuer.body = body
        async with introspected(issuer, tmp_path) as world:
            with pytest.raises(DirectoryGone):
                await world.judge("t1")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"issuer": "login.example"}, "not a URL"),
        ({"issuer": "http://login.example", "audience": ["m"]}, "not https"),
        ({"issuer": "https://login.example"}, "audience must say"),
        ({"jwks_url": "https://login.example/k"}, "issuer must be set"),
        ({"issuer": "https://i.example", "audience": ["m"], "algorithms": ["HS256"]}, "Input"),
        ({"issuer": "https://i.example", "audience": ["m"], "algorithms": ["none"]}, "Input"),
        (
            {
                "issuer": "https://i.example",
                "jwks_url": "https://i.example",
                "introspection_url": "https://i.example",
            },
            "not both",
        ),
    ],
)
def test_settings_that_would_be_unsafe(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        OauthSettings.model_validate(settings)


def test_http_where_told() -> None:
    url = "http://login.example"
    chosen = OauthSettings(issuer=url, audience=["m"], allow_http=True)
    assert chosen.may_fetch(url)
    assert not OauthSettings().may_fetch(url)
    assert OauthSettings().may_fetch("http://[::1]:8080/x")
    assert not OauthSettings().may_fetch("ftp://127.0.0.1/x")


async def test_without_settings_there_is_no_issuer(tmp_path: Path) -> None:
    web = open_web(OauthSettings())
    assert open_issuer(OauthSettings(), web, clock=Clock(), log=ListLog()) is None
    missing = OauthSettings(
        introspection_url="https://i.example", client_secret_file=tmp_path / "missing"
    )
    with pytest.raises(BadSettings, match="client_secret_file"):
        open_issuer(missing, web, clock=Clock(), log=ListLog())
    web.close()


async def test_the_doctor_looks(issuer: issuing.Issuer, tmp_path: Path) -> None:
    async with signed(issuer) as world:
        assert await world.issuer.look() == "1 keys"
        issuer.status = 503
        with pytest.raises(Unreachable, match="status 503"):
            await world.issuer.look()
    issuer.status = 200
    async with introspected(issuer, tmp_path) as world:
        assert await world.issuer.look() == "answers about tokens"
    async with introspected(issuer, tmp_path, client_id="somebody") as world:
        with pytest.raises(Unreachable, match="status 401"):
            await world.issuer.look()
