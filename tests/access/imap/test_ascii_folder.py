"""A folder as clients read it that know only ASCII in headers."""

from __future__ import annotations

import io
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnode.access.imap.ascii_folder import AsciiFolder
from mailnode.access.imap.message_file import measure
from mailnode.model.errors import NoSuchMessage
from mailnode.store import AccountRef, NewMessage
from mailnode.wire.mime.structure import to_crlf
from mailnode.wire.mime.summary import summarise
from mailnode.wire.mime.surrogate import shown_message
from tests.support.fake_store import FakeFolder, FakeStore

BARE = b"Subject: \xc3\xbc\nX: y\r\nTo: a@b\n\nbody\nbody\r\n"


def folder_of(*messages: bytes) -> FakeFolder:
    store = FakeStore(summary=lambda data, kind: summarise(data)[kind])
    folder = store.account(AccountRef("u", "d/u")).open("INBOX")
    folder.append([NewMessage((one,), 0.0) for one in messages])
    return folder


@pytest.fixture(params=[BARE, to_crlf(BARE), b"Subject: \xc3\xbc", b"Subject: \xc3\xbc\n"])
def mail(request: pytest.FixtureRequest) -> bytes:
    return request.param


def test_a_file_on_the_disk_is_spliced(mail: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(mail)
    closed: list[BinaryIO] = []

    class Raw(io.BytesIO):
        def close(self) -> None:
            closed.append(self)
            super().close()

    # As it lies there, whatever its line ends.
    monkeypatch.setattr(folder, "open", lambda uid: Raw(mail))
    shown = AsciiFolder(folder, sized=True)
    file = shown.open(1)
    text = file.read()
    assert to_crlf(text) == shown_message(to_crlf(mail))
    assert measure(file) == (len(text), len(to_crlf(text)))
    assert file.seek(0, io.SEEK_END) == len(text)
    for at in range(len(text)):
        file.seek(at)
        assert file.read(7) == text[at : at + 7]
    file.close()
    assert closed
    assert shown.changed == {1}


def test_sizes_are_those_of_what_is_shown() -> None:
    mail = to_crlf(BARE)
    folder = folder_of(mail, b"Subject: x\r\n\r\n")
    shown = AsciiFolder(folder, sized=True)
    size = len(shown_message(mail))
    assert shown.sizes([1, 2, 3]) == {1: (size, 0.0), 2: (14, 0.0)}
    assert [info.size for info in shown.infos([1, 2, 3])] == [size, 14]
    assert AsciiFolder(folder, sized=False).sizes([1]) == {1: (len(mail), 0.0)}


def test_what_is_gone_is_left_out() -> None:
    folder = folder_of(BARE)
    shown = AsciiFolder(folder, sized=True)
    folder.remove([1])
    assert shown.read_some([1]) == [None]
    assert shown.summaries([1], "envelope") == {}
    with pytest.raises(NoSuchMessage):
        shown.open(1)


@given(st.binary(min_size=1, max_size=60))
def test_whatever_the_header_is(raw: bytes) -> None:
    raw = to_crlf(raw)
    folder = folder_of(raw)
    shown = AsciiFolder(folder, sized=True)
    whole = shown.read(1)
    assert whole == shown_message(raw)
    assert shown.sizes([1])[1][0] == len(whole)
    assert shown.summaries([1], "headers")[1] == summarise(whole)["headers"]
    assert all(shown.summaries([1], kind)[1].isascii() for kind in ("envelope", "bodystructure"))
