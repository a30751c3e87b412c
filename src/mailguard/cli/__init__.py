"""The command line: one file a command group, imported when it is called."""

from __future__ import annotations


def main() -> None:
    """The `mailguard` command."""
    from mailguard.cli.root import application

    application()
