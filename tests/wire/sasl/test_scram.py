"""SCRAM's server side, by the examples of its RFCs and by random input."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnode.model.scram import ScramKeys, derive_keys, parse_keys, saslprep
from mailnode.wire.sasl import Challenge, KeysWanted, Proof, SaslFailure, SaslFault
from mailnode.wire.sasl.scram import Scram
from tests.support.scram_client import ScramClient


def test_rfc7677_example() -> None:
    scram = Scram("SCRAM-SHA-256", lambda: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
    assert scram.step(None) == Challenge(b"")
    wanted = scram.step(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
    assert wanted == KeysWanted("user", "SCRAM-SHA-256")
    keys = derive_keys("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096, "sha256")
    nonce = b"rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    assert scram.keys(keys) == Challenge(b"r=" + nonce + b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
    proof = b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    last = scram.step(b"c=biws,r=" + nonce + b",p=" + proof)
    assert last == Challenge(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    assert scram.step(b"") == Proof("user", "", "SCRAM-SHA-256", True)


def test_names() -> None:
    assert Scram("SCRAM-SHA-1").step(b"n,,n=a=2Cb=3Dc,r=x") == KeysWanted("a,b=c", "SCRAM-SHA-1")
    assert saslprep("I\u00adX") == "IX"
    assert saslprep("\u2168") == "IX"
    assert saslprep("\u0007") is None
    assert saslprep("\u0627\u0031") is None


def test_text_form() -> None:
    keys = derive_keys("x", b"salt", 5, "sha1")
    assert parse_keys(keys.text(), "sha1") == keys
    for wrong in ("", "1,2,3,4", keys.text()[1:], keys.text() + ",", "9" * 9 + keys.text()):
        assert parse_keys(wrong, "sha1") is None
    assert parse_keys(keys.text(), "sha256") is None
    assert "salt" not in repr(ScramKeys(1, b"x", b"secret1", b"secret2")).replace("salt=", "")


@given(st.lists(st.binary(max_size=60) | st.just(b"n,,n=u,r=x"), max_size=4))
def test_never_raises(lines: list[bytes]) -> None:
    scram = Scram("SCRAM-SHA-256")
    for line in lines:
        step = scram.step(line)
        if isinstance(step, KeysWanted):
            step = scram.keys(ScramKeys(4096, b"salt", b"k" * 32, b"s" * 32))
        if isinstance(step, (SaslFailure, Proof)):
            break


def bound(name: str) -> bytes | None:
    return b"channel" if name == "tls-exporter" else None


def final(scram: Scram, gs2: bytes, data: bytes) -> object:
    """The end of an exchange by a client that knows the password ``pw``."""
    client = ScramClient("u", "pw", scram.name, gs2.decode(), data)
    scram.step(client.first())
    keys = derive_keys("pw", b"salt", 5, client.algorithm)
    first = scram.keys(keys)
    assert isinstance(first, Challenge)
    return scram.step(client.final(first.data))


@pytest.mark.parametrize("name", ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"])
def test_s6_the_binding_is_part_of_the_proof(name: str) -> None:
    right = final(Scram(name, binding=bound), b"p=tls-exporter,,", b"channel")
    assert isinstance(right, Challenge)
    wrong = final(Scram(name, binding=bound), b"p=tls-exporter,,", b"another")
    assert wrong == Proof("u", "", name, False)


def test_s6_flags() -> None:
    """Who says "y" where a binding was offered was deceived; "n" just cannot do it."""
    name = "SCRAM-SHA-256"
    assert final(Scram(name, binding=bound), b"y,,", b"") == Proof("u", "", name, False)
    assert isinstance(final(Scram(name, binding=bound), b"n,,", b""), Challenge)
    assert isinstance(final(Scram(name), b"y,,", b""), Challenge)
    plus = Scram(name + "-PLUS", binding=bound)
    assert plus.step(b"p=tls-unique,,n=u,r=x") == SaslFailure(SaslFault.BINDING)
    assert plus.step(b"n,,n=u,r=x") == SaslFailure(SaslFault.MALFORMED)
    assert Scram(name, binding=bound).step(b"p=tls-exporter,,n=u,r=x") == SaslFailure(
        SaslFault.MALFORMED
    )
    assert Scram(name + "-PLUS").step(b"p=tls-exporter,,n=u,r=x") == SaslFailure(SaslFault.BINDING)
