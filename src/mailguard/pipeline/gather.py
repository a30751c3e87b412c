"""Every lookup for one message, concurrently, under one deadline: Facts for `decide`.

Owns which lookup fills which fact. What does not answer is an `Unavailable` fact.
Must not know what the facts mean to a check.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import date
from typing import TypedDict, TypeVar

from mailguard.core.decision.engines import EngineUnavailable, Scanned
from mailguard.core.decision.facts import AccountVolume, Bayes, Facts, Unavailable, Unblocked
from mailguard.core.mail import address
from mailguard.core.mail.transaction import Origin, Transaction
from mailguard.core.people.directory import Directory
from mailguard.core.people.model import Account, Group, Person, Site
from mailguard.core.people.offices import Office
from mailguard.core.spam import tokens
from mailguard.core.text.reading import Reading
from mailguard.pipeline import reach, standing
from mailguard.pipeline.ports import Authentication, World
from mailguard.pipeline.snapshot import Snapshot

AUTHOR_FIELDS = ("From", "Sender", "Reply-To", "Resent-From", "Resent-Sender")
_MOST_ADDRESSES = 1_000  # of author fields; more are an ambiguity that needs no look-up

T = TypeVar("T")


async def gather(transaction: Transaction, snapshot: Snapshot, world: World, now: float) -> Facts:
    """All facts that the snapshot's policy needs. Never raises for a lookup that fails."""
    needs = snapshot.policy.needs
    asking = asyncio.create_task(
        _within(world.deadline, world.authenticator.authenticate(transaction))
    )
    try:
        reading, engines = await _read(transaction, world, needs)
        authentication = await asking
    finally:
        asking.cancel()
    if isinstance(authentication, Unavailable):
        gone = authentication
        authentication = Authentication(spf=gone, dkim=gone, arc=gone, dmarc=gone)
    directory = snapshot.directory
    today = standing.day_at(now, snapshot.district.time_zone)
    account, owner = _who(transaction, directory)
    people = _people(transaction, directory)
    groups = _groups(transaction, directory)
    facts = Facts(
        now=now,
        district=snapshot.district,
        today=today,
        account=account,
        account_clients=_clients(transaction, world, now),
        owner=owner,
        grants=standing.grants(transaction, owner, directory),
        leavers=standing.leavers(transaction, today, directory),
        people=people,
        sites=_sites(owner, groups, directory),
        groups=groups,
        supported=directory.named(owner.supports) if owner else (),
        administrators=_administrators(owner, today, directory),
        **_shown(transaction, snapshot),
        unblocked=_unblocked(transaction, snapshot, world, now) if "unblocked" in needs else None,
        bayes=_bayes(transaction, reading, world) if "bayes" in needs else None,
        engines=engines,
        sent=_sent(transaction, account, owner, world, now) if "sent" in needs else None,
        spf=authentication.spf,
        dkim=authentication.dkim,
        arc=authentication.arc,
        dmarc=authentication.dmarc,
        link_keys=snapshot.link_keys,
        reading=reading,
    )
    answered = await _answered(transaction, groups, snapshot, world)
    return reach.complete(facts, transaction, snapshot, world.mailings, answered)


async def _answered(
    transaction: Transaction, groups: dict[str, Group], snapshot: Snapshot, world: World
) -> tuple[str, ...] | Unavailable | None:
    """The groups among the recipients that had the message which this one answers; None where
    nobody asks."""
    if not groups or "answered" not in snapshot.policy.looks_back:
        return None
    answers = reach.answers(transaction)
    if not answers:
        return ()
    reached = await _within(world.deadline, world.ledger.groups_reached(answers))
    if isinstance(reached, Unavailable):
        return reached
    return tuple(r for r, group in groups.items() if group.address in reached)


async def _within(seconds: float, lookup: Awaitable[T]) -> T | Unavailable:
    try:
        async with asyncio.timeout(seconds):
            return await lookup
    except TimeoutError:
        return Unavailable(f"no answer within {seconds:g} seconds")
    except Exception as error:  # noqa: BLE001 - a lookup that fails is a fact, not a crash
        return Unavailable(f"{type(error).__name__}: {error}")


async def _read(
    transaction: Transaction, world: World, needs: frozenset[str]
) -> tuple[Reading | Unavailable, Mapping[str, Scanned | EngineUnavailable] | Unavailable]:
    """The reading, and what the engines say meanwhile. Each of these has a deadline of its own
    below the one for all."""
    reading = _within(world.deadline, world.reader.read(transaction.message))
    if world.engines is None or "engines" not in needs:
        return await reading, {}
    reader = asyncio.create_task(reading)
    try:
        engines = await _within(world.deadline, world.engines.scan(transaction, reader))
        return await reader, engines
    finally:
        reader.cancel()


def _who(transaction: Transaction, directory: Directory) -> tuple[Account | None, Person | None]:
    """The account behind the login or the device, and the person behind the message.

    Outside mail has no owner, whatever its From says; a trusted relay's is whom its single From
    address belongs to.
    """
    login = transaction.envelope.account
    if login is not None:
        account = directory.account_for(login)
        owner = directory.people.get(account.owner) if account and account.owner else None
        return account, owner
    account = standing.device(transaction, directory)
    if account is not None:
        return account, None
    author = transaction.message.author
    if transaction.origin is Origin.OUTSIDE or author.ambiguous or len(author.boxes) != 1:
        return None, None
    return None, directory.person_at(author.boxes[0].address)


def _clients(transaction: Transaction, world: World, now: float) -> int:
    """How many addresses the login was used from (R4); 0 without one. A server that passes logins
    on tells its clients' addresses."""
    login = transaction.envelope.account
    if login is None:
        return 0
    return world.clients.see(login.lower(), transaction.envelope.client_address, now)


def _sent(
    transaction: Transaction,
    account: Account | Unavailable | None,
    owner: Person | None,
    world: World,
    now: float,
) -> AccountVolume | None:
    """Count the recipients of mail from inside (R55): by login or device; behind a server that
    tells neither, by the person whose address it bears."""
    envelope = transaction.envelope
    who = (envelope.account or "").lower()
    if not who and isinstance(account, Account):
        who = account.login
    if not who and owner is not None and transaction.origin is Origin.INSIDE:
        who = owner.id
    if not who:
        return None
    hour, day = world.sent.see(who, transaction.message.raw, envelope.recipients, now)
    return AccountVolume(who, hour, day)


def _people(transaction: Transaction, directory: Directory) -> dict[str, Person]:
    """Directory people by every address in play: envelope and author fields."""
    envelope = transaction.envelope
    wanted = [envelope.reverse_path, *envelope.recipients]
    for name in AUTHOR_FIELDS:
        wanted += transaction.message.mailboxes(name).addresses[:_MOST_ADDRESSES]
    found = {}
    for mailbox in wanted:
        person = directory.person_at(mailbox)
        if person is not None:
            found[mailbox.lower()] = person
    return found


def _groups(transaction: Transaction, directory: Directory) -> dict[str, Group]:
    found = {}
    for recipient in transaction.envelope.recipients:
        group = directory.group_at(recipient)
        if group is not None:
            found[recipient] = group
    return found


def _sites(owner: Person | None, groups: dict[str, Group], directory: Directory) -> dict[str, Site]:
    ids = {*(owner.sites if owner else ()), *(s for group in groups.values() for s in group.sites)}
    return {i: directory.sites[i] for i in sorted(ids) if i in directory.sites}


def _administrators(owner: Person | None, today: date, directory: Directory) -> tuple[Person, ...]:
    """Whom the owner may ask: the administrators of the owner's sites (R18), unless gone (R6)."""
    if owner is None:
        return ()
    ids = (
        i for s in owner.sites if s in directory.sites for i in directory.sites[s].administrators
    )
    return tuple(p for p in directory.named(dict.fromkeys(ids)) if not p.left_since(today))


class _Shown(TypedDict):
    """What the From field displays of the district's people and offices."""

    namesakes: tuple[Person, ...]
    short_namesakes: tuple[Person, ...]
    offices: tuple[Office, ...]


def _shown(transaction: Transaction, snapshot: Snapshot) -> _Shown:
    directory, district = snapshot.directory, snapshot.district
    shown = [box.display_name for box in transaction.message.author.boxes[:10] if box.display_name]
    named = {p.id: p for name in shown for p in directory.namesakes(name)[:10]}
    short = {p.id: p for name in shown for p in directory.short_namesakes(name)[:10]}
    own = (district.name, district.short_name)
    offices = [office for name in shown for office in directory.offices_shown(name, own)]
    return {
        "namesakes": tuple(named.values()),
        "short_namesakes": tuple(p for p in short.values() if p.id not in named),
        "offices": tuple(offices),
    }


def _unblocked(
    transaction: Transaction, snapshot: Snapshot, world: World, now: float
) -> Unblocked | Unavailable | None:
    author = transaction.message.author
    if author.ambiguous or len(author.boxes) != 1:
        return None
    mailbox = address.normalise(author.boxes[0].address)
    listed = snapshot.unblocked.get(mailbox.lower())  # not what a reload has brought meanwhile
    if listed is not None and (listed.expires_at is None or listed.expires_at > now):
        return listed
    return world.unblocking.look_up(mailbox, now)


def _bayes(
    transaction: Transaction, reading: Reading | Unavailable, world: World
) -> Bayes | Unavailable | None:
    if isinstance(reading, Unavailable):
        return reading
    return world.learned.opinion(lambda: tokens.words(transaction.message, reading))
