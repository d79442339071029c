"""FETCH items over a folder in memory; every response is read back with its literals."""

from __future__ import annotations

import asyncio
import io
import re

import pytest

from mailnode.access.imap import message_file
from mailnode.access.imap.fetch import (
    MAX_FILES,
    MAX_ROWS,
    PARSED_ROWS,
    SLICE_ROWS,
    Fetcher,
    Rendered,
)
from mailnode.access.imap.fetch_content import STREAM_BYTES
from mailnode.access.imap.message_file import FilePart, MessageCache, measure
from mailnode.model.errors import NoSuchMessage, StorageFull, StorageGone
from mailnode.model.flags import Flag
from mailnode.runtime.tasks import Pool, is_brisk
from mailnode.wire.imap.fetch_items import Binary, Fact, Preview, Section, SectionKind
from mailnode.wire.mime.structure import to_crlf
from tests.access.imap.mailroom import CountingFolder, cache, make_folder, put

MESSAGE = b"Subject: hi\r\nFrom: a@b\r\n\r\nline one\r\nline two\r\n"
LARGE = b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 40_000 + b"\r\n"
LARGE_LF = b"Subject: large\n\n" + b"0123456789abcde\n" * 40_000
PLAIN = dict.fromkeys(("condstore", "read_only"), False)


def fetcher(folder: CountingFolder, *items, **options) -> Fetcher:
    chosen = {**PLAIN, "recent": (), "cache": cache(), **options}
    return Fetcher(folder, items, **chosen)


def rows(folder: CountingFolder) -> range:
    return range(len(folder.picture().uids))


def sent(rendered: Rendered) -> bytes:
    """The whole answer, checked: every literal has the size it says."""
    out = b""
    for piece in rendered.pieces:
        if isinstance(piece, FilePart):
            assert out.endswith(b"{%d}\r\n" % piece.size)
            body = b"".join(piece.pieces())
            assert len(body) == piece.size
            out += body
            piece.close()
        else:
            out += piece
    return out


def split(answer: bytes) -> list[bytes]:
    """Responses, with literals followed; the way a client finds its way."""
    found, pos, start = [], 0, 0
    while pos < len(answer):
        end = answer.index(b"\r\n", pos)
        literal = re.search(rb"\{(\d+)\}$", answer[pos:end])
        pos = end + 2
        if literal:
            pos += int(literal[1])
        else:
            found.append(answer[start:pos])
            start = pos
    assert pos == len(answer)
    return found


def answer(folder: CountingFolder, *items, **options) -> list[bytes]:
    return split(sent(fetcher(folder, *items, **options).render(rows(folder), folder.picture())))


def peek(**more) -> Section:
    return Section(peek=True, **more)


@pytest.fixture
def folder() -> CountingFolder:
    found = make_folder()
    put(found, MESSAGE, Flag.SEEN, ["$Work"])
    return found


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (Fact.FLAGS, b"FLAGS (\\Seen $Work)"),
        (Fact.UID, b"UID 1"),
        (Fact.MODSEQ, b"MODSEQ (2)"),
        (Fact.SIZE, b"RFC822.SIZE 46"),
        (Fact.INTERNALDATE, b'INTERNALDATE "14-Nov-2023 22:13:20 +0000"'),
        (Fact.SAVEDATE, b'SAVEDATE "14-Nov-2023 22:13:20 +0000"'),
        (Fact.EMAILID, b"EMAILID (E1)"),
        (Fact.THREADID, b"THREADID NIL"),
        (Fact.BODY, b'BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 20 2)'),
        (Preview(), b'PREVIEW "line one line two"'),
        (peek(), b"BODY[] {46}\r\n" + MESSAGE),
        (peek(partial=(9, 4)), b"BODY[]<9> {4}\r\nhi\r\n"),
        (peek(partial=(99, 4)), b"BODY[]<99> {0}\r\n"),
        (peek(kind=SectionKind.TEXT), b"BODY[TEXT] {20}\r\nline one\r\nline two\r\n"),
        (peek(part=(1,), partial=(5, 3)), b"BODY[1]<5> {3}\r\none"),
        (peek(part=(2,)), b"BODY[2] NIL"),
        (peek(part=(1,), kind=SectionKind.MIME), b"BODY[1.MIME] {26}\r\n" + MESSAGE[:26]),
        (peek(kind=SectionKind.HEADER), b"BODY[HEADER] {26}\r\n" + MESSAGE[:26]),
        (
            peek(kind=SectionKind.FIELDS, fields=(b"From", b"a b")),
            b'BODY[HEADER.FIELDS (From "a b")] {13}\r\nFrom: a@b\r\n\r\n',
        ),
        (
            peek(kind=SectionKind.FIELDS_NOT, fields=(b"from",), partial=(0, 5)),
            b"BODY[HEADER.FIELDS.NOT (from)]<0> {5}\r\nSubje",
        ),
        (Section(legacy="RFC822"), b"RFC822 {46}\r\n" + MESSAGE),
        (
            Section(kind=SectionKind.TEXT, legacy="RFC822.TEXT"),
            b"RFC822.TEXT {20}\r\nline one\r\nline two\r\n",
        ),
        (
            Section(kind=SectionKind.HEADER, legacy="RFC822.HEADER"),
            b"RFC822.HEADER {26}\r\n" + MESSAGE[:26],
        ),
        (Binary(part=(1,), peek=True), b"BINARY[1] {20}\r\nline one\r\nline two\r\n"),
        (Binary(part=(1,), size_only=True), b"BINARY.SIZE[1] 20"),
        (Binary(part=(3,), peek=True), b"BINARY[3] NIL"),
    ],
)
def test_items(folder, item, expected):
    assert answer(folder, item) == [b"* 1 FETCH (" + expected + b")\r\n"]


def test_several_items_share_one_read(folder):
    (found,) = answer(folder, Fact.UID, peek(part=(1,)), Fact.SIZE, peek(kind=SectionKind.TEXT))
    assert found.startswith(b"* 1 FETCH (UID 1 BODY[1] {20}\r\n")
    assert b"\r\n RFC822.SIZE 46 BODY[TEXT] {20}\r\n" in found
    assert folder.reads == 1


@pytest.mark.parametrize(
    "item",
    [
        Fact.ENVELOPE,
        Fact.BODYSTRUCTURE,
        Fact.SIZE,
        peek(kind=SectionKind.HEADER),
        peek(kind=SectionKind.FIELDS, fields=(b"x",)),
    ],
)
def test_files_stay_shut_where_the_view_knows(folder, item):
    answer(folder, item)
    assert folder.reads == 0


def test_flags_come_from_the_picture_alone(folder):
    picture, batch = folder.picture(), rows(folder)
    folder.remove([1])
    rendered = fetcher(folder, Fact.UID, Fact.FLAGS, Fact.MODSEQ).render(batch, picture)
    assert sent(rendered) == b"* 1 FETCH (UID 1 FLAGS (\\Seen $Work) MODSEQ (2))\r\n"
    assert folder.asked == 0


def test_recent(folder):
    found = answer(folder, Fact.FLAGS, recent=[range(1, 2)])
    assert b"\\Recent" in found[0]


# ------------------------------------------------------------------ \Seen


def test_reading_marks_as_seen_and_says_so():
    folder = make_folder()
    for flags in (Flag(0), Flag.SEEN, Flag.FLAGGED):
        put(folder, MESSAGE, flags)
    rendered = fetcher(folder, Section(), condstore=True).render(rows(folder), folder.picture())
    found = split(sent(rendered))
    assert [b"FLAGS" in line for line in found] == [True, False, True]
    assert found[2].startswith(b"* 3 FETCH (UID 3 FLAGS (\\Flagged \\Seen) MODSEQ (5) BODY[] {46}")
    assert (rendered.seen, rendered.modseq) == ([1, 3], 5)
    assert all(info.flags & Flag.SEEN for info in folder.infos([1, 2, 3]))


@pytest.mark.parametrize(
    ("item", "options"),
    [
        (peek(), {}),
        (Section(), {"read_only": True}),
        (Section(kind=SectionKind.HEADER, legacy="RFC822.HEADER"), {}),
        (Binary(size_only=True), {}),
        (Fact.ENVELOPE, {}),
    ],
)
def test_what_does_not_mark_as_seen(item, options):
    folder = make_folder()
    put(folder, MESSAGE)
    assert b"FLAGS" not in answer(folder, item, **options)[0]
    assert not folder.infos([1])[0].flags


def test_a_full_disk_does_not_keep_anyone_from_reading(monkeypatch):
    folder = make_folder()
    put(folder, MESSAGE)

    def full(*_: object) -> None:
        raise StorageFull

    monkeypatch.setattr(folder, "store_flags", full)
    assert answer(folder, Section()) == [b"* 1 FETCH (BODY[] {46}\r\n" + MESSAGE + b")\r\n"]


# ------------------------------------------------------------------ vanished messages


@pytest.mark.parametrize("item", [Fact.SIZE, Fact.ENVELOPE, peek(), peek(kind=SectionKind.HEADER)])
def test_vanished_messages_are_left_out_and_named(folder, item):
    put(folder, MESSAGE)
    put(folder, MESSAGE)
    picture, batch = folder.picture(), rows(folder)
    folder.remove([2])
    rendered = fetcher(folder, item).render(batch, picture)
    assert [line[:9] for line in split(sent(rendered))] == [b"* 1 FETCH", b"* 3 FETCH"]
    assert (rendered.done, rendered.gone) == (3, [2])


def test_vanished_between_facts_and_file(folder, monkeypatch):
    def gone(uid: int) -> bytes:
        raise NoSuchMessage(str(uid))

    monkeypatch.setattr(folder, "read", gone)
    rendered = fetcher(folder, Section(), Fact.SIZE).render(rows(folder), folder.picture())
    assert (rendered.pieces, rendered.gone, rendered.seen) == ([], [1], [])


# ------------------------------------------------------------------ bounds and large messages


def test_a_call_holds_no_more_than_its_bound():
    folder = make_folder()
    for _ in range(40):
        put(folder, b"Subject: x\r\n\r\n" + b"x" * 10_000)
    reader = fetcher(folder, peek(), max_bytes=50_000)
    batch, found = rows(folder), []
    while batch:
        rendered = reader.render(batch, folder.picture())
        assert 0 < rendered.done <= 5
        found += split(sent(rendered))
        batch = batch[rendered.done :]
    assert [int(line.split()[1]) for line in found] == list(range(1, 41))


def test_only_what_was_sent_is_marked_as_seen():
    folder = make_folder()
    for _ in range(10):
        put(folder, b"\r\n" + b"x" * 10_000)
    rendered = fetcher(folder, Section(), max_bytes=25_000).render(rows(folder), folder.picture())
    assert rendered.seen == [1, 2, 3]
    assert rendered.done == 3


def test_more_rows_than_a_slice():
    folder = make_folder()
    for _ in range(SLICE_ROWS * 2 + 3):
        put(folder, MESSAGE)
    assert len(answer(folder, Fact.SIZE)) == SLICE_ROWS * 2 + 3


@pytest.mark.parametrize("stored", [LARGE, LARGE_LF])
@pytest.mark.parametrize("partial", [None, (0, 100), (70_000, 200_000), (10, 10**9), (10**9, 5)])
def test_large_messages_come_from_disk_in_pieces(stored, partial):
    folder = make_folder()
    put(folder, stored)
    rendered = fetcher(folder, peek(partial=partial)).render(rows(folder), folder.picture())
    assert any(isinstance(piece, FilePart) for piece in rendered.pieces)
    shown = to_crlf(stored)
    assert len(stored) > STREAM_BYTES
    start, count = partial or (0, len(shown))
    wanted = shown[start : start + count]
    origin = b"" if partial is None else b"<%d>" % start
    expected = b"* 1 FETCH (BODY[]%b {%d}\r\n%b)\r\n" % (origin, len(wanted), wanted)
    assert sent(rendered) == expected
    assert folder.reads == 0


def test_lf_messages_are_sent_as_crlf(folder):
    put(folder, MESSAGE.replace(b"\r\n", b"\n"))
    found = answer(folder, peek())
    assert found[1] == b"* 2 FETCH (BODY[] {46}\r\n" + MESSAGE + b")\r\n"


def test_open_files_are_bounded_and_given_back():
    folder = make_folder()
    for _ in range(MAX_FILES + 3):
        put(folder, LARGE)
    rendered = fetcher(folder, peek()).render(rows(folder), folder.picture())
    assert rendered.done == MAX_FILES
    files = [piece for piece in rendered.pieces if isinstance(piece, FilePart)]
    rendered.close()
    assert len(files) == MAX_FILES
    for file in files:
        with pytest.raises(ValueError):
            next(file.pieces())


def test_files_are_given_back_when_something_fails(monkeypatch):
    folder = make_folder()
    put(folder, LARGE)
    put(folder, LARGE)
    opened: list[io.BytesIO] = []

    def first_only(uid: int) -> io.BytesIO:
        if opened:
            raise StorageGone
        opened.append(io.BytesIO(LARGE))
        return opened[0]

    monkeypatch.setattr(folder, "open", first_only)
    with pytest.raises(StorageGone):
        fetcher(folder, peek()).render(rows(folder), folder.picture())
    assert opened[0].closed


def test_a_file_that_shrinks_is_an_error_not_a_short_literal():
    file = io.BytesIO(LARGE)
    part = FilePart(file, 0, len(LARGE), plain=True)
    file.truncate(100_000)
    with pytest.raises(StorageGone):
        b"".join(part.pieces())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"a\r\n" * 50_000,
        b"a\n" * 50_000,
        b"x" * 65535 + b"\r\n\n",
        b"x" * 65536 + b"\n",
    ],
)
def test_measure(data):
    assert measure(io.BytesIO(data)) == (len(data), len(to_crlf(data)))
    part = FilePart(io.BytesIO(data), 0, len(to_crlf(data)), plain=False)
    assert b"".join(part.pieces()) == to_crlf(data)


# ------------------------------------------------------------------ cache, BINARY


def test_partial_fetches_of_a_large_part_parse_it_once():
    folder = make_folder()
    put(folder, LARGE)
    held = cache()
    for start in range(0, 50_000, 10_000):
        answer(folder, peek(part=(1,), partial=(start, 10_000)), cache=held)
    assert folder.reads == 1


def test_partial_fetches_of_a_whole_large_message_measure_it_once(monkeypatch):
    folder = make_folder()
    put(folder, LARGE)
    held, calls = cache(), []
    monkeypatch.setattr(message_file, "measure", lambda file: calls.append(1) or measure(file))
    for start in range(0, 50_000, 10_000):
        answer(folder, peek(partial=(start, 10_000)), cache=held)
    assert len(calls) == 1


def test_the_cache_is_bounded():
    folder = make_folder()
    for _ in range(8):
        put(folder, LARGE)
    held = MessageCache(limit_bytes=2 * len(LARGE) + 10_000, worth_bytes=1000)
    for uid in (1, 2, 1, 3, 1, 2):
        held.load(folder, 1, uid)
    assert folder.reads == 4
    small = MessageCache(limit_bytes=len(LARGE), worth_bytes=1000)
    small.load(folder, 1, 1)
    small.load(folder, 1, 1)
    assert folder.reads == 6


def test_binary():
    folder = make_folder()
    head = b"Content-Type: a/b\r\nContent-Transfer-Encoding: "
    put(folder, head + b"base64\r\n\r\nAAEC\r\n")
    item = Binary(part=(1,), peek=True)
    assert answer(folder, item) == [b"* 1 FETCH (BINARY[1] ~{3}\r\n\0\1\2)\r\n"]
    put(folder, head + b"x-strange\r\n\r\nAAEC\r\n")
    rendered = fetcher(folder, item).render([0, 1], folder.picture())
    assert rendered.undecodable == [2]
    assert rendered.pieces == [b"* 1 FETCH (BINARY[1] ~{3}\r\n\0\1\2)\r\n"]


@pytest.mark.parametrize(
    "item", [Binary(part=(1,), peek=True), Binary(part=(1,), size_only=True), Preview(),
             Section((1,), SectionKind.ALL, peek=True)]
)  # fmt: skip
def test_large_messages_are_not_taken_apart_on_the_loop(item, monkeypatch: pytest.MonkeyPatch):
    folder, places = make_folder(), []
    put(folder, MESSAGE)
    put(folder, LARGE)
    parse = message_file.parse

    def where(data: bytes):
        places.append((len(data) > STREAM_BYTES, is_brisk()))
        return parse(data)

    monkeypatch.setattr(message_file, "parse", where)

    async def run() -> list[Rendered]:
        pool = Pool(1, "fetch-test")
        try:
            picture, fetch = folder.picture(), fetcher(folder, item)
            return [await pool.brisk(fetch.render, [row], picture) for row in rows(folder)]
        finally:
            pool.close()

    assert [rendered.done for rendered in asyncio.run(run())] == [1, 1]
    assert places == [(False, True), (True, False)]


@pytest.mark.parametrize(("item", "most"), [(Preview(), PARSED_ROWS), (Fact.FLAGS, MAX_ROWS)])
def test_a_call_ends_before_others_wait_long(item, most):
    folder = make_folder()
    for _ in range(PARSED_ROWS + 5):
        put(folder, MESSAGE)
    rendered = fetcher(folder, item).render(rows(folder), folder.picture())
    assert rendered.done == min(most, PARSED_ROWS + 5)
    assert len(split(sent(rendered))) == rendered.done
