"""`mailguard serve`: run the proxy."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from mailguard.terminal import ConfigOption, fail


def serve(
    config: ConfigOption = Path("config"),
    pretty: Annotated[bool, typer.Option(help="Coloured log lines instead of JSON.")] = False,
) -> None:
    """Run the proxy until SIGTERM. The greeting means that everything is ready.

    Exit 0 after a clean drain; 2 when the configuration is wrong (each error with its
    file:line:column, before a socket is bound); 1 when a socket or the state cannot be opened.
    SIGHUP, or saving a file, reloads.
    """
    from mailguard.adapters import logs
    from mailguard.cli.loading import load_or_exit
    from mailguard.pipeline.ports import StoreError
    from mailguard.server import app

    loaded = load_or_exit(config, create_keys=True)
    logs.configure(loaded.settings.log.level, pretty)
    app.raise_file_limit(loaded.settings.limits.connections)
    try:
        raise typer.Exit(asyncio.run(app.serve(loaded)))
    except app.Unusable as error:
        fail(f"mailguard: {error}", 2)
    except (OSError, StoreError) as error:
        fail(f"mailguard: cannot start: {error}")
