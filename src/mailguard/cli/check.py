"""`mailguard check`: what would be done with a message, by the daemon's code, without effects."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailguard.core.mail.safe_text import terminal
from mailguard.terminal import INTERNAL, ConfigOption, JsonOption, fail, print_json, print_table

if TYPE_CHECKING:
    from mailguard.cli.checking import Checker


def check(
    file: Annotated[str, typer.Argument(help="The message, or - for standard input.")] = "-",
    config: ConfigOption = Path("config"),
    client_ip: Annotated[str, typer.Option(help="The client's IP address.")] = "192.0.2.1",
    helo: Annotated[str, typer.Option(help="What the client says in EHLO.")] = "client.example.net",
    mail_from: Annotated[
        str, typer.Option(help="The reverse-path; empty is the null one. %XX is decoded.")
    ] = "",
    rcpt: Annotated[
        list[str] | None, typer.Option(help="A recipient; may be given several times.")
    ] = None,
    listener: Annotated[
        str, typer.Option(help="The listener's name; the first of role mx if not given.")
    ] = "",
    auth_user: Annotated[str, typer.Option(help="The account that has logged in.")] = "",
    dns: Annotated[str, typer.Option(help="HOST:PORT of the DNS server to ask.")] = "",
    now: Annotated[float | None, typer.Option(help="The time, in seconds since the epoch.")] = None,
    batch: Annotated[
        bool,
        typer.Option("--batch", help="One JSON request a line on standard input, one answer each."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge a message as `serve` would, with no side effects.

    Exit 0 when it was evaluated, whatever the verdict; 1 for wrong usage; 2 for internal trouble.
    In a batch a request has the options' names with underscores, the message in `message_b64`;
    what it leaves out has the command line's value.

        mailguard check --mail-from=parent@example.com --rcpt=ada.birch@example.org message.eml
    """
    from mailguard.cli.checking import Checker, Request, UsageError
    from mailguard.cli.loading import load_or_exit

    loaded = load_or_exit(config)
    defaults: dict[str, Any] = {
        "client_ip": client_ip,
        "helo": helo,
        "mail_from": mail_from,
        "rcpt": rcpt or [],
        "listener": listener,
        "auth_user": auth_user,
        "dns": dns,
        "now": now,
    }

    async def one() -> dict[str, Any]:
        async with Checker.open(loaded) as checker:
            return await checker.judge(Request(**defaults, message=_read(file)))

    try:
        if batch:
            asyncio.run(_batch(Checker.open(loaded), defaults))
            return
        answer = asyncio.run(one())
    except UsageError as error:
        fail(f"mailguard check: {error}")
    except OSError as error:
        fail(f"mailguard check: {error}")
    except Exception as error:  # noqa: BLE001 - promised: exit 2, with the reason
        fail(f"mailguard check: internal trouble: {type(error).__name__}: {error}", INTERNAL)
    if as_json:
        print_json(answer)
    else:
        _show(answer)


def _read(file: str) -> bytes:
    return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()


async def _batch(opening: Any, defaults: dict[str, Any]) -> None:
    """Answers in the order of the requests; a request that is wrong is answered by its error."""
    checker: Checker
    async with opening as checker:
        for line in sys.stdin.buffer:
            began = time.perf_counter()
            answer = await checker.answer(line, defaults)
            answer.setdefault("elapsed_ms", round((time.perf_counter() - began) * 1000, 3))
            print_json(answer)
            sys.stdout.flush()


def _show(answer: dict[str, Any]) -> None:
    rows = [
        (recipient, given["disposition"], given["reason"], ", ".join(given["rules"]))
        for recipient, given in answer["recipients"].items()
    ]
    print_table(
        f"Verdict: {answer['verdict']}", ("Recipient", "Disposition", "Reason", "Rules"), rows
    )
    findings = [(f["code"], f["evidence"], ", ".join(f["rules"])) for f in answer["findings"]]
    if findings:
        print_table("Findings", ("Code", "Evidence", "Rules"), findings)
    if answer["anomalies"]:
        odd = [(a["code"], a["where"] or "message", a["detail"]) for a in answer["anomalies"]]
        print_table("Anomalies", ("Code", "Where", "Detail"), odd)
    typer.echo(
        f"Edits: {len(answer['edits'])}   Links: {len(answer['links'])}   {answer['elapsed_ms']} ms"
    )
    if answer["internal_error"]:
        typer.echo(f"A defect of mailguard's: {terminal(answer['internal_error'])}")
    for line in answer["reply"].splitlines():
        typer.echo(f"Reply: {terminal(line)}")
