"""Binary parts become base64 and decode to what they were."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnode.wire.mime.decode import part_bytes, walk
from mailnode.wire.mime.recode import recode_binary
from mailnode.wire.mime.structure import parse

HEAD = b"Content-Type: a/b\r\nContent-Transfer-Encoding: binary\r\n\r\n"


def leaves(message: bytes) -> list[bytes]:
    return [part_bytes(message, part) for part in walk(parse(message)) if not part.parts]


@given(st.binary(max_size=300))
def test_a_whole_message(body: bytes) -> None:
    recoded = recode_binary(HEAD + body)
    assert b"\0" not in recoded
    assert leaves(recoded) == [body]


@given(st.lists(st.binary(max_size=100), min_size=1, max_size=4))
def test_parts_of_a_multipart(bodies: list[bytes]) -> None:
    outer = (
        b"Content-Type: multipart/mixed; boundary=zzz\r\nContent-Transfer-Encoding: BINARY\r\n\r\n"
    )
    message = outer + b"".join(b"--zzz\r\n" + HEAD + b + b"\r\n" for b in bodies) + b"--zzz--\r\n"
    recoded = recode_binary(message)
    assert leaves(recoded) == leaves(message)
    assert b"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--zzz\r\n" in recoded
    assert recode_binary(recoded) is recoded


@pytest.mark.parametrize(
    "message", [b"", b"Subject: x\r\n\r\na\0b", b"Content-Transfer-Encoding: 8bit"]
)
def test_nothing_to_do(message: bytes) -> None:
    assert recode_binary(message) is message


@given(st.binary(max_size=200))
def test_never_raises(message: bytes) -> None:
    recode_binary(message)
    recode_binary(
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n\r\n" + message
    )
