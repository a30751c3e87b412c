"""Whom a message reaches: audiences of groups, members named one by one, how much a sender sends
(R17, R20, R24, R25).

Owns how these facts follow from the directory and from what the sender sent before. What it costs
grows with the message's recipients, not with the district. Must not know what is allowed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from mailguard.core.decision.facts import Audience, Facts, Listed, Mailing, Unavailable
from mailguard.core.mail import address
from mailguard.core.mail.transaction import Transaction
from mailguard.core.people.directory import Directory
from mailguard.core.people.model import Group, Person, Site
from mailguard.core.sender import identity
from mailguard.core.sender.identity import Identity
from mailguard.core.sender.outside_proof import author_authenticated
from mailguard.core.text.folding import folded
from mailguard.core.text.reading import Reading
from mailguard.pipeline.send_window import Mailings, SentMessage
from mailguard.pipeline.snapshot import Snapshot

_FEWEST = 3  # members named, before anything is looked up
_SHARE = 0.2  # of a group's members, from which on it is a fact
_MOST_GROUPS = 100  # of these; a message to one school names members of some dozens
_MOST_SHOWN = 1_000  # addresses of To and Cc
_PRINTED = 10_000  # characters of the author's text
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,498}>")
_VARYING = re.compile(r"[\W\d_]+")
_ANSWER = re.compile(r"(?:(?:re|fwd?|aw|wg|rv|sv)\s*(?:\[\d{1,3}\])?\s*:\s*)++", re.IGNORECASE)


def complete(
    facts: Facts,
    transaction: Transaction,
    snapshot: Snapshot,
    mailings: Mailings,
    answered: tuple[str, ...] | Unavailable | None,
) -> Facts:
    """The facts, with those of this module. Counts the message among its sender's."""
    directory, asked = snapshot.directory, snapshot.policy.looks_back
    who = identity.identity(transaction, facts)
    reaching = _Reaching(transaction, facts, directory, who.owner)
    sender = _sender(who, facts)
    recent: list[SentMessage] = []
    if sender and ("mailing" in asked or "listed" in asked):
        prints = _prints(transaction, facts)
        mailings.count(
            sender,
            transaction.id,
            (hash(transaction.message.raw), address.normalise(transaction.envelope.reverse_path)),
            prints,
            reaching.units,
            facts.now,
        )
        recent = mailings.recent(sender, facts.now, max(asked.values()))
        alike = [s for s in _within(recent, facts.now, asked.get("listed")) if s.prints & prints]
    else:
        alike = []
    audiences = {r: reaching.audience(group) for r, group in facts.groups.items()}
    owner = facts.owner
    return replace(
        facts,
        groups={r: replace(group, members=()) for r, group in facts.groups.items()},
        sites=_sites(facts, directory),
        technology=directory.with_role("technology_services_director", facts.today),
        supervisor=_there(directory.people.get(owner.manager), facts.today) if owner else None,
        audiences=audiences,
        listed=reaching.listed(alike) if "listed" in asked else (),
        units=directory.units_of(_proven(who, transaction, facts)) if facts.groups else (),
        events=tuple(e for e in directory.events if e.first <= facts.today <= e.last),
        mailing=_mailing(reaching, recent, asked["mailing"], facts.now)
        if sender and "mailing" in asked
        else None,
        answered=answered,
    )


def answers(transaction: Transaction) -> str:
    """The Message-ID that a message says it answers, brackets included; "" for none."""
    found = _MESSAGE_ID.search(transaction.message.value("In-Reply-To")[:2_000])
    return found[0] if found is not None else ""


@dataclass(frozen=True)
class _Reaching:
    """A message's recipients in the directory."""

    transaction: Transaction
    facts: Facts
    directory: Directory
    owner: Person | None  # proven

    @cached_property
    def units(self) -> dict[str, str]:
        """Each recipient as what is counted once: a person's id, or an address."""
        made = {}
        for recipient in self.transaction.envelope.recipients:
            person = self.facts.people.get(recipient.lower())
            group = self.facts.groups.get(recipient)
            known = group.address if group is not None else address.normalise(recipient)
            made[recipient] = person.id if person is not None else known
        return made

    def audience(self, group: Group) -> Audience:
        membership = self.directory.membership
        owner = self.owner
        everybody = membership.mask(group.address) & self.others
        at_hand = membership.mask_at(owner.sites) if owner is not None else 0
        way = membership.ways(owner.id).get(group.address, ()) if owner is not None else ()
        names = tuple(self.directory.groups[inside].name for inside in way)
        return Audience(everybody.bit_count(), (everybody & ~at_hand).bit_count(), names)

    @cached_property
    def others(self) -> int:
        """Everybody who is there, but the sender."""
        membership = self.directory.membership
        own = membership.mask_of([self.owner.id]) if self.owner is not None else 0
        return membership.present(self.facts.today) & ~own

    def listed(self, alike: Iterable[SentMessage]) -> tuple[Listed, ...]:
        """The groups of which at least a fifth is named one by one, the fullest first."""
        directory, membership = self.directory, self.directory.membership
        here = {
            recipient: person
            for recipient in self.transaction.envelope.recipients
            if (person := self.facts.people.get(recipient.lower())) is not None
        }
        named = {person.id for person in here.values()} | set(self._shown())
        groups = {group.address for group in self.facts.groups.values()}
        for sent in alike:
            for unit in sent.units.values():
                (groups if unit in directory.groups else named).add(unit)
        if len(named) < _FEWEST:
            return ()
        ways = {id: membership.groups_of(id) for id in named}
        tally = Counter(group for of_one in ways.values() for group in of_one)
        bits = membership.mask_of(named) & self.others
        by_group = 0
        for group in groups:
            by_group |= membership.mask(group)
        found = []
        for group, count in tally.items():
            if count < _FEWEST:
                continue
            everybody = membership.mask(group) & self.others
            rest = everybody & ~by_group
            full, left = everybody.bit_count(), rest.bit_count()
            listed, rest_listed = (bits & everybody).bit_count(), (bits & rest).bit_count()
            share = max(listed / max(full, 1), rest_listed / max(left, 1))
            members = tuple(r for r, person in here.items() if group in ways[person.id])
            if share >= _SHARE and members:
                kept = replace(directory.groups[group], members=())
                audience = self.audience(directory.groups[group])
                found.append((share, Listed(kept, audience, members, listed, left, rest_listed)))
        found.sort(key=lambda pair: (-pair[0], pair[1].group.address))
        return tuple(one for _, one in found[:_MOST_GROUPS])

    def _shown(self) -> Iterable[str]:
        """The people whom To and Cc name: a mail program may send each a transaction of its own."""
        for name in ("To", "Cc"):
            for mailbox in self.transaction.message.mailboxes(name).addresses[:_MOST_SHOWN]:
                person = self.directory.person_at(mailbox)
                if person is not None:
                    yield person.id


def _mailing(reaching: _Reaching, recent: list[SentMessage], seconds: float, now: float) -> Mailing:
    directory, membership = reaching.directory, reaching.directory.membership
    sent = _within(recent, now, seconds)
    units = {unit for one in sent for unit in one.units.values()}
    groups = [unit for unit in units if unit in directory.groups]
    people = membership.mask_of(units)
    for group in groups:
        people |= membership.mask(group)
    inside = (people & reaching.others).bit_count()
    elsewhere = [u for u in units if u not in directory.groups and u not in directory.people]
    ours = sum(reaching.facts.district.owns(mailbox) for mailbox in elsewhere)
    return Mailing(inside + ours, len(elsewhere) - ours, len(sent) - 1, seconds)


def _within(recent: Iterable[SentMessage], now: float, seconds: float | None) -> list[SentMessage]:
    return [sent for sent in recent if seconds is not None and sent.at > now - seconds]


def _sender(who: Identity, facts: Facts) -> str:
    """Whose window counts: the person's, whichever account or address they use."""
    if who.owner is not None:
        return f"person {who.owner.id}"
    account = facts.account
    if account is not None and not isinstance(account, Unavailable):
        return f"account {account.login}"
    return who.authenticated_as


def _proven(who: Identity, transaction: Transaction, facts: Facts) -> Iterable[str]:
    """The person and address that are proven to send; of outside mail the author's address, where
    its domain vouches for it."""
    if who.inside:
        return (who.authenticated_as, who.owner.id if who.owner is not None else "")
    author = identity.author(transaction)
    return (author,) if author and author_authenticated(transaction, facts) else ()


def _prints(transaction: Transaction, facts: Facts) -> frozenset[str]:
    """Two messages are alike when their subject or their author's text is the same, numbers and
    punctuation aside."""
    subject = _ANSWER.sub("", transaction.message.value("Subject")[:500].strip())
    texts = facts.reading.texts if isinstance(facts.reading, Reading) else ()
    text = texts[0].author_visible[:_PRINTED] if texts else ""
    prints = {
        f"{kind}{hash(words)}"
        for kind, written in (("s", subject), ("t", text))
        if (words := _VARYING.sub("", folded(written)))
    }
    return frozenset(prints or {"nothing"})


def _sites(facts: Facts, directory: Directory) -> Mapping[str, Site]:
    """Besides those of owner and groups: what the owner, and whom they assist, administer."""
    people = (facts.owner, *facts.supported) if facts.owner is not None else ()
    ids = {site for person in people for site in directory.administered_by(person.id)}
    return {**facts.sites, **{i: directory.sites[i] for i in sorted(ids)}}


def _there(person: Person | None, today: date) -> Person | None:
    return person if person is not None and person.left_since(today) is None else None
