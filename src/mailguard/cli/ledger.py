"""`mailguard ledger`: every acknowledged message and the end state of each recipient."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailguard.cli.loading import load_or_exit, opened
from mailguard.terminal import ConfigOption, fail, print_json, print_table

if TYPE_CHECKING:
    from mailguard.pipeline.ports import LedgerEntry


def ledger(
    config: ConfigOption = Path("config"),
    limit: Annotated[int, typer.Option(help="The newest so many; 0 for all.")] = 50,
    state: Annotated[str, typer.Option(help="Only with a recipient in this state.")] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Refused and deferred messages too.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, all of them.")
    ] = False,
) -> None:
    """Every acknowledged message and what became of each recipient's copy.

    The id is the one in the 250 reply and in our Received field; `mailguard explain ID` tells more.
    """
    from mailguard.core.decision.plan import State

    try:
        wanted = State(state) if state else None
    except ValueError:
        fail(f"no state {state!r}; there are: {', '.join(s.value for s in State)}")
    with opened(load_or_exit(config)) as open_state:
        entries = open_state.ledger.entries(
            limit=None if as_json or not limit else limit,
            state=wanted,
            acknowledged=not everything,
            newest_first=not as_json,
        )
        asyncio.run(_show(entries, as_json))


async def _show(entries: AsyncIterator[LedgerEntry], as_json: bool) -> None:
    """As JSON page by page, however many there are."""
    rows = []
    async for entry in entries:
        if as_json:
            print_json(as_record(entry))
            continue
        rows += [
            (
                when(entry.received_at),
                entry.id,
                entry.envelope["reverse_path"] or "<>",
                recipient,
                state.value,
                reason,
            )
            for recipient, (_, state, reason) in entry.recipients.items()
        ]
    if not as_json:
        print_table("", ("Received", "Id", "From", "To", "State", "Reason"), rows)


def as_record(entry: LedgerEntry) -> dict[str, Any]:
    """One entry as JSON."""
    return {
        "id": entry.id,
        "received_at": entry.received_at,
        "listener": entry.listener,
        "digest": entry.digest,
        "size": entry.size,
        "reverse_path": entry.envelope["reverse_path"],
        "client_address": entry.envelope.get("client_address", ""),
        "account": entry.envelope.get("account"),
        "subject": entry.subject,
        "message_id": entry.message_id,
        "reply": entry.reply,
        "recipients": {
            recipient: {"disposition": d.word, "state": s.value, "reason": reason}
            for recipient, (d, s, reason) in entry.recipients.items()
        },
    }


def when(at: float) -> str:
    """A moment for people, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
