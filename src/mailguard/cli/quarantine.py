"""`mailguard quarantine`: look at what is kept, and decide about it."""

from __future__ import annotations

import asyncio
import getpass
import sys
import time
from collections.abc import Sequence
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
    from mailguard.casework.tickets import KeptCopy, Listing
    from mailguard.config.load import Loaded
    from mailguard.pipeline.judged_message import JudgedMessage

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
        holds = asyncio.run(_found(state, [reference], None))
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
        holds = asyncio.run(_found(state, [reference], None))
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
    from mailguard.adapters.database.kept import RELEASED

    _decide(references, config, RELEASED, by, learn, allow)


@commands.command("discard")
def discard(
    references: References,
    config: ConfigOption = Path("config"),
    by: By = "",
    learn: Annotated[bool, typer.Option(help="Teach the filter that this is spam.")] = True,
) -> None:
    """Decide that kept messages are not delivered. The archive keeps them."""
    from mailguard.adapters.database.kept import DISCARDED

    _decide(references, config, DISCARDED, by, learn)


def _decide(
    references: Sequence[str],
    config: Path,
    decided: str,
    by: str,
    learn: bool,
    allow: bool = False,
) -> None:
    from mailguard.adapters.database.kept import AlreadyDecided

    loaded = load_or_exit(config)
    with opened(loaded) as state:
        holds = asyncio.run(_found(state, references, "waiting"))
        settled = [str(h.id) for h in holds if h.state != "waiting"]
        if settled:
            fail(f"decided before, so nothing was changed: {', '.join(settled)}")
        try:
            who = by or getpass.getuser()
            asyncio.run(_carry_out(state, loaded, holds, decided, who, learn, allow))
        except AlreadyDecided as error:
            fail(f"somebody else has just decided about {error}; see: mailguard quarantine list")
    for hold in holds:
        typer.echo(f"{hold.id}  {terminal(hold.recipient)}: {decided}")


async def _carry_out(
    state: StateDirectory,
    loaded: Loaded,
    holds: Sequence[KeptCopy],
    decided: str,
    by: str,
    learn: bool,
    allow: bool = False,
) -> None:
    """Each transaction's holds in one commit; then what it teaches."""
    from mailguard.adapters.database.kept import RELEASED
    from mailguard.adapters.database.learned import Lesson
    from mailguard.core.record.formats import NewerFormat
    from mailguard.core.spam import tokens
    from mailguard.core.text.reading import Reading
    from mailguard.pipeline.release import released

    by_transaction: dict[str, list[KeptCopy]] = {}
    for hold in holds:
        by_transaction.setdefault(hold.transaction_id, []).append(hold)
    for transaction_id, kept in by_transaction.items():
        entry = await state.ledger.find(transaction_id)
        if entry is None:
            raise KeyError(transaction_id)
        try:
            dossier = await reopened(entry, state, loaded)
        except (ValueError, NewerFormat) as error:  # its facts were written by another version
            if decided == RELEASED:
                fail(
                    f"{transaction_id} cannot be decided again by this version, so the edits of "
                    f"its copy are unknown; `mailguard quarantine raw {kept[0].id}` has the "
                    f"message: {error}"
                )
            await state.ledger.decide_hold([h.id for h in kept], decided, by)
            continue
        copies = [(h.id, h.recipient) for h in kept]
        outgoing = released(dossier, copies, time.time()) if decided == RELEASED else ()
        listings = [_listing(dossier, kept[0], by)] if allow else []
        await state.ledger.decide_hold([h.id for h in kept], decided, by, outgoing, listings)
        reading = dossier.facts.reading
        about_spam = any(h.reason.startswith("spam.") for h in kept)
        if learn and about_spam and isinstance(reading, Reading):
            words = tokens.words(dossier.transaction.message, reading)
            await state.learned.teach([Lesson(kept[0].digest, words, decided != RELEASED)])


def _listing(dossier: JudgedMessage, hold: KeptCopy, by: str) -> Listing:
    """The author's entry for the unblocked list: one address, or there is none to list (R37)."""
    from mailguard.casework.tickets import Listing
    from mailguard.core.sender.identity import author

    mailbox = author(dossier.transaction)
    if not mailbox:
        fail(f"{hold.id} has no single author, so nobody can be put on the list; nothing was done")
    if dossier.facts.district.owns(mailbox):
        fail(f"{terminal(mailbox)} is an address of the district, which the list is not for")
    now = time.time()
    return Listing(mailbox, f"release {hold.id}", "", by, now, now + _YEAR)


_YEAR = 365 * 86_400.0  # seconds that an entry made by hand counts (R38: yearly)


async def _found(
    state: StateDirectory, references: Sequence[str], wanted: str | None
) -> list[KeptCopy]:
    found: dict[int, KeptCopy] = {}
    for reference in references:
        text = reference.strip().upper()
        if text.isascii() and text.isdigit() and len(text) < 19:
            one = await state.ledger.hold(int(text))
            holds = [one] if one is not None else []
        else:
            holds = list(await state.ledger.holds(state=wanted, transaction_id=text))
            holds = holds or await _moved(state, text, wanted)
        if not holds:
            fail(f"nothing is kept under {terminal(reference)}; see: mailguard quarantine list")
        found |= {h.id: h for h in holds}
    return list(found.values())


async def _moved(state: StateDirectory, transaction_id: str, wanted: str | None) -> list[KeptCopy]:
    """What was kept under an id that notices name, and now belongs to the retry that followed."""
    entry = await state.ledger.find(transaction_id)
    if entry is None:
        return []
    reverse_path = str(entry.envelope.get("reverse_path", ""))
    holds = await state.ledger.holds(state=wanted, reverse_path=reverse_path)
    return [h for h in holds if h.digest == entry.digest and h.recipient in entry.recipients]


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
