"""The full-text part of the view: which messages cannot contain a string.

Promises: a filter, never the last word: whoever may contain the string is named, and so is whoever
has not been indexed; the caller looks at those. Holds for substrings, not only for words: the index
is of all runs of three characters. What expunged messages leave behind is dropped with the whole
index once it is more than the living have, and made again on demand.
Fails: ``sqlite3.Error``.
Locks: the caller's, on the database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

# Longer texts are noted, not indexed: they are looked at in each search.
MAX_TEXT = 256 * 1024
# So many runs of three tell enough; a longer string costs no more.
MAX_GRAMS = 32
_MIN_JUNK = 1000

SCHEMA = """
CREATE VIRTUAL TABLE IF NOT EXISTS fulltext USING fts5(
  text, content='', detail=none, columnsize=0, tokenize='trigram case_sensitive 1');
CREATE TABLE IF NOT EXISTS texted (key INTEGER PRIMARY KEY, whole INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS junk (texts INTEGER NOT NULL);
"""


def is_available() -> bool:
    """Whether this SQLite can do it (FTS5 with the trigram tokenizer, 3.34)."""
    if sqlite3.sqlite_version_info < (3, 34):
        return False
    with sqlite3.connect(":memory:") as db:
        found = db.execute("SELECT sqlite_compileoption_used('ENABLE_FTS5')").fetchone()
    db.close()
    return bool(found[0])


AVAILABLE = is_available()


def may_contain(
    db: sqlite3.Connection, first_key: int, uids: Iterable[int], needle: str
) -> dict[int, bool]:
    """Those that may contain ``needle``, and whether their text is kept already."""
    span = (first_key, first_key + 0xFFFFFFFF)
    kept = dict(db.execute("SELECT key, whole FROM texted WHERE key BETWEEN ? AND ?", span))
    hits: set[int] | None = None
    if query := _query(needle):
        found = db.execute(
            "SELECT rowid FROM fulltext WHERE fulltext MATCH ? AND rowid BETWEEN ? AND ?",
            (query, *span),
        )
        hits = {row[0] for row in found}
    candidates: dict[int, bool] = {}
    for uid in uids:
        whole = kept.get(first_key + uid)
        if not whole or hits is None or first_key + uid in hits:
            candidates[uid] = whole is not None
    return candidates


def keep_texts(db: sqlite3.Connection, first_key: int, texts: Mapping[int, str]) -> None:
    """Index these messages. The caller has a transaction open."""
    # Another session may have been quicker; a text must not go in twice.
    fresh = {}
    for uid, text in texts.items():
        whole = len(text) <= MAX_TEXT
        added = db.execute(
            "INSERT OR IGNORE INTO texted VALUES (?,?)", (first_key + uid, whole)
        ).rowcount
        if added and whole:
            fresh[first_key + uid] = text.replace("\0", " ")
    db.executemany("INSERT INTO fulltext (rowid, text) VALUES (?,?)", fresh.items())


def note_gone(db: sqlite3.Connection, count: int) -> None:
    """So many indexed messages are gone. The caller has a transaction open."""
    if count <= 0:
        return
    junk = (db.execute("SELECT sum(texts) FROM junk").fetchone()[0] or 0) + count
    living = db.execute("SELECT count(*) FROM texted").fetchone()[0]
    db.execute("DELETE FROM junk")
    if junk > max(_MIN_JUNK, living):
        db.execute("INSERT INTO fulltext (fulltext) VALUES ('delete-all')")
        db.execute("DELETE FROM texted")
    else:
        db.execute("INSERT INTO junk VALUES (?)", (junk,))


def _query(needle: str) -> str:
    """All runs of three in the needle; empty where it is too short to have one, or holds what the
    tokenizer does not see."""
    if "\0" in needle:
        return ""
    grams = dict.fromkeys(needle[at : at + 3] for at in range(len(needle) - 2))
    quoted = ('"' + gram.replace('"', '""') + '"' for gram in list(grams)[:MAX_GRAMS])
    return " AND ".join(quoted)
