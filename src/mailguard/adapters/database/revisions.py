"""Numbers that grow with every change of a table, so that other processes notice within a second.

Owns the rows of `revisions`. A change takes its number first: that row's lock makes changes of
one name follow each other, so no reader can see a number before everything below it.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from mailguard.adapters.database.tables import revisions
from mailguard.adapters.database.upsert import Upsert


def bump(connection: Connection, name: str) -> int:
    """Take the next number of that name, within the transaction that changes something."""
    bumped = connection.execute(_NEXT.into(connection), {"name": name, "number": 1})
    return int(bumped.scalar_one())


def current(connection: Connection, name: str) -> int:
    """The newest number of that name; 0 before the first change."""
    wanted = select(revisions.c.number).where(revisions.c.name == name)
    return int(connection.execute(wanted).scalar() or 0)


_NEXT = Upsert(
    revisions,
    "name",
    change=lambda there, _: {"number": there.number + 1},
    returning=revisions.c.number,
)
