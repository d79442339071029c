"""Parts by their offsets, for good, bad and hostile messages."""

from __future__ import annotations

import email
import email.message
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailnode.wire.mime import structure
from mailnode.wire.mime.structure import Part, _Parser, crlf_size, parse, to_crlf


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode("utf-8", "surrogateescape")


def body(message: bytes, part: Part) -> bytes:
    return message[part.body_start : part.end]


def shape(part: Part) -> object:
    name = f"{part.content.main.decode()}/{part.content.sub.decode()}"
    return [name, *map(shape, part.parts)] if part.parts else name


def every(part: Part) -> Iterator[Part]:
    yield part
    for child in part.parts:
        yield from every(child)


NESTED = crlf("""\
Subject: outer
Content-Type: multipart/mixed; boundary=outer

preamble
--outer
Content-Type: multipart/alternative; boundary="outer-inner"

--outer-inner

plain
--outer-inner
Content-Type: text/html

<p>html</p>

--outer-inner--
inner epilogue
--outer
Content-Type: message/rfc822

Subject: embedded
Content-Type: multipart/digest; boundary=d

--d

Subject: one

first
--d

Subject: two

second
--d--
--outer  \t
Content-Type: application/pdf
Content-Transfer-Encoding: base64

AAAA
--outer--
epilogue
""")


def test_nested_parts():
    root = parse(NESTED)
    message = ["message/rfc822", "text/plain"]
    assert shape(root) == [
        "multipart/mixed",
        ["multipart/alternative", "text/plain", "text/html"],
        ["message/rfc822", ["multipart/digest", message, message]],
        "application/pdf",
    ]
    alternative, embedded, pdf = root.parts
    assert body(NESTED, alternative.parts[0]) == b"plain"
    assert body(NESTED, alternative.parts[1]) == b"<p>html</p>\r\n"
    assert body(NESTED, alternative).endswith(b"inner epilogue")
    digest = embedded.parts[0]
    assert body(NESTED, digest.parts[1].parts[0]) == b"second"
    assert body(NESTED, embedded).endswith(b"--d--")
    assert body(NESTED, pdf) == b"AAAA"
    assert body(NESTED, root).endswith(b"epilogue\r\n")


@pytest.mark.parametrize(
    ("text", "header", "rest"),
    [
        ("", b"", b""),
        ("\n", b"\r\n", b""),
        ("\nbody\n", b"\r\n", b"body\r\n"),
        ("Subject: a", b"Subject: a", b""),
        ("Subject: a\n", b"Subject: a\r\n", b""),
        ("Subject: a\n\n", b"Subject: a\r\n\r\n", b""),
        ("Subject: a\n folded\n\nx\n\ny", b"Subject: a\r\n folded\r\n\r\n", b"x\r\n\r\ny"),
        ("no header at all\nreally\n", b"no header at all\r\nreally\r\n", b""),
    ],
)
def test_where_the_header_ends(text, header, rest):
    message = crlf(text)
    root = parse(message)
    assert (message[: root.body_start], body(message, root)) == (header, rest)


def test_bare_lf_is_understood_too():
    root = parse(NESTED.replace(b"\r\n", b"\n"))
    assert shape(root) == shape(parse(NESTED))


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"", b""),
        (b"\n", b"\r\n"),
        (b"a\nb\r\nc", b"a\r\nb\r\nc"),
        (b"a\r\r\nb\rc\n\n", b"a\r\r\nb\rc\r\n\r\n"),
    ],
)
def test_crlf_form(raw, shown):
    assert to_crlf(raw) == shown
    assert crlf_size(raw) == len(shown)
    assert to_crlf(memoryview(raw)) == shown


def test_crlf_form_copies_nothing_when_nothing_changes():
    assert to_crlf(NESTED) is NESTED


def multipart(lines: str, boundary: str = "b", kind: str = "mixed") -> bytes:
    return crlf(f"Content-Type: multipart/{kind}; boundary={boundary}\n\n{lines}")


@pytest.mark.parametrize(
    ("message", "bodies"),
    [
        (multipart("--b\n\none\n--b\n\ntwo\n"), [b"one", b"two\r\n"]),  # unterminated
        (multipart("--b\n\none\n--b--"), [b"one"]),
        (multipart("--b\n\none\n--bb\n--b--\n"), [b"one\r\n--bb"]),
        (multipart("--b\n--b\n--b--\n"), [b"", b""]),  # no header, no blank line
        (multipart("--b\n\n--b--\n"), [b""]),
        (multipart("--b\n\n\n--b--\n"), [b""]),
        (multipart("--b\n\n\n\n--b--\n"), [b"\r\n"]),
        (multipart("--b\nX-A: 1\n--b--\n"), [b""]),
        (multipart("--b--\n"), [b""]),  # empty: one empty part stands in
        (multipart("nothing\n"), [b""]),
        (multipart("--b\n\none\n--b--\n--b\n\nlate\n"), [b"one"]),
        (multipart("--b \t\n\none\n--b-- \n"), [b"one"]),
        (multipart("--b\n\none\n --b\n-b\n--b-\n--b--x\n--b--\n"), None),
        (multipart("--a b\n\none\n--a b--\n", '"a b  "'), [b"one"]),
        (multipart("--b--\n\none\n--b----\n", '"b--"'), [b"one"]),
        (multipart("--" + "x" * 998 + "\n\none\n", "x" * 998), [b"one\r\n"]),
    ],
)
def test_boundaries(message, bodies):
    root = parse(message)
    found = [body(message, part) for part in root.parts]
    assert found == (bodies if bodies is not None else [b"one\r\n --b\r\n-b\r\n--b-\r\n--b--x"])


def test_inner_part_with_the_outer_boundary():
    message = multipart(
        "--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n--b\n\ny"
    )
    root = parse(message)
    assert shape(root) == ["multipart/mixed", ["multipart/mixed", "text/plain"], "text/plain"]


def test_outer_boundary_ends_unterminated_inner_parts():
    inner = "--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--b\n\ny\n--b--\n"
    message = multipart(inner)
    root = parse(message)
    assert shape(root) == ["multipart/mixed", ["multipart/mixed", "text/plain"], "text/plain"]
    assert body(message, root.parts[0].parts[0]) == b"x"


@pytest.mark.parametrize("value", ["multipart/mixed", 'multipart/mixed; boundary=""', "garbage"])
def test_no_boundary_is_plain_text(value):
    assert shape(parse(crlf(f"Content-Type: {value}\n\n--\n\nx\n----\n"))) == "text/plain"


def test_unknown_message_types_are_leaves():
    assert shape(parse(b"Content-Type: message/delivery-status\r\n\r\nA: b")) == (
        "message/delivery-status"
    )


def test_depth_is_bounded():
    message = b"Content-Type: message/rfc822\r\n\r\n" * 5000 + b"Subject: x\r\n\r\n"
    parts = list(every(parse(message)))
    assert len(parts) == structure.MAX_DEPTH
    assert shape(parts[-1]) == "application/octet-stream"
    assert parts[-1].end == len(message)


def test_multipart_depth_is_bounded():
    levels = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(300)
    )
    assert len(list(every(parse(levels)))) == structure.MAX_DEPTH


def test_part_count_is_bounded():
    message = multipart("--b\n\n" * (structure.MAX_PARTS + 500) + "x\n--b--\n")
    root = parse(message)
    assert len(list(every(root))) == structure.MAX_PARTS
    assert body(message, root.parts[-1]).endswith(b"x\r\n--b--\r\n")


def test_header_is_bounded(monkeypatch):
    monkeypatch.setattr(structure, "MAX_HEADER", 1000)
    message = b"Subject: a\r\n" * 200 + b"\r\nbody"
    root = parse(message)
    assert 900 < root.body_start <= 1000
    assert message[: root.body_start].endswith(b"\r\n")
    assert root.end == len(message)


def test_lines_are_those_of_the_body():
    root = parse(NESTED)
    for part in every(root):
        assert part.body_lines == body(NESTED, part).count(b"\n")


def test_nul_and_eight_bit_headers():
    root = parse(b"Sub\0ject: \xff\0\r\nContent-Type: text/\xe4\0\r\n\r\n\0body")
    assert root.octets == 5


@pytest.mark.parametrize(
    "unit",
    [
        b"--x\r\n",
        b"--b\r\n",
        b"--b\r\nA: b\r\n",
        b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n",
        b"--b\r\nContent-Type: message/rfc822\r\n\r\n",
        b"\r\n--",
        b"--b--\r\n",
        b"Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n",
    ],
)
def test_steps_grow_with_the_message_only(unit):
    def steps(times: int) -> int:
        parser = _Parser(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + unit * times)
        parser.run()
        return parser.steps

    assert steps(4000) <= 2.1 * steps(2000) + 50


# ------------------------------------------------------------------ fuzz

PIECES = st.sampled_from(
    [
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n\r\n",
        b"--b",
        b"--b--",
        b"--c\r\n",
        b"--b\r\n",
        b"\r\n--b\r\n",
        b"\r\n--b--\r\n",
        b"\r\n--c--",
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"Content-Type: multipart/digest; boundary=c\r\n",
        b"Content-Type: multipart/mixed; boundary=b--\r\n",
        b"Content-Type: message/rfc822\r\n",
        b"Content-Type: text/plain\r\n",
        b"Subject: x",
        b" ",
        b"\0",
        b"\xff",
        b":",
    ]
)
MESSAGES = st.lists(PIECES | st.binary(max_size=4), max_size=60).map(b"".join)


@settings(max_examples=1500, deadline=None)
@given(MESSAGES)
def test_offsets_are_consistent(message):
    root = parse(message)
    assert (root.start, root.end) == (0, len(message))
    for part in every(root):
        assert part.start <= part.body_start <= part.end
        assert part.body_lines == message.count(b"\n", part.body_start, part.end)
        at = part.body_start
        for child in part.parts:
            assert at <= child.start
            at = child.end
        assert at <= part.end
        if part.is_message:
            assert (part.parts[0].start, part.parts[0].end) == (part.body_start, part.end)


@settings(max_examples=300, deadline=None)
@given(MESSAGES)
def test_crlf_form_is_stable(message):
    shown = to_crlf(message)
    assert to_crlf(shown) is shown
    assert crlf_size(message) == len(shown)
    assert shown.replace(b"\r\n", b"\n") == message.replace(b"\r\n", b"\n")


# ------------------------------------------------------------------ the standard library as referee

WORDS = st.text("abc xyz\n-=.", max_size=40)


TREES = st.recursive(WORDS, lambda inner: st.lists(inner, min_size=1, max_size=3), max_leaves=8)


def _build(tree: object, level: list[int]) -> email.message.Message:
    made = email.message.Message()
    if isinstance(tree, str):
        made["Content-Type"] = "text/plain"
        made.set_payload(tree)
        return made
    level[0] += 1
    made["Content-Type"] = f'multipart/mixed; boundary="=_{level[0]}"'
    made.set_payload([_build(child, level) for child in tree])
    return made


def _agree(message: bytes, part: Part, other: email.message.Message) -> None:
    assert part.content.main.decode() == other.get_content_maintype()
    if other.is_multipart():
        children = other.get_payload()
        assert len(part.parts) == len(children)
        for ours, theirs in zip(part.parts, children, strict=True):
            _agree(message, ours, theirs)
    else:
        assert body(message, part).decode() == other.get_payload()


@settings(max_examples=300, deadline=None)
@given(TREES)
def test_agrees_with_the_standard_library(tree):
    raw = _build(tree, [0]).as_bytes().replace(b"\n", b"\r\n")
    _agree(raw, parse(raw), email.message_from_bytes(raw))
