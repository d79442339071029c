"""mbox files: where a message ends, what its headers tell, and the standard library as referee."""

from __future__ import annotations

import io
import mailbox
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailnode.model.flags import Flag
from mailnode.store.mbox_file import MboxMessage, Quoting, postmark_date, read_mbox

POSTMARK = b"From ann@example.test Thu Jan  1 00:00:01 1970\n"


def messages(raw: bytes, quoting: Quoting = Quoting.MBOXRD) -> list[MboxMessage]:
    return list(read_mbox(io.BytesIO(raw), quoting))


def test_two_messages_without_the_line_between() -> None:
    raw = POSTMARK + b"Subject: a\n\nbody\n\n" + POSTMARK + b"Subject: b\n\nmore\n"
    one, two = messages(raw)
    assert one.raw == b"Subject: a\n\nbody\n"
    assert two.raw == b"Subject: b\n\nmore\n"
    assert one.end == raw.index(b"From", 5)
    assert two.end == len(raw)
    assert one.date == 1.0


def test_crlf_and_missing_last_line_end() -> None:
    raw = (POSTMARK + b"Subject: a\n\nbody\n\n" + POSTMARK + b"Subject: b\n\nmo").replace(
        b"\n", b"\r\n"
    )
    assert [one.raw for one in messages(raw)] == [
        b"Subject: a\r\n\r\nbody\r\n",
        b"Subject: b\r\n\r\nmo",
    ]


def test_prose_is_no_postmark() -> None:
    body = b"Hello,\n\nFrom now on we meet at 9.\nFrom here at 10:00 it is loud.\n"
    (one,) = messages(POSTMARK + b"Subject: a\n\n" + body)
    assert one.raw == b"Subject: a\n\n" + body


@pytest.mark.parametrize(
    ("quoting", "expected"),
    [
        (Quoting.MBOXRD, b"From x\n>From y\n"),
        (Quoting.MBOXO, b"From x\n>>From y\n"),
        (Quoting.NONE, b">From x\n>>From y\n"),
    ],
)
def test_unquoting(quoting: Quoting, expected: bytes) -> None:
    (one,) = messages(POSTMARK + b"Subject: a\n\n>From x\n>>From y\n", quoting)
    assert one.raw == b"Subject: a\n\n" + expected


def test_flags_come_from_headers_that_do_not_stay() -> None:
    head = (
        b"Subject: a\nStatus: RO\nX-Status: AFT\nX-Keywords: $Junk later\n $Junk\n"
        b"X-UID: 7\nContent-Length: 5\n"
    )
    (one,) = messages(POSTMARK + head + b"\nStatus: in the body\n")
    assert one.flags == Flag.SEEN | Flag.ANSWERED | Flag.FLAGGED | Flag.DRAFT
    assert one.keywords == ("$Junk", "later")
    assert one.raw == b"Subject: a\n\nStatus: in the body\n"


def test_a_message_without_body_or_headers() -> None:
    assert [one.raw for one in messages(POSTMARK + b"\n" + POSTMARK)] == [b"\n", b""]


def test_folder_data_is_no_message() -> None:
    data = b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1 2\n\ntext\n\n"
    assert [one.raw for one in messages(POSTMARK + data + POSTMARK + b"Subject: a\n\nb\n")] == [
        b"Subject: a\n\nb\n"
    ]


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        (b"From a@b Thu Jan  1 00:01:00 1970", 60.0),
        (b"From a@b  Thu Jan  1 00:01:00 1970 +0100", -3540.0),
        (b"From a b c Fri Feb 13 23:31:30 2009", 1234567890.0),
        (b"From MAILER-DAEMON Fri, 13 Feb 2009 23:31:30 +0000", 1234567890.0),
        (b"From - Fri Feb 13 23:31:30 2009", 1234567890.0),
        (b"From a@b", None),
        (b"From a@b Thu Foo 99 99:99:99 9999999", None),
        (b"From \xff\xfe", None),
    ],
)
def test_postmark_dates(line: bytes, seconds: float | None) -> None:
    assert postmark_date(line) == seconds


def test_the_date_header_stands_in() -> None:
    (one,) = messages(b"From a@b\nDate: Fri, 13 Feb 2009 23:31:30 +0000\n\nx\n")
    assert one.date == 1234567890.0


def test_no_mbox() -> None:
    assert messages(b"") == []
    assert messages(b"\n\n") == []
    with pytest.raises(ValueError, match="no mbox"):
        messages(b"Subject: a\n\nbody\n")


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_to_their_end(noise: bytes) -> None:
    found = messages(POSTMARK + noise, Quoting.NONE)
    assert not found or found[-1].end == len(POSTMARK + noise)


def test_the_standard_library_agrees(tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "box")
    for number in range(20):
        message = mailbox.mboxMessage(
            f"Subject: {number}\nFrom: a@b.test\n\nline\n\n\nFrom here\n>From there\n{number}"
        )
        message.set_from("a@b.test", (2009, 2, 13, 23, 31, 30 + number, 4, 44, 0))
        message.set_flags("RF" if number % 2 else "")
        box.add(message)
    box.flush()
    box.close()
    with (tmp_path / "box").open("rb") as opened:
        found = list(read_mbox(opened, Quoting.MBOXO))
    assert [one.date for one in found] == [1234567890.0 + n for n in range(20)]
    assert [one.flags for one in found] == [
        Flag.SEEN | Flag.FLAGGED if n % 2 else Flag(0) for n in range(20)
    ]
    again = mailbox.mbox(tmp_path / "box")
    for number, key in enumerate(again.keys()):
        text = again.get_message(key).get_payload()
        assert isinstance(text, str)
        body = found[number].raw.partition(b"\n\n")[2].decode()
        # It quotes when it writes and does not unquote when it reads.
        assert body.rstrip("\n") == text.replace("\n>From", "\nFrom").rstrip("\n")
    again.close()
