"""Line ends told apart exactly as counting would."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailnode.wire.mime import line_ends
from mailnode.wire.mime.line_ends import all_crlf

ODD = st.text(alphabet="a\r\n\x85\x0b\x0c\x1c\xff\0", max_size=12)


@given(ODD.map(lambda text: text.encode("latin-1")))
def test_as_counting(raw: bytes) -> None:
    expected = raw.count(b"\n") == raw.count(b"\r\n")
    assert all_crlf(raw) is expected
    assert all_crlf(b"x" * 100 + raw + b"\r\n" * 50) is expected


def test_large_texts_are_not_copied() -> None:
    large = b"0123456789abcd\r\n" * (line_ends._MAX_COPY_BYTES // 16 + 1)
    assert all_crlf(large)
    assert not all_crlf(large + b"\n")
