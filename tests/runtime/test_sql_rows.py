"""Statements as the driver takes them: the same text and values as by SQLAlchemy, made once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    DateTime,
    Executable,
    MetaData,
    Table,
    Text,
    bindparam,
    create_engine,
    select,
    text,
)
from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.exc import OperationalError

from mailnode.runtime.sql_rows import FileReader, Texts

_TABLE = Table("t", MetaData(), Column("a", Text), Column("b", Text), Column("at", DateTime))
_KEYS: Any = bindparam("keys", expanding=True)
_SEVERAL = select(_TABLE.c.a).where(_TABLE.c.b == "x?").where(_TABLE.c.a.in_(_KEYS))
_ONE = select(_TABLE.c.b).where(_TABLE.c.a == bindparam("key")).where(_TABLE.c.b != "y")


@pytest.mark.parametrize("keys", [["k"], ["k", "l", "m"], []])
def test_a_list_has_a_mark_for_each_value(keys: list[str]) -> None:
    said, values = Texts(dialect()).of(_SEVERAL, {"keys": keys})
    compiled: Any = _SEVERAL.compile(dialect=dialect())
    whole = compiled.construct_expanded_state({"keys": keys})
    assert said == whole.statement
    assert values == tuple(whole.parameters[name] for name in whole.positiontup)
    assert said.count("?") == len(values)


def test_the_next_question_has_values_of_its_own() -> None:
    texts = Texts(dialect())
    assert texts.of(_ONE, {"key": "a"})[1] == ("a", "y")
    assert texts.of(_ONE, {"key": "b"})[1] == ("b", "y")
    assert texts.of(_SEVERAL, {"keys": ["a", "b"]})[1] == ("x?", "a", "b")
    assert texts.of(_SEVERAL, {"keys": ["c", "d"]})[1] == ("x?", "c", "d")


@pytest.mark.parametrize(
    "statement",
    [
        select(_TABLE.c.at),
        select(_TABLE.c.a).where(_TABLE.c.at < bindparam("key", type_=DateTime)),
        text("select :key"),
    ],
)
def test_what_is_to_be_converted_is_left_to_sqlalchemy(statement: Executable) -> None:
    with pytest.raises(LookupError):
        Texts(dialect()).of(statement, {"key": None})


def test_what_is_kept_is_bounded() -> None:
    texts = Texts(dialect())
    for count in range(1, 700):
        texts.of(_SEVERAL, {"keys": ["k"] * count})
    assert len(texts._kept) <= 500


async def test_the_second_question_is_answered_as_the_first(tmp_path: Path) -> None:
    """By the driver alone; where that fails, SQLAlchemy says why, and the next one is well."""
    url = f"sqlite:///{tmp_path / 'file'}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        _TABLE.metadata.create_all(connection)
        connection.execute(_TABLE.insert().values(a="k", b="x?"))
    reader = FileReader(lambda: create_engine(url, connect_args={"isolation_level": None}), 60)
    asked = [(_SEVERAL, {"keys": ["k", "l"]}), (_ONE, {"key": "k"})]
    for _ in range(3):
        assert [list(map(tuple, rows)) for rows in await reader.rows(asked)] == [
            [("k",)],
            [("x?",)],
        ]
    with engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE t RENAME TO gone")
    with pytest.raises(OperationalError, match="no such table"):
        await reader.rows(asked)
    with engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO t")
        connection.execute(_TABLE.insert().values(a="l", b="x?"))
    for _ in range(2):
        first, _rest = await reader.rows(asked)
        assert sorted(map(tuple, first)) == [("k",), ("l",)]
    engine.dispose()
    await reader.close()
