"""`mailguard quarantine`: look at what is kept, and decide about it."""

from __future__ import annotations

import asyncio
import getpass
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailguard.cli.explain import reopened
from mailguard.cli.ledger import when
from mailguard.cli.loading import load_or_exit, opened
from mailguard.core.mail.safe_text import terminal
from mailguard.terminal import ConfigOption, JsonOption, fail, print_json, print_table

if TYPE_CHECKING:
    from mailguard.adapters.state import StateDirectory
    from mailguard.casework.quarantine import Quarantine
    from mailguard.casework.tickets import KeptCopy
    from mailguard.pipeline.judged_message import JudgedMessage
    from mailguard.pipeline.ports import LedgerEntry

commands = typer.Typer(name="quarantine", help="Mail that is kept.", no_args_is_help=True)

Reference = Annotated[str, typer.Argument(help="A number from the list, or a transaction id.")]
References = Annotated[list[str], typer.Argument(help="Numbers from the list, or transaction ids.")]
By = Annotated[str, typer.Option(help="Who decided it; the login name if not given.")]


@commands.command("list")
def list_holds(
    config: ConfigOption = Path("config"),
    state: Annotated[
        str, typer.Option(help="waiting, released, discarded, expired or all.")
    ] = "waiting",
    recipient: Annotated[str, typer.Option(help="Only for this recipient.")] = "",
    sender: Annotated[str, typer.Option(help="Only from this reverse-path.")] = "",
    reason: Annotated[str, typer.Option(help="Only for this finding, or this check's.")] = "",
    as_json: JsonOption = False,
) -> None:
    """What is kept, oldest first."""
    with opened(load_or_exit(config)) as open_state:
        wanted = open_state.ledger.holds(
            state=None if state == "all" else state,
            recipient=recipient or None,
            reverse_path=sender or None,
        )
        holds = [h for h in asyncio.run(wanted) if h.reason.startswith(reason)]
        subjects = asyncio.run(_subjects(open_state, holds))
    if as_json:
        print_json([_record(h) | {"subject": subjects[h.transaction_id]} for h in holds])
        return
    print_table(
        f"{len(holds)} kept",
        ("No.", "Since", "From", "To", "Subject", "Reason", "State"),
        [
            (
                h.id,
                when(h.created_at),
                h.reverse_path or "<>",
                h.recipient,
                subjects[h.transaction_id],
                h.reason,
                h.state,
            )
            for h in holds
        ],
    )


@commands.command("show")
def show(
    reference: Reference, config: ConfigOption = Path("config"), as_json: JsonOption = False
) -> None:
    """One kept message: why it is kept and what it says, as safe text."""
    from mailguard.core.mail import mime
    from mailguard.core.text import reader

    with opened(load_or_exit(config)) as state:
        holds = _found(state, reference)
        raw = state.blobs.read(holds[0].digest)
    message = mime.parse(raw)
    texts = [t.visible for t in reader.read(message).texts]
    fields = {n: message.value(n) for n in ("From", "To", "Cc", "Subject", "Date", "Message-ID")}
    if as_json:
        print_json({"kept": [_record(h) for h in holds], "fields": fields, "texts": texts})
        return
    for hold in holds:
        typer.echo(f"{hold.id}  to {terminal(hold.recipient)}: {hold.state}, {hold.reason}")
        typer.echo(f"    {terminal(hold.evidence)}")
    for name, value in fields.items():
        if value:
            typer.echo(f"{name}: {terminal(value)}")
    for part in message.parts:
        if part.filenames:
            typer.echo(f"Attachment: {terminal(part.filenames[0])} ({part.content_type})")
    for text in texts[:1]:
        typer.echo()
        for line in text.splitlines()[:200]:
            typer.echo(terminal(line))


@commands.command("raw")
def raw_message(reference: Reference, config: ConfigOption = Path("config")) -> None:
    """Write one kept message to standard output, exactly as received."""
    with opened(load_or_exit(config)) as state:
        holds = _found(state, reference)
        sys.stdout.buffer.write(state.blobs.read(holds[0].digest))


@commands.command("release")
def release(
    references: References,
    config: ConfigOption = Path("config"),
    by: By = "",
    learn: Annotated[bool, typer.Option(help="Teach the filter that this is wanted mail.")] = True,
    allow: Annotated[
        bool, typer.Option("--allow", help="Put the author on the unblocked list as well (R31).")
    ] = False,
) -> None:
    """Deliver kept messages: the original bytes, with the disclaimers and links of their copy."""
    _decided(
        config,
        lambda kept: kept.release(references, _name(by), learn=learn, allow=allow),
        "released",
    )


@commands.command("discard")
def discard(
    references: References,
    config: ConfigOption = Path("config"),
    by: By = "",
    learn: Annotated[bool, typer.Option(help="Teach the filter that this is spam.")] = True,
) -> None:
    """Decide that kept messages are not delivered. The archive keeps them."""
    _decided(config, lambda kept: kept.discard(references, _name(by), learn=learn), "discarded")


def _decided(
    config: Path, decide: Callable[[Quarantine], Awaitable[Sequence[KeptCopy]]], became: str
) -> None:
    """Carry a decision out and show each copy's new state; what stands against it is told."""
    from mailguard.casework.quarantine import Quarantine
    from mailguard.casework.refusal import CommandRefused

    loaded = load_or_exit(config)
    with opened(loaded) as state:

        async def carry_out() -> Sequence[KeptCopy]:
            def reopen(entry: LedgerEntry) -> Awaitable[JudgedMessage]:
                return reopened(entry, state, loaded)

            return await decide(Quarantine(state.ledger, reopen, state.learned, time.time))

        try:
            copies = asyncio.run(carry_out())
        except CommandRefused as refused:
            fail(str(refused))
    for copy in copies:
        typer.echo(f"{copy.id}  {terminal(copy.recipient)}: {became}")


def _name(by: str) -> str:
    return by or getpass.getuser()


def _found(state: StateDirectory, reference: str) -> Sequence[KeptCopy]:
    """What is kept under a reference, whatever its state."""
    from mailguard.casework import quarantine
    from mailguard.casework.refusal import CommandRefused

    try:
        return asyncio.run(quarantine.find(state.ledger, [reference], None))
    except CommandRefused as refused:
        fail(str(refused))


async def _subjects(state: StateDirectory, holds: Sequence[KeptCopy]) -> dict[str, str]:
    """What each transaction's message has as its subject."""
    ids = dict.fromkeys(hold.transaction_id for hold in holds)
    found = {id_: await state.ledger.find(id_) for id_ in ids}
    return {id_: entry.subject if entry else "" for id_, entry in found.items()}


def _record(hold: KeptCopy) -> dict[str, Any]:
    return {
        "number": hold.id,
        "transaction": hold.transaction_id,
        "digest": hold.digest,
        "reverse_path": hold.reverse_path,
        "recipient": hold.recipient,
        "disposition": hold.disposition.word,
        "reason": hold.reason,
        "evidence": hold.evidence,
        "state": hold.state,
        "created_at": hold.created_at,
        "decided_at": hold.decided_at,
        "decided_by": hold.decided_by,
    }
