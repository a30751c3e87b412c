"""Every lookup for one message, concurrently, under one deadline: Facts for `decide`.

Owns what is asked of the world, the deadlines, and what is counted from message to message. What
does not answer is an `Unavailable` fact. Must not know what the directory says to which question
(`core.sender.directory_lookups`), or what the facts mean to a check.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from mailguard.core.decision.engines import EngineUnavailable, Scanned
from mailguard.core.decision.facts import AccountVolume, Bayes, Facts, Unavailable, Unblocked
from mailguard.core.mail import address
from mailguard.core.mail.transaction import Origin, Transaction
from mailguard.core.people.model import Account, Group, Person
from mailguard.core.sender import directory_lookups
from mailguard.core.sender.audience import Reach, answers
from mailguard.core.spam import tokens
from mailguard.core.text.reading import Reading
from mailguard.pipeline.off_loop import off_loop_if_large, weight
from mailguard.pipeline.ports import Authentication, Judging
from mailguard.pipeline.send_window import SentMessage
from mailguard.pipeline.snapshot import Snapshot

T = TypeVar("T")


async def gather(
    transaction: Transaction, snapshot: Snapshot, judging: Judging, digest: str, now: float
) -> Facts:
    """All facts that the snapshot's policy needs. `digest`, of the raw message, is what windows
    tell it from others by. Never raises for a lookup that fails."""
    needs, asked = snapshot.policy.needs, snapshot.policy.looks_back
    asking = asyncio.create_task(
        _within(judging.deadline, judging.authenticator.authenticate(transaction))
    )
    try:
        reading, engines = await _read(transaction, judging, needs)
        authentication = await asking
    finally:
        asking.cancel()
    if isinstance(authentication, Unavailable):
        gone = authentication
        authentication = Authentication(spf=gone, dkim=gone, arc=gone, dmarc=gone)
    today = directory_lookups.day_at(now, snapshot.district.time_zone)
    known = directory_lookups.look_up(transaction, snapshot.directory, snapshot.district, today)
    message = digest.encode("ascii")
    size = weight(transaction)
    facts = Facts(
        now=now,
        district=snapshot.district,
        today=today,
        account=known.account,
        account_clients=_clients(transaction, judging, now),
        owner=known.owner,
        grants=known.grants,
        leavers=known.leavers,
        people=known.people,
        sites=known.sites,
        groups=known.groups,
        supported=known.supported,
        administrators=known.administrators,
        technology=known.technology,
        supervisor=known.supervisor,
        approvers=directory_lookups.approvers(snapshot.policy.approvers, snapshot.directory, today),
        events=known.events,
        namesakes=known.namesakes,
        short_namesakes=known.short_namesakes,
        offices=known.offices,
        unblocked=_unblocked(transaction, snapshot, judging, now) if "unblocked" in needs else None,
        bayes=await off_loop_if_large(size, _bayes, transaction, reading, judging)
        if "bayes" in needs
        else None,
        engines=engines,
        sent=_sent(transaction, message, known.account, known.owner, judging, now)
        if "sent" in needs
        else None,
        spf=authentication.spf,
        dkim=authentication.dkim,
        arc=authentication.arc,
        dmarc=authentication.dmarc,
        may_tell=judging.notices.allows(transaction.envelope.reverse_path, now),
        link_keys=snapshot.link_keys,
        reading=reading,
    )
    answered = await _answered(transaction, known.groups, snapshot, judging)
    reach = Reach.of(transaction, facts, snapshot.directory)
    recent = _counted(reach, message, judging, asked)
    seconds = asked.get("mailing")
    return replace(
        facts,
        audiences=reach.audiences(),
        units=reach.bargaining_units(),
        listed=reach.listed(recent, asked["listed"]) if "listed" in asked else (),
        mailing=reach.mailing(recent, seconds) if reach.sender and seconds is not None else None,
        answered=answered,
    )


def _counted(
    reach: Reach, message: bytes, judging: Judging, asked: Mapping[str, float]
) -> Sequence[SentMessage]:
    """Count the message among its proven sender's, where a check looks back; what the sender sent
    within the longest window, this one included."""
    if not reach.sender or asked.keys().isdisjoint({"mailing", "listed"}):
        return ()
    transaction, now = reach.transaction, reach.facts.now
    judging.mailings.count(
        reach.sender,
        transaction.id,
        (message, address.normalise(transaction.envelope.reverse_path)),
        reach.prints,
        reach.units,
        now,
    )
    return judging.mailings.recent(reach.sender, now, max(asked.values()))


async def _answered(
    transaction: Transaction, groups: Mapping[str, Group], snapshot: Snapshot, judging: Judging
) -> tuple[str, ...] | Unavailable | None:
    """The groups among the recipients that had the message which this one answers; None where
    nobody asks."""
    if not groups or "answered" not in snapshot.policy.looks_back:
        return None
    message_id = answers(transaction)
    if not message_id:
        return ()
    reached = await _within(judging.deadline, judging.earlier.groups_reached(message_id))
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
    transaction: Transaction, judging: Judging, needs: frozenset[str]
) -> tuple[Reading | Unavailable, Mapping[str, Scanned | EngineUnavailable] | Unavailable]:
    """The reading, and what the engines say meanwhile. Each of these has a deadline of its own
    below the one for all."""
    reading = _within(judging.deadline, judging.reader.read(transaction.message))
    if judging.engines is None or "engines" not in needs:
        return await reading, {}
    reader = asyncio.create_task(reading)
    try:
        engines = await _within(judging.deadline, judging.engines.scan(transaction, reader))
        return await reader, engines
    finally:
        reader.cancel()


def _clients(transaction: Transaction, judging: Judging, now: float) -> int:
    """How many addresses the login was used from (R4); 0 without one. A server that passes logins
    on tells its clients' addresses."""
    login = transaction.envelope.account
    if login is None:
        return 0
    return judging.clients.see(login.lower(), transaction.envelope.client_address, now)


def _sent(
    transaction: Transaction,
    message: bytes,
    account: Account | Unavailable | None,
    owner: Person | None,
    judging: Judging,
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
    hour, day = judging.sent.see(who, message, envelope.recipients, now)
    return AccountVolume(who, hour, day)


def _unblocked(
    transaction: Transaction, snapshot: Snapshot, judging: Judging, now: float
) -> Unblocked | Unavailable | None:
    author = transaction.message.author
    if author.ambiguous or len(author.boxes) != 1:
        return None
    mailbox = address.normalise(author.boxes[0].address)
    listed = snapshot.unblocked.get(mailbox.lower())  # not what a reload has brought meanwhile
    if listed is not None and (listed.expires_at is None or listed.expires_at > now):
        return listed
    return judging.unblocking.look_up(mailbox, now)


def _bayes(
    transaction: Transaction, reading: Reading | Unavailable, judging: Judging
) -> Bayes | Unavailable | None:
    if isinstance(reading, Unavailable):
        return reading
    return judging.learned.opinion(lambda: tokens.words(transaction.message, reading))
