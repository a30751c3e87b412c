"""Whom a message reaches: audiences of groups, members named one by one, how much a sender sends
(R17, R20, R24, R25).

Owns how these facts follow from the directory and from what the sender sent before, which is given.
What it costs grows with the message's recipients, not with the district. Must not know what is
allowed, or how what was sent is remembered.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

from mailguard.core.decision.facts import Audience, Facts, Listed, Mailing, Unavailable
from mailguard.core.mail import address
from mailguard.core.mail.transaction import Transaction
from mailguard.core.people.directory import Directory
from mailguard.core.people.model import Group, Unit
from mailguard.core.sender.identity import Identity, author, identity
from mailguard.core.sender.outside_proof import author_authenticated
from mailguard.core.text.folding import folded
from mailguard.core.text.reading import Reading

_FEWEST = 3  # members named, before anything is looked up
_SHARE = 0.2  # of a group's members, from which on it is a fact
_MOST_GROUPS = 100  # of these; a message to one school names members of some dozens
_MOST_SHOWN = 1_000  # addresses of To and Cc
_PRINTED = 10_000  # characters of the author's text
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,498}>")
_VARYING = re.compile(r"[\W\d_]+")
_ANSWER = re.compile(r"(?:(?:re|fwd?|aw|wg|rv|sv)\s*(?:\[\d{1,3}\])?\s*:\s*)++", re.IGNORECASE)


class EarlierMessage(Protocol):
    """A message of the sender's within the window, this one included."""

    @property
    def at(self) -> float: ...
    @property
    def prints(self) -> frozenset[str]: ...
    @property
    def units(self) -> Mapping[str, str]: ...


def answers(transaction: Transaction) -> str:
    """The Message-ID that a message says it answers, brackets included; "" for none."""
    found = _MESSAGE_ID.search(transaction.message.value("In-Reply-To")[:2_000])
    return found[0] if found is not None else ""


@dataclass(frozen=True)
class Reach:
    """A message's recipients in the directory. `facts` has what `directory_lookups` answers."""

    transaction: Transaction
    facts: Facts
    directory: Directory
    who: Identity  # proven
    sender: str  # whose window counts; "" for one that nothing proves

    @classmethod
    def of(cls, transaction: Transaction, facts: Facts, directory: Directory) -> Reach:
        who = identity(transaction, facts)
        return cls(transaction, facts, directory, who, _sender(who, facts))

    # The sender

    @cached_property
    def prints(self) -> frozenset[str]:
        """Two messages are alike when their subject or their author's text is the same, numbers and
        punctuation aside."""
        return _prints(self.transaction, self.facts)

    def bargaining_units(self) -> tuple[Unit, ...]:
        """The units for which the sender is proven to write to a group (R24): as that person or
        address; of outside mail as the author, where its domain vouches for it."""
        if not self.facts.groups:
            return ()
        who = self.who
        if who.inside:
            proven = (who.authenticated_as, who.owner.id if who.owner is not None else "")
            return self.directory.units_of(proven)
        claimed = author(self.transaction)
        vouched = bool(claimed) and author_authenticated(self.transaction, self.facts)
        return self.directory.units_of((claimed,)) if vouched else ()

    # The recipients

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

    def audiences(self) -> dict[str, Audience]:
        """Whom each group among the recipients reaches."""
        return {recipient: self._audience(group) for recipient, group in self.facts.groups.items()}

    def _audience(self, group: Group) -> Audience:
        membership, owner = self.directory.membership, self.who.owner
        everybody = membership.mask(group.address) & self._others
        at_hand = membership.mask_at(owner.sites) if owner is not None else 0
        way = membership.ways(owner.id).get(group.address, ()) if owner is not None else ()
        names = tuple(self.directory.groups[inside].name for inside in way)
        return Audience(everybody.bit_count(), (everybody & ~at_hand).bit_count(), names)

    @cached_property
    def _others(self) -> int:
        """Everybody who is there, but the sender."""
        membership, owner = self.directory.membership, self.who.owner
        own = membership.mask_of([owner.id]) if owner is not None else 0
        return membership.present(self.facts.today) & ~own

    def listed(self, recent: Iterable[EarlierMessage], seconds: float) -> tuple[Listed, ...]:
        """The groups of which at least a fifth is named one by one, here and in the messages like
        this one of the last so many seconds, the fullest first."""
        directory, membership = self.directory, self.directory.membership
        here = {
            recipient: person
            for recipient in self.transaction.envelope.recipients
            if (person := self.facts.people.get(recipient.lower())) is not None
        }
        named = {person.id for person in here.values()} | set(self._shown())
        groups = {group.address for group in self.facts.groups.values()}
        for sent in _within(recent, self.facts.now, seconds):
            if sent.prints & self.prints:
                for unit in sent.units.values():
                    (groups if unit in directory.groups else named).add(unit)
        if len(named) < _FEWEST:
            return ()
        ways = {id: membership.groups_of(id) for id in named}
        tally = Counter(group for of_one in ways.values() for group in of_one)
        bits = membership.mask_of(named) & self._others
        by_group = 0
        for group in groups:
            by_group |= membership.mask(group)
        found = []
        for group, count in tally.items():
            if count < _FEWEST:
                continue
            everybody = membership.mask(group) & self._others
            rest = everybody & ~by_group
            full, left = everybody.bit_count(), rest.bit_count()
            listed, rest_listed = (bits & everybody).bit_count(), (bits & rest).bit_count()
            share = max(listed / max(full, 1), rest_listed / max(left, 1))
            members = tuple(r for r, person in here.items() if group in ways[person.id])
            if share >= _SHARE and members:
                kept = replace(directory.groups[group], members=())
                audience = self._audience(directory.groups[group])
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

    def mailing(self, recent: Iterable[EarlierMessage], seconds: float) -> Mailing:
        """How many the sender's mail of the last so many seconds reaches, each counted once."""
        directory, membership = self.directory, self.directory.membership
        sent = _within(recent, self.facts.now, seconds)
        units = {unit for one in sent for unit in one.units.values()}
        groups = [unit for unit in units if unit in directory.groups]
        people = membership.mask_of(units)
        for group in groups:
            people |= membership.mask(group)
        inside = (people & self._others).bit_count()
        elsewhere = [u for u in units if u not in directory.groups and u not in directory.people]
        ours = sum(self.facts.district.owns(mailbox) for mailbox in elsewhere)
        return Mailing(inside + ours, len(elsewhere) - ours, len(sent) - 1, seconds)


def _sender(who: Identity, facts: Facts) -> str:
    """The person, whichever account or address they use."""
    if who.owner is not None:
        return f"person {who.owner.id}"
    account = facts.account
    if account is not None and not isinstance(account, Unavailable):
        return f"account {account.login}"
    return who.authenticated_as


def _within(
    recent: Iterable[EarlierMessage], now: float, seconds: float
) -> Sequence[EarlierMessage]:
    return [sent for sent in recent if sent.at > now - seconds]


def _prints(transaction: Transaction, facts: Facts) -> frozenset[str]:
    subject = _ANSWER.sub("", transaction.message.value("Subject")[:500].strip())
    texts = facts.reading.texts if isinstance(facts.reading, Reading) else ()
    text = texts[0].author_visible[:_PRINTED] if texts else ""
    prints = {
        f"{kind}{hash(words)}"
        for kind, written in (("s", subject), ("t", text))
        if (words := _VARYING.sub("", folded(written)))
    }
    return frozenset(prints or {"nothing"})
