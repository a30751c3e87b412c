"""Whom a message reaches: facts from the directory, for proven senders alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from tests.support.story import Ports, make_world

from mailguard.core.decision.facts import Audience, Dmarc, Facts
from mailguard.core.decision.policy import Policy
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.people.directory import Directory
from mailguard.core.people.district import District
from mailguard.core.people.model import Account, Event, Group, Person, Site, Unit
from mailguard.core.sender import directory_lookups
from mailguard.core.sender.audience import Reach, answers
from mailguard.core.text import reader
from mailguard.pipeline.gather import gather
from mailguard.pipeline.snapshot import Snapshot

TODAY = date(2026, 11, 25)
DISTRICT = District("Example", "EX", ("example.org",), "s@example.org", "p@example.org", "mx")
PEOPLE = (
    Person("ann", "Ann", ("ann@example.org",), sites=("oak",), supports=("bob",), manager="eve"),
    Person("bob", "Bob", ("bob@example.org",), sites=("elm",)),
    Person("cid", "Cid", ("cid@example.org",), sites=("oak",)),
    Person(
        "tex", "Tex", ("tex@example.org",), roles=("technology_services_director",), manager="ann"
    ),
    Person("eve", "Eve", ("eve@example.org",), sites=("oak",), end=date(2026, 6, 30)),
)
GROUPS = (
    Group("oak@example.org", "Oak", sites=("oak",)),
    Group("both@example.org", "Both", members=("oak@example.org", "bob")),
)
UNIT = Unit("u", "Unit", ("union@office.test", "cid"), ("oak@example.org",))
EVENTS = (
    Event("Now", ("now",), TODAY, TODAY),
    Event("Then", ("then",), date(2026, 11, 26), date(2026, 12, 1)),
)
DIRECTORY = Directory(
    {p.id: p for p in PEOPLE},
    {
        "oak": Site("oak", "Oak"),
        "elm": Site("elm", "Elm"),
        "far": Site("far", "Far", administrators=("bob",)),
    },
    {g.address: g for g in GROUPS},
    {p.id: Account(p.id, p.addresses, p.id) for p in PEOPLE},
    units={"u": UNIT},
    events=EVENTS,
)


def completed(author: str, *recipients: str, account: str | None = None, **more: object) -> Facts:
    message = mime.parse(f"From: {author}\r\nSubject: x\r\n\r\nx\r\n".encode())
    role = Role.SUBMISSION if account else Role.MX
    envelope = Envelope(author, recipients, account=account)
    transaction = Transaction("0" * 26, 0.0, Listener("l", role), envelope, message)
    known = directory_lookups.look_up(transaction, DIRECTORY, DISTRICT, TODAY)
    found = {name: getattr(known, name) for name in known.__slots__}
    facts = replace(Facts(0.0, DISTRICT, TODAY, **found), reading=reader.read(message), **more)  # type: ignore[arg-type]
    reach = Reach.of(transaction, facts, DIRECTORY)
    return replace(facts, audiences=reach.audiences(), units=reach.bargaining_units())


def test_audiences() -> None:
    facts = completed("ann@example.org", "oak@example.org", "Both@Example.org", account="ann")
    assert facts.audiences == {
        "oak@example.org": Audience(1, 0, ("Oak",)),  # Cid; Eve has left, Ann is the sender
        "Both@Example.org": Audience(2, 1, ("Both", "Oak")),
    }
    outside = completed("ann@example.org", "both@example.org")
    assert outside.audiences["both@example.org"] == Audience(3, 3)


def test_whom_one_asks() -> None:
    facts = completed("ann@example.org", "oak@example.org", account="ann")
    assert [p.id for p in facts.technology] == ["tex"]
    assert facts.supervisor is None  # Eve has left
    assert set(facts.sites) == {"oak", "far"}  # what Bob, whom Ann assists, administers
    supervisor = completed("tex@example.org", account="tex").supervisor
    assert supervisor is not None and supervisor.id == "ann"
    assert [event.name for event in facts.events] == ["Now"]


async def test_nobody_asked_for_windows() -> None:
    message = mime.parse(b"From: ann@example.org\r\nSubject: x\r\n\r\nx\r\n")
    envelope = Envelope("ann@example.org", ("oak@example.org",), account="ann")
    listener = Listener("l", Role.SUBMISSION)
    transaction = Transaction("0" * 26, 0.0, listener, envelope, message)
    snapshot = Snapshot(DISTRICT, Policy((), ""), DIRECTORY, {}, {}, "")
    facts = await gather(transaction, snapshot, make_world(Ports()).judging, "d", 0.0)
    assert (facts.mailing, facts.listed, facts.answered) == (None, (), None)
    assert facts.audiences.keys() == {"oak@example.org"}


@pytest.mark.parametrize(
    ("author", "account", "more", "units"),
    [
        ("cid@example.org", "cid", {}, (UNIT,)),
        ("ann@example.org", "ann", {}, ()),
        ("cid@example.org", None, {}, ()),  # nobody has proven to be Cid
        ("union@office.test", None, {}, ()),
        ("union@office.test", None, {"dmarc": Dmarc("pass", domain="office.test")}, (UNIT,)),
        ("other@office.test", None, {"dmarc": Dmarc("pass", domain="office.test")}, ()),
    ],
)
def test_units_of_proven_senders(author, account, more, units) -> None:
    assert completed(author, "oak@example.org", account=account, **more).units == units


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("<a@b>", "<a@b>"),
        ("  <a@b> <c@d>", "<a@b>"),
        ("Message of Tuesday <a@b>", "<a@b>"),
        ("a@b", ""),
        ("<a b@c>", ""),
        ("<" * 10_000, ""),
    ],
)
def test_what_a_message_answers(value: str, found: str) -> None:
    message = mime.parse(f"In-Reply-To: {value}\r\n\r\n".encode())
    envelope = Envelope("", ())
    transaction = Transaction("0" * 26, 0.0, Listener("l", Role.MX), envelope, message)
    assert answers(transaction) == found
