"""Sheets that schools hand in, read by a child process that can hurt nobody (R38).

Owns the child's life: what it is given, for how long, how much it may answer. A file that is too
much for it is `SheetRejected`, in words. Must not know what the cells mean;
`spreadsheet_child` reads them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import structlog

from mailguard.core.sheets.sheet import Sheet, SheetRejected, SheetRow, SheetTable

log = structlog.get_logger("mailguard.spreadsheet")

MAX_OCTETS = 16_777_216  # 16 MiB of file
_SECONDS = 30.0  # the child's CPU is limited besides
_MAX_LINE = 1_048_576  # octets; the child's rows are shorter
_TOO_MUCH = "it takes more memory or time to read than is allowed; send the addresses alone"


async def read_sheet(raw: bytes, name: str) -> Sheet | SheetRejected:
    """A workbook (.xlsx) or CSV text as rows of text. `name` is told again, never opened.

    Which of them it is is seen by the content. Never raises for what the file holds; raises
    OSError when no process can be started.
    """
    if len(raw) > MAX_OCTETS:
        return SheetRejected(f"it has {len(raw):,} octets; allowed are {MAX_OCTETS:,}")
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mailguard.adapters.workers.spreadsheet_child",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=_MAX_LINE,
        env={key: os.environ[key] for key in ("PATH", "PYTHONPATH") if key in os.environ},
        cwd="/",
    )
    feeding = asyncio.create_task(_feed(child, raw))
    try:
        async with asyncio.timeout(_SECONDS):
            return await _collect(child, name)
    except (TimeoutError, ValueError) as error:  # ValueError: a line beyond the limit, or no JSON
        log.warning("sheet_killed", size=len(raw), reason=type(error).__name__)
        return SheetRejected(_TOO_MUCH)
    finally:
        feeding.cancel()
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        await asyncio.gather(feeding, return_exceptions=True)


async def _feed(child: asyncio.subprocess.Process, raw: bytes) -> None:
    assert child.stdin is not None
    with contextlib.suppress(OSError):  # it ended before it had read everything
        child.stdin.write(raw)
        await child.stdin.drain()
        child.stdin.close()


async def _collect(child: asyncio.subprocess.Process, name: str) -> Sheet | SheetRejected:
    tables: list[SheetTable] = []
    rows: list[SheetRow] = []
    async for said in _answers(child):
        if isinstance(said, list):
            rows.append(SheetRow(said[0], tuple(said[1])))
        elif "refused" in said:
            return SheetRejected(said["refused"])
        elif "table" in said:
            tables.append(SheetTable(said["table"], tuple(rows), said["hidden"]))
            rows = []
        else:
            return Sheet(name, tuple(tables))
    log.warning("sheet_killed", reason=f"the child ended with {await child.wait()}")
    return SheetRejected(_TOO_MUCH)  # it ended before it said so: a limit ended it


async def _answers(child: asyncio.subprocess.Process) -> AsyncIterator[Any]:
    assert child.stdout is not None
    while line := await child.stdout.readline():
        yield json.loads(line)
