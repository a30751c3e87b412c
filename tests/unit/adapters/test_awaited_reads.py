"""No read of the store can hold the event loop: there is no synchronous way to read one.

Whoever adds a way in (a port's method that is not awaited, a connection from elsewhere) fails here.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mailguard
from mailguard.adapters.archive.blobs import Blobs
from mailguard.adapters.database.engine import Database
from mailguard.adapters.database.learned import LearnedWords
from mailguard.adapters.database.ledger import DatabaseLedger
from mailguard.adapters.database.outbox import OutboxStore
from mailguard.adapters.database.tickets import TicketStore
from mailguard.adapters.database.unblocked import UnblockedList
from mailguard.casework import inbox
from mailguard.casework.tickets import Tickets
from mailguard.pipeline import outbox, ports

SOURCE = Path(mailguard.__file__).parent
DRIVERS = {"adapters/database/engine.py"}  # where connections are made
IN_MEMORY = {
    (UnblockedList, "look_up"),
    (LearnedWords, "opinion"),
    (OutboxStore, "spending"),
}


def methods(of: type) -> Iterator[tuple[str, Any]]:
    for name, member in vars(of).items():
        if inspect.isfunction(member) and not name.startswith("_"):
            yield name, member


def is_awaited(method: Any) -> bool:
    return inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)


@pytest.mark.parametrize(
    "port", [Tickets, inbox.Letters, outbox.Store, ports.Ledger, ports.Archive]
)
def test_every_method_of_a_stores_port_is_awaited(port: type) -> None:
    found = dict(methods(port))
    assert found
    assert [name for name, method in found.items() if not is_awaited(method)] == []


@pytest.mark.parametrize(
    "adapter", [TicketStore, DatabaseLedger, OutboxStore, UnblockedList, LearnedWords]
)
def test_every_method_of_a_store_is_awaited_but_what_answers_from_memory(adapter: type) -> None:
    found = dict(methods(adapter))
    assert found
    synchronous = {(adapter, name) for name, method in found.items() if not is_awaited(method)}
    assert synchronous <= IN_MEMORY


@pytest.mark.parametrize("of_memory", sorted(IN_MEMORY, key=str), ids=lambda one: one[1])
def test_what_answers_from_memory_asks_no_database(of_memory: tuple[type, str]) -> None:
    method = getattr(*of_memory)
    assert "_database" not in method.__code__.co_names


def test_a_database_gives_no_connection_to_read_with() -> None:
    synchronous = {name for name, method in methods(Database) if not is_awaited(method)}
    assert synchronous == {"upgrade", "write", "close"}


def uses(path: Path) -> Iterator[str]:
    """Names by which a module could come to a connection of its own."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (one.name.partition(".")[0] for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.Attribute) and ast.unparse(node).endswith("database.write"):
            yield "database.write"


def test_only_the_database_itself_makes_connections() -> None:
    ways = {"create_engine", "sqlite3", "psycopg", "database.write"}
    found = {str(path.relative_to(SOURCE)): ways & set(uses(path)) for path in SOURCE.rglob("*.py")}
    assert {name for name, used in found.items() if used} <= DRIVERS
    assert all(found[name] for name in DRIVERS)  # the search itself finds what is there


def test_the_archive_is_read_awaited_wherever_the_server_is_at_work() -> None:
    """`Blobs.read` is for the commands and the archive's own threads."""
    assert not is_awaited(Blobs.read)
    for path in (
        *(SOURCE / "pipeline").rglob("*.py"),
        SOURCE / "server/wiring.py",
        SOURCE / "server/app.py",
    ):
        assert "blobs.read(" not in path.read_text(), path
