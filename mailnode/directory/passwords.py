"""Stored passwords: every form that PostfixAdmin, Dovecot or Courier wrote, and the new one.

Promises: a prefix in the row wins over its looks; work asked for by a stored hash (rounds, cost,
memory) is judged before it is begun; nothing here raises for a strange row or password. A password
outside ASCII is right in each form that looks the same: keyboards and browsers differ in theirs.
Blocking and slow on purpose: callers go through a thread pool.
RFC: 4616 2, 4013 and 8265 4.2 (forms of passwords).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from passlib.hash import (
    argon2,
    bcrypt,
    bsdi_crypt,
    des_crypt,
    md5_crypt,
    sha256_crypt,
    sha512_crypt,
)

from mailnode.directory import digests
from mailnode.directory.digests import BadHash
from mailnode.model.scram import saslprep

MAX_PASSWORD_BYTES = 512
MAX_STORED = 1024
MAX_SHA_ROUNDS = 500_000
MAX_BCRYPT_COST = 15
MAX_ARGON2_KIB = 256 * 1024
MAX_ARGON2_PASSES = 20
MAX_ARGON2_LANES = 16
_BCRYPT_BYTES = 72  # RFC-less fact of bcrypt: it looks no further, and PHP cuts there

_new = argon2.using(type="ID", memory_cost=65536, time_cost=3, parallelism=1)


class Match(Enum):
    """What a stored password says of a given one."""

    RIGHT = "right"
    WRONG = "wrong"
    REFUSED = "refused"  # scheme weak, unknown or hostile: the right password would not help


class Strength(Enum):
    """How well a scheme keeps its secret."""

    STRONG = 3
    WEAK = 2
    CLEAR = 1


@dataclass(frozen=True, slots=True)
class Rules:
    """Which schemes may be used; see ``[directory]`` in the settings."""

    allow_weak: bool = True
    allow_bare_clear: bool = False


Check = Callable[[str, bytes, str], bool]


def _clear(stored: str, secret: bytes, _user: str) -> bool:
    return hmac.compare_digest(stored.encode(), secret)


def _plain(algorithm: str) -> Check:
    return lambda stored, secret, _: digests.digest_matches(stored, secret, algorithm)


def _salted(algorithm: str) -> Check:
    return lambda stored, secret, _: digests.salted_matches(stored, secret, algorithm)


def _scram(algorithm: str) -> Check:
    return lambda stored, secret, _: digests.scram_matches(stored, secret, algorithm)


def _sha_crypt(stored: str, secret: bytes, _user: str) -> bool:
    rounds = re.match(r"\$[56]\$rounds=([0-9]{1,10})\$", stored)
    if rounds and int(rounds[1]) > MAX_SHA_ROUNDS:
        raise BadHash("too many rounds")
    handler = sha512_crypt if stored.startswith("$6$") else sha256_crypt
    return bool(handler.verify(secret, stored))


def _bcrypt(stored: str, secret: bytes, _user: str) -> bool:
    cost = re.match(r"\$2[abxy]?\$([0-9]{2})\$", stored)
    if not cost or int(cost[1]) > MAX_BCRYPT_COST:
        raise BadHash("unreasonable bcrypt cost")
    return bool(bcrypt.verify(secret[:_BCRYPT_BYTES], stored))


def _argon2(stored: str, secret: bytes, _user: str) -> bool:
    found = re.match(r"\$argon2id?\$v=[0-9]+\$m=([0-9]{1,9}),t=([0-9]{1,9}),p=([0-9]{1,9})", stored)
    if not found:
        raise BadHash("not an argon2 hash")
    memory, passes, lanes = (int(number) for number in found.groups())
    if memory > MAX_ARGON2_KIB or passes > MAX_ARGON2_PASSES or lanes > MAX_ARGON2_LANES:
        raise BadHash("unreasonable argon2 parameters")
    return bool(argon2.verify(secret, stored))


def _md5_crypt(stored: str, secret: bytes, _user: str) -> bool:
    return bool(md5_crypt.verify(secret, stored))


def _des(stored: str, secret: bytes, _user: str) -> bool:
    if stored.startswith("_"):
        return bool(bsdi_crypt.verify(secret, stored))
    return bool(des_crypt.verify(secret, stored))


_STRONG, _WEAK, _CLEAR = Strength.STRONG, Strength.WEAK, Strength.CLEAR
# How the kinds of crypt(3) are told apart, prefix or not.
_CRYPTS: tuple[tuple[re.Pattern[str], Check, Strength], ...] = (
    (re.compile(r"\$[56]\$"), _sha_crypt, _STRONG),
    (re.compile(r"\$2"), _bcrypt, _STRONG),
    (re.compile(r"\$argon2"), _argon2, _STRONG),
    (re.compile(r"\$1\$"), _md5_crypt, _WEAK),
    (re.compile(r"[./0-9A-Za-z]{13}$|_[./0-9A-Za-z]{19}$"), _des, _WEAK),
)
# {MD5} is a Courier digest or, as Dovecot takes it, an MD5 crypt; both are told by their looks.
_SCHEMES: dict[str, tuple[Check, Strength]] = {
    "SHA": (_plain("sha1"), _WEAK),
    "SHA1": (_plain("sha1"), _WEAK),
    "SHA256": (_plain("sha256"), _WEAK),
    "SHA512": (_plain("sha512"), _WEAK),
    "SSHA": (_salted("sha1"), _WEAK),
    "SSHA256": (_salted("sha256"), _WEAK),
    "SSHA512": (_salted("sha512"), _WEAK),
    "SMD5": (_salted("md5"), _WEAK),
    "PLAIN-MD5": (_plain("md5"), _WEAK),
    "LDAP-MD5": (_plain("md5"), _WEAK),
    "MD5": (_plain("md5"), _WEAK),
    "MD5RAW": (_plain("md5"), _WEAK),
    "CRAM-MD5": (lambda stored, secret, _: digests.cram_md5_matches(stored, secret), _WEAK),
    "HMAC-MD5": (lambda stored, secret, _: digests.cram_md5_matches(stored, secret), _WEAK),
    "DIGEST-MD5": (digests.digest_md5_matches, _WEAK),
    "PBKDF2": (lambda stored, secret, _: digests.pbkdf2_matches(stored, secret), _STRONG),
    "SCRAM-SHA-1": (_scram("sha1"), _STRONG),
    "SCRAM-SHA-256": (_scram("sha256"), _STRONG),
    "PLAIN": (_clear, _CLEAR),
    "CLEAR": (_clear, _CLEAR),
    "CLEARTEXT": (_clear, _CLEAR),
}
_CRYPT_NAMES = frozenset(
    {"CRYPT", "SHA512-CRYPT", "SHA256-CRYPT", "MD5-CRYPT", "BLF-CRYPT", "DES-CRYPT"}
    | {"ARGON2I", "ARGON2ID", "MD5"}
)
_PREFIX = re.compile(r"\{([A-Za-z0-9-]+)(?:\.(B64|BASE64|HEX))?\}", re.IGNORECASE)


def check(stored: str, password: str, user: str, rules: Rules) -> Match:
    """Whether ``password`` is the one that ``stored`` was made from, in any of its forms; ``user``
    in lower case. Outside ASCII a wrong one costs as many hashes as it has forms: mostly two."""
    for form in forms(password):
        match = _check_form(stored, form, user, rules)
        if match is not Match.WRONG:
            return match
    return Match.WRONG


def forms(password: str) -> list[str]:
    """What a stored hash may have been made of, at most four: as typed, as SASLprep has it (RFC
    4013), composed (RFC 8265 4.2, also what SASLprep forbids), and decomposed."""
    if password.isascii():
        return [password]
    same = [unicodedata.normalize(form, password) for form in ("NFC", "NFD")]
    return list(dict.fromkeys(filter(None, [password, saslprep(password), *same])))


def _check_form(stored: str, password: str, user: str, rules: Rules) -> Match:
    secret = password.encode("utf-8", "surrogatepass")
    if not secret or len(secret) > MAX_PASSWORD_BYTES or b"\0" in secret:
        return Match.WRONG
    try:
        test, strength, body = _understood(stored, rules)
        if strength is not Strength.STRONG and not rules.allow_weak:
            return Match.REFUSED
        return Match.RIGHT if test(body, secret, user) else Match.WRONG
    except (BadHash, ValueError, TypeError):
        # passlib reports a damaged hash as ValueError or TypeError
        return Match.REFUSED


def needs_rehash(stored: str) -> bool:
    """Whether a new hash would be better than this one."""
    return not stored.startswith("{ARGON2ID}$argon2id$") or bool(
        _new.needs_update(stored.removeprefix("{ARGON2ID}"))
    )


def rehash(stored: str, password: str, user: str, rules: Rules) -> str:
    """A new hash of what ``stored`` is a hash of; ``password`` is right. Other programs that read
    it know one form only, which goes on being right for them."""
    same = (one for one in forms(password) if _check_form(stored, one, user, rules) is Match.RIGHT)
    return hash_new(next(same, password))


def hash_new(password: str) -> str:
    """A new ``{ARGON2ID}`` hash, in the form that PostfixAdmin and Dovecot read.

    Raises ``ValueError`` for a password that ``check`` would never take.
    """
    secret = password.encode()
    if not secret or len(secret) > MAX_PASSWORD_BYTES or b"\0" in secret:
        raise ValueError(f"a password has 1 to {MAX_PASSWORD_BYTES} bytes and no NUL")
    return "{ARGON2ID}" + str(_new.hash(secret))


def _understood(stored: str, rules: Rules) -> tuple[Check, Strength, str]:
    if not stored or len(stored) > MAX_STORED:
        raise BadHash("empty or too long")
    prefix = _PREFIX.match(stored)
    if prefix:
        return _prefixed(prefix[1].upper(), (prefix[2] or "").upper(), stored[prefix.end() :])
    for looks, test, strength in _CRYPTS:
        if looks.match(stored):
            return test, strength, stored
    if re.fullmatch(r"[0-9a-fA-F]{32}", stored):
        return _SCHEMES["PLAIN-MD5"][0], _WEAK, stored
    if rules.allow_bare_clear and not stored.startswith(("$", "{")):
        return _clear, _CLEAR, stored
    raise BadHash("unknown form")


def _prefixed(name: str, encoding: str, body: str) -> tuple[Check, Strength, str]:
    if name in _CRYPT_NAMES:
        plain = _unpacked(body, encoding) if encoding else body
        for looks, test, strength in _CRYPTS:
            if looks.match(plain) and (name != "MD5" or plain.startswith("$")):
                return test, strength, plain
    if name not in _SCHEMES:
        raise BadHash("unknown scheme")
    test, strength = _SCHEMES[name]
    if encoding and strength is Strength.CLEAR:
        return test, strength, _unpacked(body, encoding)
    return test, strength, body


def _unpacked(body: str, encoding: str) -> str:
    try:
        raw = bytes.fromhex(body) if encoding == "HEX" else base64.b64decode(body, validate=True)
        return raw.decode()
    except (binascii.Error, ValueError):
        raise BadHash("badly encoded") from None
