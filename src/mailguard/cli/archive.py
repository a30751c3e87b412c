"""`mailguard archive`: the messages as they arrived."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from mailguard.cli.loading import load_or_exit, opened
from mailguard.terminal import ConfigOption, fail

commands = typer.Typer(name="archive", help="The messages as they arrived.", no_args_is_help=True)


@commands.callback()
def _group() -> None:
    """The messages as they arrived."""


@commands.command("get")
def get(
    id: Annotated[str, typer.Argument(help="A transaction id or a message digest.")],
    config: ConfigOption = Path("config"),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; else standard output.")
    ] = None,
) -> None:
    """Write a message exactly as it was received, to the octet."""
    from mailguard.pipeline.ports import StoreError

    with opened(load_or_exit(config)) as state:
        entry = asyncio.run(state.ledger.find(id.strip().upper()))
        try:
            raw = state.blobs.read(entry.digest if entry else id.strip().lower())
        except (KeyError, StoreError) as error:
            fail(f"not in the archive: {id!r} ({error})")
    if output is None:
        sys.stdout.buffer.write(raw)
    else:
        output.write_bytes(raw)
