"""One rule says what is too large for the event loop, and nobody has another."""

from __future__ import annotations

import ast
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import mailguard
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.pipeline.off_loop import LARGE, fingerprint, off_loop_if_large, weight

SOURCE = Path(mailguard.__file__).parent
# Threads for what has no size, or waits for a disk: not for work on a message.
OTHERWISE = {
    "config/watch.py",
    "server/app.py",
    "adapters/passwords.py",
    "adapters/authentication/dkim_second.py",
    "adapters/database/ledger.py",
    "adapters/database/unblocked.py",
    "adapters/archive/blobs.py",
    "adapters/workers/reader_pool.py",
    "casework/unblocking/sheets.py",
    "demo/next_hop.py",
    "demo/runner.py",
}


def transaction(octets: int, recipients: int) -> Transaction:
    envelope = Envelope("a@example.com", tuple(f"p{n}@example.org" for n in range(recipients)))
    listener = Listener("mx", Role.MX)
    return Transaction("T1", 0.0, listener, envelope, mime.parse(b"a" * octets))


@pytest.mark.parametrize(
    ("octets", "recipients", "is_large"),
    [(LARGE - 1, 1, False), (LARGE, 1, True), (10, 199, False), (10, 200, True)],
)
async def test_what_is_large_leaves_the_loop(octets: int, recipients: int, is_large: bool) -> None:
    size = weight(transaction(octets, recipients))
    where = await off_loop_if_large(size, threading.current_thread)
    assert (where is not threading.main_thread()) == is_large


@pytest.mark.parametrize("octets", [10, LARGE])
async def test_the_work_is_the_same_and_so_is_its_trouble(octets: int) -> None:
    assert await off_loop_if_large(octets, divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await off_loop_if_large(octets, divmod, 7, 0)


async def test_a_fingerprint_is_of_the_octets() -> None:
    small, large = b"a", b"a" * LARGE
    assert await fingerprint(small) == await fingerprint(b"a")
    assert len({await fingerprint(one) for one in (small, large, large + b"a")}) == 3


def calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            yield node.attr


def test_nobody_else_has_a_rule_of_their_own() -> None:
    threads = {"to_thread", "run_in_executor"}
    found = {
        str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if threads & set(calls(path))
    }
    assert found - OTHERWISE == {"pipeline/off_loop.py"}
    assert found >= OTHERWISE  # a name that is needed no more goes
