"""One question and one answer over a TCP or UNIX stream.

Owns that neither side can make the other wait without end or grow without bound: who calls sets a
deadline around it. Must not know what is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from mailguard.adapters.engines.engine import NoAnswer
from mailguard.config.form.forms import Address

_STEP = 262_144  # octets written at once


async def exchange(
    to: Address | Path, question: Iterable[bytes], longest: int
) -> tuple[bytes, bool]:
    """Send `question` and read to the end of the stream: the answer, and whether all was sent
    before it. Raises OSError, and NoAnswer for more than `longest` octets.

    A server may refuse before it has read everything (a limit of its own), and its word would be
    lost to who only writes. What it calls clean then, it has not read.
    """
    if isinstance(to, Path):
        reader, writer = await asyncio.open_unix_connection(str(to))
    else:
        reader, writer = await asyncio.open_connection(to.host, to.port)
    answering = asyncio.create_task(_read(reader, longest))
    try:
        try:
            for piece in question:
                for step in _steps(piece):
                    if answering.done():
                        return await answering, False
                    writer.write(step)
                    await writer.drain()
        except ConnectionError:
            return await answering, False  # it may have said why
        return await answering, True
    finally:
        answering.cancel()
        writer.transport.abort()


def _steps(octets: bytes) -> Iterable[bytes | memoryview]:
    if len(octets) <= _STEP:
        return (octets,)
    view = memoryview(octets)
    return (view[at : at + _STEP] for at in range(0, len(octets), _STEP))


async def _read(reader: asyncio.StreamReader, longest: int) -> bytes:
    answer = bytearray()
    while len(answer) <= longest:
        try:
            some = await reader.read(65_536)
        except ConnectionError:  # a reset after the answer
            some = b""
        if not some:
            return bytes(answer)
        answer += some
    raise NoAnswer(f"its answer has more than {longest} octets")
