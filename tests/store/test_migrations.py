"""Migrations make exactly the schema that the code speaks to."""

from __future__ import annotations

import threading
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect
from tests.support.at_once import at_once

from mailguard.adapters.database.engine import Database
from mailguard.adapters.database.tables import metadata


def _described(connection) -> dict:
    found = inspect(connection)
    return {
        table: {
            "columns": {
                c["name"]: (str(c["type"]), c["nullable"]) for c in found.get_columns(table)
            },
            "key": found.get_pk_constraint(table),
            "foreign": found.get_foreign_keys(table),
            "unique": sorted(map(str, found.get_unique_constraints(table))),
            "indexes": sorted(map(str, found.get_indexes(table))),
        }
        for table in found.get_table_names()
        if table != "alembic_version"
    }


def _differences(connection: Connection) -> list[Any]:
    options = {"compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def test_migrations_make_exactly_the_schema_of_the_tables(empty_url: str) -> None:
    database = Database(empty_url)
    try:
        database.upgrade()
        assert at_once(database.query(_differences)) == []
        migrated = at_once(database.query(_described))
        with database.write() as connection:
            metadata.drop_all(connection)
            metadata.create_all(connection)
        assert migrated == at_once(database.query(_described))
        assert set(migrated) == set(metadata.tables)
    finally:
        database.close()


def test_many_that_start_at_once_migrate_once(empty_url: str) -> None:
    databases = [Database(empty_url, patience=10) for _ in range(4)]
    errors: list[Exception] = []

    def start(database: Database) -> None:
        try:
            database.upgrade()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=start, args=(one,)) for one in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for database in databases:
        database.close()
    assert errors == []


def test_foreign_keys_and_durability_are_on_in_sqlite(tmp_path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    try:
        with database.write() as connection:
            ask = connection.exec_driver_sql
            assert ask("PRAGMA foreign_keys").scalar() == 1
            assert ask("PRAGMA journal_mode").scalar() == "wal"
            assert ask("PRAGMA synchronous").scalar() == 2  # FULL
    finally:
        database.close()
