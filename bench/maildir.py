"""Mailboxes filled without a mail server: messages laid into a Maildir before anybody opens it.

A thousand different messages lie there under many names (hard links), so that a million take
seconds and little room; every server has to find, number and index each name all the same.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from bench.server import Server

DIFFERENT = 1000
BODY_LINES = 50
# Stands in the body of every message that is a multiple of this.
RARE_EVERY = 500
RARE = "hippopotamus"
_FIRST_AT = 1_700_000_000
_TEXT = (
    "figures week report meeting invoice project budget travel office server mailbox people "
    "winter summer train paper answer question number letter music river garden kitchen window"
)
_WORDS = _TEXT.split()


def message(number: int) -> bytes:
    """Some text with the headers that clients ask for; subjects repeat after some hundred."""
    words = [_WORDS[(number * 7 + at * 3 + at * at) % len(_WORDS)] for at in range(12)]
    rare = f"A {RARE} is no {words[0]}.\r\n" if number % RARE_EVERY == 0 else ""
    text = (" ".join(words) + ".\r\n") * BODY_LINES
    head = (
        f"Return-Path: <{words[1]}@elsewhere.test>\r\n"
        f"Received: from mail.elsewhere.test (mail.elsewhere.test [192.0.2.7])\r\n"
        f"\tby mx.example.test with ESMTPS id {number:08x};\r\n"
        f"\tTue, 24 Nov 2026 10:{number % 60:02}:00 +0000\r\n"
        f"From: {words[2].title()} {words[3].title()} <{words[1]}@elsewhere.test>\r\n"
        f"To: Some One <someone@example.test>, {words[4]}@example.test\r\n"
        f"Subject: {words[5]} {words[6]} {number % 700}\r\n"
        f"Date: Tue, 24 Nov 2026 {number // 60 % 24:02}:{number % 60:02}:00 +0000\r\n"
        f"Message-ID: <{number}@bench.elsewhere.test>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    )
    return (head + rare + text).encode()


def fill(server: Server, user: str, count: int) -> None:
    """Lay ``count`` messages, all seen, into the user's INBOX, which nobody has opened yet."""
    local, _, domain = user.partition("@")
    place = server.mail / domain / local
    owner = server.mail.stat()
    for part in ("cur", "new", "tmp"):
        (place / part).mkdir(parents=True, exist_ok=True)
    pool = place / "tmp" / "pool"
    pool.mkdir()
    sizes = []
    for number in range(min(count, DIFFERENT)):
        raw = message(number)
        (pool / str(number)).write_bytes(raw)
        os.chown(pool / str(number), owner.st_uid, owner.st_gid)
        sizes.append(len(raw))
    cur = os.open(place / "cur", os.O_RDONLY)
    source = os.open(pool, os.O_RDONLY)
    for number in range(count):
        which = number % len(sizes)
        size = sizes[which]
        name = f"{_FIRST_AT + number}.M{number % 10**6:06}P1Q{number}.bench,S={size},W={size}:2,S"
        os.link(str(which), name, src_dir_fd=source, dst_dir_fd=cur)
    os.close(cur)
    os.close(source)
    shutil.rmtree(pool)
    _give(place, server.mail, owner.st_uid, owner.st_gid)


def _give(place: Path, root: Path, user: int, group: int) -> None:
    for folder in (place, *place.iterdir()):
        os.chown(folder, user, group)
    while (place := place.parent) != root:
        os.chown(place, user, group)
