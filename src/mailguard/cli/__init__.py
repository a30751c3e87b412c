"""The command line: one file a command group, imported when it is called."""

from __future__ import annotations


def main() -> None:
    """The `mailguard` command. Exit 1 for a call that is not of the right form: 2 is for a wrong
    configuration and trouble of our own."""
    from typer import BadParameter

    from mailguard.cli.root import application
    from mailguard.terminal import USAGE

    usage_error = BadParameter.__bases__[0]  # what every wrong call raises; Typer's choice is 2
    setattr(usage_error, "exit_code", USAGE)  # noqa: B010 - a base class that has no public name
    application()
