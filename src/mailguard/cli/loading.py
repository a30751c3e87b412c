"""Loading the configuration for a command, and opening its state. Errors go to standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from mailguard.adapters.state import StateDirectory
    from mailguard.config.load import Loaded


def load_or_exit(directory: Path, *, create_keys: bool = False) -> Loaded:
    """The configuration, or every error in it on standard error and exit 2."""
    from mailguard.config.form.errors import ConfigErrors
    from mailguard.config.load import load

    try:
        loaded = load(directory, create_keys=create_keys)
    except ConfigErrors as wrong:
        for error in wrong.errors:
            typer.echo(str(error), err=True)
        typer.echo(f"{len(wrong.errors)} error(s); nothing was changed", err=True)
        raise typer.Exit(2) from None
    for warning in loaded.warnings:
        typer.echo(f"warning: {warning}", err=True)
    return loaded


@contextmanager
def opened(loaded: Loaded) -> Iterator[StateDirectory]:
    """The state of this configuration, closed at the end; what cannot be opened ends with 2."""
    from mailguard.adapters.state import StateDirectory
    from mailguard.pipeline.ports import StoreError

    storage = loaded.settings.storage
    try:
        state = StateDirectory.open(
            storage.state, storage.database, storage.compression, lambda: loaded.snapshot.unblocked
        )
    except (OSError, StoreError) as error:
        typer.echo(f"mailguard: cannot open the state in {storage.state}: {error}", err=True)
        raise typer.Exit(2) from None
    try:
        yield state
    finally:
        state.close()
