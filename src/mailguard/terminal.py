"""How commands speak: tables and colours for people, JSON for programs, errors on standard error.

Must not know any command.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from mailguard.core.mail.safe_text import terminal

ConfigOption = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="MAILGUARD_CONFIG", help="The configuration directory."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document, for programs.")]

USAGE, INTERNAL = 1, 2


def print_json(value: Any) -> None:
    """JSON on standard output; ASCII, so that hostile text cannot act on a terminal."""
    sys.stdout.write(json.dumps(value, ensure_ascii=True) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table for people; every cell is escaped."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", header_style="bold", box=SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in _WHOLE)
    for row in rows:
        table.add_row(*(Text(terminal(str(cell)), style=style_of(str(cell))) for cell in row))
    Console().print(table)


_WHOLE = ("Id", "No.", "State")  # what one copies from the table, or compares down the column
_STYLES = {
    "forward": "green",
    "forwarded": "green",
    "quarantine": "yellow",
    "quarantined": "yellow",
    "hold": "cyan",
    "held": "cyan",
    "bounce": "red",
    "refused": "red",
    "defer": "magenta",
    "deferred": "magenta",
    "queued": "blue",
    "released": "green",
    "discarded": "dim",
}


def style_of(text: str) -> str:
    """The colour of a disposition or an end state; "" for every other word."""
    return _STYLES.get(text, "")


def fail(message: str, code: int = USAGE) -> NoReturn:
    """Say what is wrong and what to do, on standard error, and end."""
    typer.secho(message, err=True, fg=typer.colors.RED if sys.stderr.isatty() else None)
    raise typer.Exit(code)
