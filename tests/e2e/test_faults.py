"""The faults to survive, quickly. `make soak` has them at length."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import pytest
from tests.support import faults
from tests.support.faults import answers, brisk, until_normal
from tests.support.ports import free_port
from tests.support.serving import Serve
from tests.support.trouble import (
    CUTTING,
    FINE,
    GTUBE,
    HANGING,
    LATER,
    REFUSING,
    TARA,
    NextHop,
    OrdinaryNextHop,
    numbered,
)
from tests.support.waiting import until


@pytest.fixture(scope="module")
def port() -> int:
    """The next hop's."""
    return free_port()


@pytest.fixture(scope="module")
def serve(port: int) -> Iterator[Serve]:
    with Serve(port, brisk(seconds=5)) as running:
        yield running


async def test_killed_under_load_loses_nothing() -> None:
    found, _, due = await faults.killed_under_load(2, seed=7, to_the_end=False)
    assert found.sound, found
    assert found.acknowledged == found.forwarded, found
    assert due > 0


async def test_every_trouble_of_the_next_hop_is_451_and_passes(serve: Serve, port: int) -> None:
    async with NextHop(port=port) as hop:
        mx = serve.ports["mx"]
        await until_normal(mx, "before")
        for n, mood in enumerate((LATER, CUTTING, REFUSING, HANGING, "down")):
            if mood == "down":
                await hop.stop()
            hop.mood = mood
            raw = numbered(f"trouble{n}")
            code, text, _ = await answers(mx, (TARA,), raw)
            assert code == 451, (mood, text)
            assert f"trouble{n}" not in hop.taken
            hop.mood = FINE
            if mood == "down":
                await hop.start()
            await until_normal(mx, f"after{n}")
            code, text, _ = await answers(mx, (TARA,), raw)
            assert code == 250, (mood, text)
            assert len(hop.taken[f"trouble{n}"]) == 1


async def test_a_locked_database_is_survived(serve: Serve, port: int) -> None:
    async with OrdinaryNextHop(port=port) as hop:
        mx = serve.ports["mx"]
        await until_normal(mx, "before")
        with faults.locked(serve.state / "mailguard.db"):
            code, text, _ = await answers(mx, (TARA,), numbered("plain"))
        # It needs the database for its record alone: the next hop has it, and that is the answer.
        assert (code, len(hop.taken["plain"])) == (250, 1), text
        await until_normal(mx, "after")

        def recorded() -> bool:
            return "Question plain" in {entry["subject"] for entry in serve.ledger()}

        await asyncio.to_thread(until, recorded, serve.log, "what was acknowledged in the ledger")


@contextmanager
def small_disk(serve: Serve, size: str = "8m") -> Iterator[Path]:
    """The state directory on a file system of its own."""
    passwords = (serve.state / "passwords").read_text()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(serve.state)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("a small disk needs the right to mount a tmpfs; run with: sudo make test")
    try:
        (serve.state / "passwords").write_text(passwords)
        yield serve.state
    finally:
        subprocess.run(["umount", "--lazy", str(serve.state)], check=True)


async def test_a_full_disk_is_452_and_passes() -> None:
    async with OrdinaryNextHop() as hop:
        serve = await asyncio.to_thread(Serve, hop.port, brisk())
        with small_disk(serve) as state:
            try:
                await asyncio.to_thread(serve.start)
                port = serve.ports["mx"]
                await until_normal(port, "before")
                filler = faults.fill(state)
                for n, body in enumerate(("Hello", GTUBE, "Hello again")):
                    code, text, _ = await answers(port, (TARA,), numbered(f"full{n}", body))
                    assert (code, text[:5]) == (452, "4.3.1"), text
                    assert f"full{n}" not in hop.taken
                filler.unlink()
                await until_normal(port, "after")
                code, text, _ = await answers(port, (TARA,), numbered("full1", GTUBE))
                assert code == 550, text
            finally:
                await asyncio.to_thread(serve.__exit__)


async def test_slow_clients_do_not_hold_up_a_message() -> None:
    found = await faults.canaries_among(500)
    assert median(found.among) < 30 * median(found.alone), found
    assert found.memory < 64, f"{found.memory} kB a connection"


async def test_a_thousand_recipients_are_taken_and_more_are_put_off(
    serve: Serve, port: int
) -> None:
    async with OrdinaryNextHop(port=port) as hop:
        figures = await faults.many_recipients(serve, hop, 2_000)
    assert figures["codes"] == [250] * 1_000 + [452] * 1_000
    assert figures["answer"] == 250
    assert figures["served"] == 1_000


async def test_fifty_megabytes_are_taken_and_more_are_552(serve: Serve, port: int) -> None:
    async with NextHop(port=port) as hop:
        line = b"c2Nob29s" * 9 + b"\r\n"
        head = numbered("big").partition(b"MIME-Version")[0]
        head += b"MIME-Version: 1.0\r\nContent-Type: application/zip\r\n"
        head += b"Content-Transfer-Encoding: base64\r\n\r\n"
        big = head + line * ((52_428_800 - len(head)) // len(line))
        code, text, _ = await answers(serve.ports["mx"], (TARA,), big)
        assert code == 250, text
        assert hop.taken["big"][0].endswith(big)
        code, text, _ = await answers(serve.ports["mx"], (TARA,), big + line)
        assert code == 552, text


async def test_reloads_under_load_leave_every_message_one_policy() -> None:
    figures = await faults.reloaded_under_load(20, pause=0.1)
    assert figures["lost"] == figures["half"] == figures["refused"] == 0, figures
    assert figures["kinds"] == figures["policies"] == 2, figures
    assert figures["reloads"] >= 20, figures
    assert figures["kept"] == figures["strict"], figures


async def test_a_client_that_vanishes_after_the_dot_has_one_outcome() -> None:
    figures = await faults.vanish_after_the_dot(60)
    assert figures["wrong"] == 0, figures
    assert figures["recorded"] >= 50, figures


async def test_sigterm_under_load_loses_nothing() -> None:
    found = await faults.terminated_under_load(1)
    assert found.sound, found
    assert found.acknowledged == found.forwarded, found
    assert found.cut == 0, found
    # A reply to the final dot that never came is the one reason for a second copy: two are better
    # than none (docs/threat-model.md). The end of a process is none.
    assert found.duplicates <= found.unknown, found
