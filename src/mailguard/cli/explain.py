"""`mailguard explain ID`: why a message was treated as it was, decided again from its record."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailguard.cli.ledger import as_record, when
from mailguard.cli.loading import load_or_exit, opened
from mailguard.core.mail.safe_text import terminal
from mailguard.terminal import ConfigOption, JsonOption, fail, print_json, print_table

if TYPE_CHECKING:
    from mailguard.adapters.state import StateDirectory
    from mailguard.config.load import Loaded
    from mailguard.pipeline.judged_message import JudgedMessage
    from mailguard.pipeline.ports import LedgerEntry


def explain(
    id: Annotated[str, typer.Argument(help="The transaction id, as in the 250 reply.")],
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Why a message was treated as it was: every check, finding, rule and the outcome.

    The decision is made again from the recorded facts, under the policy of then, and compared.
    """
    loaded = load_or_exit(config)
    with opened(loaded) as state:
        entry = asyncio.run(state.ledger.find(id.strip().upper()))
        if entry is None:
            fail(
                f"no transaction {terminal(id)} in the ledger; `mailguard ledger --all` lists them"
            )
        answer = asyncio.run(_explained(entry, state, loaded))
    if as_json:
        print_json(answer)
    else:
        _show(answer)


async def _explained(entry: LedgerEntry, state: StateDirectory, loaded: Loaded) -> dict[str, Any]:
    from pydantic import ValidationError

    from mailguard.core.record.explain import report
    from mailguard.core.record.formats import NewerFormat
    from mailguard.core.record.stored import is_recorded

    answer: dict[str, Any] = {"record": as_record(entry)}
    try:
        judged = await reopened(entry, state, loaded)
        reproduced = is_recorded(judged.decision, entry.decision)
    except NewerFormat as newer:
        answer["reproduced"] = None
        answer["problem"] = f"cannot be decided again here: {newer}"
        return answer
    except (ValidationError, KeyError, ValueError) as error:
        answer["reproduced"] = None
        answer["problem"] = f"cannot be decided again by this version: {error}"
        return answer
    policy = judged.snapshot.policy
    answer |= report(
        judged.transaction, judged.facts, judged.decision, judged.plan, judged.reply(), policy
    )
    answer["reproduced"] = reproduced
    return answer


async def reopened(entry: LedgerEntry, state: StateDirectory, loaded: Loaded) -> JudgedMessage:
    """The judged message of a recorded transaction, under the policy it was decided by."""
    from mailguard.config.load import default_checks
    from mailguard.config.policy import restore
    from mailguard.pipeline.replay import replay
    from mailguard.server.wiring import replaying

    stored = await state.ledger.policy(entry.policy_digest)
    policy = restore(stored, default_checks()) if stored else loaded.snapshot.policy
    raw = await state.blobs.fetch(entry.digest)
    async with replaying(loaded.settings) as again:
        return await replay(entry, raw, replace(loaded.snapshot, policy=policy), again)


def _effect(finding: dict[str, Any]) -> str:
    if finding["observed"]:
        return f"only observed: {finding['disposition']}"
    if finding["waived_by"]:
        return f"waived: {finding['waived_by']}"
    return str(finding["disposition"])


def _show(answer: dict[str, Any]) -> None:
    record = answer["record"]
    typer.echo(
        f"{record['id']}  received {when(record['received_at'])} UTC on {record['listener']}"
    )
    typer.echo(
        f"From:    {terminal(record['reverse_path'] or '<>')}"
        + (f" (account {terminal(record['account'])})" if record["account"] else "")
    )
    typer.echo(f"Subject: {terminal(record['subject'])}")
    rows = [
        (recipient, given["disposition"], given["state"], given["reason"])
        for recipient, given in record["recipients"].items()
    ]
    print_table("", ("Recipient", "Disposition", "End state", "Reason"), rows)
    if "problem" in answer:
        typer.echo(terminal(answer["problem"]))
        return
    found = [
        (f["code"], _effect(f), f["evidence"], ", ".join(f["rules"])) for f in answer["findings"]
    ]
    print_table("What was found", ("Finding", "Effect", "Evidence", "Rules"), found)
    identity = answer["identity"]
    typer.echo(
        f"Proven identity: {terminal(identity['authenticated_as']) or 'none'} ({identity['basis']})"
    )
    typer.echo(f"Edits: {len(answer['edits'])}   Anomalies: {len(answer['anomalies'])}")
    for line in record["reply"].splitlines():
        typer.echo(f"Reply: {terminal(line)}")
    same = "the same" if answer["reproduced"] else "NOT the same: the version or the policy differs"
    typer.echo(f"Decided again from the recorded facts: {same}")
