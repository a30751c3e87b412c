"""Numbers that grow with every change of a table, so that other processes notice within a second.

Owns the rows of `revisions`. A change takes its number first: that row's lock makes changes of
one name follow each other, so no reader can see a number before everything below it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from mailguard.adapters.database.tables import revisions


def bump(connection: Connection, name: str) -> int:
    """Take the next number of that name, within the transaction that changes something."""
    statement = _bump(connection.dialect.name)
    return int(connection.execute(statement, {"name": name, "number": 1}).scalar_one())


def current(connection: Connection, name: str) -> int:
    """The newest number of that name; 0 before the first change."""
    wanted = select(revisions.c.number).where(revisions.c.name == name)
    return int(connection.execute(wanted).scalar() or 0)


@cache
def _bump(dialect: str) -> Any:
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = make(revisions)
    return statement.on_conflict_do_update(
        index_elements=["name"], set_={"number": revisions.c.number + 1}
    ).returning(revisions.c.number)
