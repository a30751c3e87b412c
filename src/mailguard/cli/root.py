"""The command tree. Must not know what the commands do."""

from __future__ import annotations

import typer

from mailguard import __version__
from mailguard.cli import (
    account,
    allowlist,
    approvals,
    archive,
    cases,
    check,
    config,
    demo,
    directory,
    dkim,
    explain,
    groups,
    ledger,
    link,
    quarantine,
    serve,
    spam,
)

application = typer.Typer(
    name="mailguard",
    help="An SMTP proxy that carries out a school district's written e-mail policy.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mailguard {__version__}")
        raise typer.Exit


@application.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
) -> None:
    """An SMTP proxy that carries out a school district's written e-mail policy."""


application.command("serve")(serve.serve)
application.command("demo")(demo.demo)
application.command("check")(check.check)
application.command("explain")(explain.explain)
application.command("ledger")(ledger.ledger)
for group in (
    *(config, directory, groups, allowlist, quarantine, approvals, cases, spam),
    *(archive, link, dkim, account),
):
    application.add_typer(group.commands)
