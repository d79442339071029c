"""Passwords stored by other programs: frozen vectors, and fresh ones where the program is here."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from passlib.hash import argon2

from mailnode.directory.passwords import (
    MAX_PASSWORD_BYTES,
    Match,
    Rules,
    check,
    forms,
    hash_new,
    needs_rehash,
    rehash,
)

USER = "user1@example.test"
VECTORS = json.loads((Path(__file__).parent / "password_vectors.json").read_text())["vectors"]
ALL = Rules(allow_weak=True, allow_bare_clear=True)
STRICT = Rules(allow_weak=False)


def name(vector: dict[str, str]) -> str:
    return f"{vector['by']} {vector['stored'][:16]} {vector['password'][:2]}"


@pytest.mark.parametrize("vector", VECTORS, ids=name)
def test_frozen_vectors(vector: dict[str, str]) -> None:
    stored, password = vector["stored"], vector["password"]
    assert check(stored, password, USER, Rules()) is Match.RIGHT
    assert check(stored, password + "x" if len(password) < 8 else "x", USER, ALL) is Match.WRONG
    assert check(stored, password.upper(), USER, ALL) is Match.WRONG


DOVEADM = "ARGON2I ARGON2ID BLF-CRYPT SHA512-CRYPT SHA256-CRYPT MD5-CRYPT DES-CRYPT SSHA SSHA256 "
DOVEADM += "SSHA512 SMD5 PBKDF2 SCRAM-SHA-1 SCRAM-SHA-256 CRAM-MD5 DIGEST-MD5 SSHA512.HEX"


@pytest.mark.skipif(not shutil.which("doveadm"), reason="doveadm is not installed")
@pytest.mark.parametrize("scheme", DOVEADM.split())
def test_fresh_from_doveadm(scheme: str) -> None:
    command = ["doveadm", "pw", "-s", scheme, "-u", USER, "-p", "häsch 1"]
    stored = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    assert check(stored, "häsch 1", USER, ALL) is Match.RIGHT
    assert check(stored, "häsch 2", USER, ALL) is Match.WRONG


@pytest.mark.skipif(not shutil.which("doveadm"), reason="doveadm is not installed")
def test_doveadm_reads_ours() -> None:
    stored = hash_new("häsch 1")
    test = ["doveadm", "pw", "-t", stored, "-p"]
    assert "verified" in subprocess.run([*test, "häsch 1"], capture_output=True, text=True).stdout
    assert subprocess.run([*test, "wrong"], capture_output=True).returncode != 0


@pytest.mark.skipif(not shutil.which("php"), reason="php is not installed")
@pytest.mark.parametrize("salt", ["$6$rounds=1000$s", "$5$somesalt", "$1$s", "zz", "$2y$04$"])
def test_fresh_from_php(salt: str) -> None:
    salt += "abcdefghijklmnopqrstuu" if salt.startswith("$2y") else ""
    code = f"echo crypt('long enough', '{salt}');"
    stored = subprocess.run(["php", "-r", code], check=True, capture_output=True, text=True).stdout
    assert check(stored, "long enough", USER, ALL) is Match.RIGHT
    assert check(stored, "Long enough", USER, ALL) is Match.WRONG


@pytest.mark.skipif(not shutil.which("php"), reason="php is not installed")
def test_php_reads_ours() -> None:
    stored = hash_new("new one").removeprefix("{ARGON2ID}")
    code = f"exit(password_verify('new one', '{stored}') ? 0 : 1);"
    assert subprocess.run(["php", "-r", code]).returncode == 0


@pytest.mark.skipif(not shutil.which("php"), reason="php is not installed")
def test_bcrypt_looks_at_72_bytes() -> None:
    code = "echo password_hash(str_repeat('x', 100), PASSWORD_BCRYPT, ['cost' => 4]);"
    stored = subprocess.run(["php", "-r", code], check=True, capture_output=True, text=True).stdout
    assert check(stored, "x" * 100, USER, ALL) is Match.RIGHT
    assert check(stored, "x" * 71, USER, ALL) is Match.WRONG


@pytest.mark.parametrize(
    "stored",
    [
        "$6$rounds=999999999$saltsalt$" + "a" * 86,
        "$5$rounds=9999999$saltsalt$" + "a" * 43,
        "$2y$31$" + "a" * 53,
        "{ARGON2ID}$argon2id$v=19$m=4194304,t=3,p=1$c2FsdHNhbHQ$" + "a" * 43,
        "$argon2id$v=19$m=1024,t=99999999,p=1$c2FsdHNhbHQ$" + "a" * 43,
        "$argon2i$v=19$m=1024,t=1,p=999$c2FsdHNhbHQ$" + "a" * 43,
        "{PBKDF2}$1$salt$999999999$" + "a" * 40,
        "{SCRAM-SHA-256}999999999,c2FsdA==," + "A" * 43 + "=," + "A" * 43 + "=",
        "{SCRAM-SHA-1}0,c2FsdA==,,",
        "{UNHEARD-OF}x",
        "{SHA}",
        "{SHA}not base64!",
        "{SSHA}" + "A" * 24,
        "{CRAM-MD5}abcd",
        "{BLF-CRYPT}",
        "{SHA512-CRYPT.B64}*",
        "$9$x",
        "$6$",
        "{",
        "",
        "x" * 2000,
        "!",
        "*",
        "{PLAIN.HEX}zz",
    ],
)
def test_hostile_and_damaged_rows_cost_nothing(stored: str) -> None:
    begun = time.perf_counter()
    assert check(stored, "x", USER, Rules()) is Match.REFUSED
    assert time.perf_counter() - begun < 0.2


@pytest.mark.parametrize("password", ["", "a\0b", "x" * (MAX_PASSWORD_BYTES + 1), "\ud800"])
def test_strange_passwords_are_wrong(password: str) -> None:
    assert check("{PLAIN}" + "x" * (MAX_PASSWORD_BYTES + 1), password, USER, ALL) is Match.WRONG
    assert check("$1$saltsalt$9xy1btjgzLYfb7hivXtC//", password, USER, ALL) is Match.WRONG


def test_bare_clear_only_by_option() -> None:
    assert check("letmein", "letmein", USER, ALL) is Match.RIGHT
    assert check("letmein", "letmein", USER, Rules()) is Match.REFUSED
    assert check("{PLAIN}letmein", "letmein", USER, Rules()) is Match.RIGHT


@pytest.mark.parametrize("vector", VECTORS, ids=name)
def test_weak_schemes_can_be_switched_off(vector: dict[str, str]) -> None:
    strong = ("$5", "$6", "$2", "$argon2", "{SHA256-CRYPT", "{SHA512-CRYPT", "{BLF", "{ARGON2")
    strong += ("{PBKDF2", "{SCRAM", "{CRYPT}$2")
    expected = Match.RIGHT if vector["stored"].startswith(strong) else Match.REFUSED
    assert check(vector["stored"], vector["password"], USER, STRICT) is expected


COMPOSED, DECOMPOSED = "h\u00e4sch 1", "ha\u0308sch 1"


@pytest.mark.parametrize("stored", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize("typed", [COMPOSED, DECOMPOSED])
def test_what_looks_the_same_is_the_same(stored: str, typed: str) -> None:
    """RFC 4616 2, 8265 4.2: keyboards, browsers and file names spell one letter in two ways."""
    for kept in ("{PLAIN}" + stored, "{PLAIN.HEX}" + stored.encode().hex()):
        assert check(kept, typed, USER, ALL) is Match.RIGHT
        assert check(kept, typed + "\u0308", USER, ALL) is Match.WRONG
        assert check(kept, "hasch 1", USER, ALL) is Match.WRONG
        # What other programs know it by goes on being right for them.
        renewed = rehash(kept, typed, USER, ALL)
        assert check(renewed, stored, USER, ALL) is Match.RIGHT
        assert _verified(renewed, stored)
        assert not _verified(renewed, COMPOSED if stored == DECOMPOSED else DECOMPOSED)


def _verified(stored: str, password: str) -> bool:
    """By these very octets."""
    found: bool = argon2.verify(password, stored.removeprefix("{ARGON2ID}"))
    return found


def test_forms_of_a_password() -> None:
    assert forms("plain \x7f") == ["plain \x7f"]
    assert forms(COMPOSED) == [COMPOSED, DECOMPOSED]
    assert forms(DECOMPOSED) == [DECOMPOSED, COMPOSED]
    # RFC 4013 2.1, 2.2: other blanks are a blank, what is not seen is nothing, wide is as narrow.
    assert forms("a\u00a0b") == ["a\u00a0b", "a b"]
    assert forms("a\u00adb") == ["a\u00adb", "ab"]
    assert "AB" in forms("\uff21\uff22")
    # What SASLprep forbids (a right-to-left letter before a digit), or would leave nothing of.
    assert forms("\u05d0e\u03011") == ["\u05d0e\u03011", "\u05d0\u00e91"]
    assert forms("\u00ad") == ["\u00ad"]
    # Letters that are younger than SASLprep's Unicode.
    assert forms("\U0001f600") == ["\U0001f600"]
    assert len(forms("\uff21\u00e4\u1e9b\u0323")) <= 4


def test_new_hashes() -> None:
    stored = hash_new("x")
    assert len(stored) < 255
    assert not needs_rehash(stored)
    assert check(stored, "x", USER, STRICT) is Match.RIGHT
    assert needs_rehash("{ARGON2ID}$argon2id$v=19$m=1024,t=2,p=1$c2FsdHNhbHQ$" + "a" * 43)
    assert needs_rehash("$6$saltsalt$x")
    for wrong in ("", "a\0", "x" * 600):
        with pytest.raises(ValueError, match="password"):
            hash_new(wrong)


PIECES = [
    "{",
    "}",
    "$",
    "$6$",
    "$2y$",
    "{SHA}",
    "{SSHA512.HEX}",
    "{MD5}",
    "m=1",
    ",",
    "=",
    "ä",
    "a",
]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=9)).map("".join), st.text(max_size=20))
def test_nothing_raises(stored: str, password: str) -> None:
    assert check(stored, password, USER, Rules()) in Match
