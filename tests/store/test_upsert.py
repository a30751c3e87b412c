"""Inserts that meet a row of the same key, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, select

from mailguard.adapters.database.engine import Database
from mailguard.adapters.database.upsert import Upsert, all_but, replacing

ROWS = Table(
    "upsert_rows",
    MetaData(),
    Column("name", String, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("said", String, nullable=False),
)
LEFT = Upsert(ROWS, "name", returning=ROWS.c.number)
REPLACED = Upsert(ROWS, "name", change=replacing(*all_but(ROWS, "name")))
ADDED = Upsert(ROWS, "name", change=lambda there, given: {"number": there.number + given.number})
UNLESS_LARGE = Upsert(ROWS, "name", change=replacing("said"), where=ROWS.c.number < 5)


@pytest.fixture(autouse=True)
def table(database: Database) -> None:
    with database.write() as connection:
        ROWS.create(connection)


@pytest.mark.parametrize(
    ("upsert", "number", "said"),
    [
        (LEFT, 3, "first"),
        (REPLACED, 4, "second"),
        (ADDED, 7, "first"),
        (UNLESS_LARGE, 3, "second"),
    ],
    ids=["left", "replaced", "added", "where it holds"],
)
def test_a_row_that_is_there(database: Database, upsert: Upsert, number: int, said: str) -> None:
    with database.write() as connection:
        connection.execute(upsert.into(connection), {"name": "a", "number": 3, "said": "first"})
        rows = [{"name": name, "number": 4, "said": "second"} for name in ("a", "b")]
        connection.execute(upsert.into(connection), rows[0])
        connection.execute(upsert.into(connection), rows[1])
        found = connection.execute(select(ROWS).order_by(ROWS.c.name)).all()
    assert found == [("a", number, said), ("b", 4, "second")]


def test_where_it_does_not_hold_the_row_stays(database: Database) -> None:
    with database.write() as connection:
        for said in ("first", "second"):
            row = {"name": "a", "number": 5, "said": said}
            connection.execute(UNLESS_LARGE.into(connection), row)
        assert connection.execute(select(ROWS.c.said)).scalar() == "first"


def test_nothing_is_returned_of_a_row_that_stayed(database: Database) -> None:
    with database.write() as connection:
        row = {"name": "a", "number": 3, "said": ""}
        assert connection.execute(LEFT.into(connection), row).scalar() == 3
        assert connection.execute(LEFT.into(connection), row).scalar() is None
