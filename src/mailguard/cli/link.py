"""`mailguard link`: what is behind a copy-page link (R39)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mailguard.cli.loading import load_or_exit
from mailguard.terminal import ConfigOption, fail

commands = typer.Typer(name="link", help="What is behind a copy-page link.", no_args_is_help=True)


@commands.callback()
def _group() -> None:
    """What is behind a copy-page link."""


@commands.command("decode")
def decode(
    link: Annotated[
        str, typer.Argument(help="The link as it stands in the message, or its token.")
    ],
    config: ConfigOption = Path("config"),
) -> None:
    """Print the original address of a rewritten link, to the octet."""
    from mailguard.core.links import sealed

    loaded = load_or_exit(config)
    token = link.rpartition("/l/")[2].strip()
    try:
        typer.echo(sealed.open_(token, loaded.snapshot.link_keys))
    except sealed.LinkError as error:
        fail(f"not one of our links, or altered: {error}")
