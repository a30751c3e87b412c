"""SMTP dialogues as text files, each played with whole lines and one octet at a time.

`## ` begins a comment, `# ` the server's options in YAML (role, tls, limits, auth, listener).
`C: ` is sent with CRLF, `C~ ` without; `S: ` is the beginning of the next line of a reply, `S= `
a whole line; `S.` the end of the connection. `TLS` shakes hands. `A: ` is what the gateway
accepted last: reverse-path, recipients and the repr of the message. In `C` lines Python's escapes
stand for octets.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from conftest import Client, Serve

DIALOGUES = sorted((Path(__file__).parent / "dialogues").glob("*.txt"))


def octets(text: str) -> bytes:
    return text.encode("utf-8").decode("unicode_escape").encode("latin-1")


async def send(client: Client, data: bytes, slowly: bool) -> None:
    if not slowly:
        client.send(data)
        return
    for at in range(len(data)):
        client.send(data[at : at + 1])
        await client.writer.drain()
        await asyncio.sleep(0)


@pytest.mark.parametrize("slowly", [False, True], ids=["whole", "by-octet"])
@pytest.mark.parametrize("path", DIALOGUES, ids=lambda path: path.stem)
async def test_dialogue(path: Path, slowly: bool, serve: Serve) -> None:
    options: dict[str, Any] = {}
    script = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if line.startswith("# "):
            options |= yaml.safe_load(line[2:])
        elif line and not line.startswith("##"):
            script.append((number, line))
    options |= options.pop("listener", {})
    running = await serve(**options)
    client = await running.connect(tls=bool(options.get("implicit_tls")))
    for number, line in script:
        where = f"{path.name}:{number}"
        kind, text = line[:2], line[3:]
        if kind == "C:":
            await send(client, octets(text) + b"\r\n", slowly)
        elif kind == "C~":
            await send(client, octets(text), slowly)
        elif kind == "S:":
            got = await client.line()
            assert got.startswith(text), f"{where}: {got!r}"
        elif kind == "S=":
            assert await client.line() == text, where
        elif kind == "S.":
            assert await client.closed(), f"{where}: still open"
        elif line == "TLS":
            await client.start_tls()
        elif kind == "A:":
            _, envelope, raw = running.recorder.accepted[-1]
            seen = f"{envelope.reverse_path} {','.join(envelope.recipients)} {raw!r}"
            assert seen == text, f"{where}: {seen}"
        else:
            raise AssertionError(f"{where}: cannot read {line!r}")


def test_there_are_dialogues() -> None:
    assert len(DIALOGUES) > 20
