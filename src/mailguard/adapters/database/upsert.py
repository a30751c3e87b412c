"""Inserts that may meet a row of the same key: left as it is, replaced, or changed by the new one.

Owns how SQLite and PostgreSQL say that. Must not know any table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, Executable, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.base import ReadOnlyColumnCollection

Columns: TypeAlias = ReadOnlyColumnCollection[str, Any]
# What is set of a row that is there: by its own columns, and by those of the row that came.
Change: TypeAlias = Callable[[Columns, Columns], Mapping[str, Any]]


class Upsert:
    """An insert into a table by `key`, the columns of one of its unique indexes.

    Without `change` a row that is there stays as it is, else `change` says what is set of it, but
    only `where` that holds. With `returning` it gives that column of each row it wrote: of none
    that stayed. The statements are made once, so that their compiled form is found in
    SQLAlchemy's cache at once.
    """

    __slots__ = ("_statements",)

    def __init__(
        self,
        table: Table,
        *key: str,
        change: Change | None = None,
        where: ColumnElement[bool] | None = None,
        returning: ColumnElement[Any] | None = None,
    ) -> None:
        self._statements: dict[str, Executable] = {}
        for dialect, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert)):
            statement: Any = insert(table)  # two types that are alike
            if change is None:
                statement = statement.on_conflict_do_nothing(index_elements=key)
            else:
                changed = change(table.c, statement.excluded)
                statement = statement.on_conflict_do_update(
                    index_elements=key, set_=changed, where=where
                )
            self._statements[dialect] = (
                statement if returning is None else statement.returning(returning)
            )

    def into(self, connection: Connection) -> Executable:
        """The statement for the database of this connection."""
        return self._statements[connection.dialect.name]


def replacing(*columns: str) -> Change:
    """These columns are taken from the row that came."""
    return lambda _, given: {name: given[name] for name in columns}


def all_but(table: Table, *key: str) -> tuple[str, ...]:
    """The names of a table's columns without those of its key."""
    return tuple(column.name for column in table.c if column.name not in key)
