"""Bringing a database to the schema of `tables`: alembic, run from inside the package at start.

Must not know what is stored. `upgrade` is safe to call from many processes at once: SQLite's
write lock or a PostgreSQL advisory lock lets one of them work and the others find it done.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, MetaData, text

_ADVISORY_LOCK = 0x6D61696C  # one number that all nodes agree on


def upgrade(connection: Connection, metadata: MetaData) -> None:
    """Run what is missing, in the connection's transaction. Does nothing on a current schema."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["metadata"] = metadata
    command.upgrade(config, "head")
