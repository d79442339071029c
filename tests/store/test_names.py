from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnode.model.errors import BadFolderName
from mailnode.model.flags import Flag
from mailnode.store import names

KEYWORDS = ("work", "$Forwarded", "", "later")


def test_unique_names_differ_and_carry_their_sizes() -> None:
    one, two = names.unique_name(17.25, "n1"), names.unique_name(17.25, "n1")
    assert one != two
    assert one.startswith(b"17.M250000P")
    assert one.endswith(b".n1")
    base = names.with_sizes(one, 10, 12)
    assert (names.size_in(base), names.vsize_in(base)) == (10, 12)
    assert names.size_in(b"1.a,S=9:2,S") == 9
    assert names.size_in(b"1.a,SS=9") is None


def test_letters_go_there_and_back_in_ascii_order() -> None:
    flags = int(Flag.SEEN | Flag.DRAFT)
    letters = names.letters_for(flags, 0b1011, KEYWORDS)
    assert letters == b"DSabd"
    assert names.flags_in(letters) == flags
    assert names.keyword_bits_in(letters, KEYWORDS) == 0b1011
    assert names.lettered_bits(KEYWORDS) == 0b1011


def test_keywords_beyond_z_have_no_letter() -> None:
    many = tuple(f"k{i}" for i in range(40))
    assert names.letters_for(0, 1 << 30 | 1 << 25, many) == b"z"


@pytest.mark.parametrize(
    ("name", "disk"),
    [
        ("INBOX", b""),
        ("inbox", b""),
        ("Sent", b".Sent"),
        ("A/B/", b".A.B"),
        ("inbox/Sub", b".INBOX.Sub"),
        ("Entwürfe", b".Entw&APw-rfe"),
        ("a&b", b".a&-b"),
        ("v1.2/x", b".v1&AC4-2.x"),
        ("台北", b".&U,BTFw-"),
    ],
)
def test_folder_names_on_disk(name: str, disk: bytes) -> None:
    assert names.folder_to_disk(name) == disk
    if disk:
        assert names.disk_to_folder(disk) == names.canonical(name)


@pytest.mark.parametrize(
    "name",
    ["", "/", "a//b", "/a", "..", "a/..", ".", "a\x00b", "a\nb", " a", "a ", "x" * 241,
     "ü" * 100, "\ud800", "/".join("a" * 33)],
)  # fmt: skip
def test_names_that_cannot_be_kept(name: str) -> None:
    with pytest.raises(BadFolderName):
        names.folder_to_disk(name)


def test_new_names_have_no_wildcards() -> None:
    with pytest.raises(BadFolderName):
        names.check_new("a*")
    assert names.check_new("Inbox/a/") == "INBOX/a"


@pytest.mark.parametrize(
    "disk", [b".", b"..", b"x", b".a..b", b".a.", b".&AC8-", b".\xff", b".INBOX"]
)
def test_entries_that_are_no_folders(disk: bytes) -> None:
    assert names.disk_to_folder(disk) is None


def test_broken_utf7_stays_as_it_is() -> None:
    assert names.disk_to_folder(b".a&b") == "a&b"
    assert names.disk_to_folder(b".&AAA") == "&AAA"


@given(st.text(max_size=30))
def test_any_name_is_refused_or_comes_back_and_never_leads_out(name: str) -> None:
    try:
        disk = names.folder_to_disk(name)
    except BadFolderName:
        return
    assert b"/" not in disk
    assert b"\0" not in disk
    assert disk not in (b".", b"..")
    assert len(disk) <= 240
    assert (names.disk_to_folder(disk) if disk else "INBOX") == names.canonical(name)


@given(st.binary(max_size=40))
def test_any_directory_entry_is_understood_or_not(entry: bytes) -> None:
    name = names.disk_to_folder(entry)
    assert name is None or "\n" not in name
