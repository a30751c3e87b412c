"""Builders that the checks' tests share: a small district, messages from text, facts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from mailguard.core.decision.facts import Facts
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.people.directory import Directory
from mailguard.core.people.district import District
from mailguard.core.people.model import Account, Group, Person, Site
from mailguard.core.text import reader

NOW = 1_795_600_000.0  # Wed, 25 Nov 2026

DISTRICT = District(
    name="Example Valley Unified School District",
    short_name="EVUSD",
    domains=("example.org",),
    spammail="spammail@example.org",
    postmaster="postmaster@example.org",
    authserv_id="mx.example.org",
)

STAFFORD = Site("stafford", "Stafford High School", administrators=("berg",))
TECHNOLOGY = Site("technology", "Technology Services", "department", administrators=("quill",))

PEOPLE = {
    person.id: person
    for person in (
        Person(
            "doe",
            "Jane Doe",
            ("jane.doe@example.org", "jdoe@example.org"),
            title="Teacher",
            sites=("stafford",),
            classifications=("teacher",),
            other_names=("Ms. J. Doe-Rivers",),
        ),
        Person(
            "berg",
            "Anna Berg",
            ("anna.berg@example.org",),
            title="Principal",
            sites=("stafford",),
            roles=("principal",),
        ),
        Person(
            "vance",
            "Ruth Vance",
            ("ruth.vance@example.org",),
            title="Superintendent",
            roles=("superintendent",),
        ),
        Person(
            "quill",
            "Peter Quill-Mason",
            ("peter.quill@example.org",),
            title="Executive Director of IT",
            sites=("technology",),
            roles=("executive_director_it",),
        ),
        Person("moss", "Tim Moss", ("tim.moss@example.org",), title="Custodian", protected=False),
    )
}

GROUPS = {
    group.address: group
    for group in (
        Group("all-staff@example.org", "All staff", "district"),
        Group("stafford-staff@example.org", "Stafford staff", "site", ("stafford",)),
        Group("teachers@example.org", "Teachers", classifications=("teacher",)),
        Group("custodians@example.org", "Custodians", classifications=("custodian",)),
        Group("parents-council@example.org", "Parents' council", outside=True),
    )
}

ACCOUNTS = {
    "jdoe": Account("jdoe", PEOPLE["doe"].addresses, "doe"),
    "aberg": Account("aberg", PEOPLE["berg"].addresses, "berg"),
    "rvance": Account("rvance", PEOPLE["vance"].addresses, "vance"),
    "pquill": Account("pquill", PEOPLE["quill"].addresses, "quill"),
    "tmoss": Account("tmoss", PEOPLE["moss"].addresses, "moss"),
    "copier12": Account("copier12", ("copier12@example.org",)),
}

DIRECTORY = Directory(PEOPLE, {"stafford": STAFFORD, "technology": TECHNOLOGY}, GROUPS, ACCOUNTS)


@dataclass(frozen=True)
class Case:
    """What a check is asked about."""

    transaction: Transaction
    facts: Facts


@dataclass(frozen=True)
class Build:
    """Makes a Case as gathering would, from a message's text."""

    directory: Directory = field(default=DIRECTORY, repr=False)

    def __call__(
        self,
        message: str | bytes,
        *,
        role: Role = Role.MX,
        account: str | None = None,
        reverse_path: str | None = None,
        recipients: tuple[str, ...] = ("tim.moss@example.org",),
        helo: str = "mail.home.test",
        **facts: Any,
    ) -> Case:
        raw = message if isinstance(message, bytes) else message.encode()
        if b"\r\n" not in raw:
            raw = raw.replace(b"\n", b"\r\n")
        parsed = mime.parse(raw)
        boxes = parsed.author.boxes
        if reverse_path is None:
            reverse_path = boxes[0].address if boxes else ""
        envelope = Envelope(reverse_path, recipients, "192.0.2.25", "", helo, account)
        transaction = Transaction("01TEST", NOW, Listener(role.value, role), envelope, parsed)
        directory = self.directory
        login = directory.account_for(account) if account is not None else None
        owner = directory.people.get(login.owner) if login and login.owner else None
        if account is None and role is not Role.MX and len(boxes) == 1:
            owner = directory.person_at(boxes[0].address)
        names = {p.id: p for box in boxes for p in directory.namesakes(box.display_name)}
        short = {p.id: p for box in boxes for p in directory.short_namesakes(box.display_name)}
        own = (DISTRICT.name, DISTRICT.short_name)
        offices = [o for box in boxes for o in directory.offices_shown(box.display_name, own)]
        gathered: dict[str, Any] = {
            "account": login,
            "owner": owner,
            "people": {
                mailbox: person
                for mailbox in (reverse_path.lower(), *parsed.author.addresses)
                if (person := directory.person_at(mailbox)) is not None
            },
            "sites": dict(directory.sites),
            "groups": {r: g for r in recipients if (g := directory.group_at(r)) is not None},
            "supported": directory.named(owner.supports) if owner else (),
            "administrators": directory.named(
                i for s in (owner.sites if owner else ()) for i in directory.sites[s].administrators
            ),
            "namesakes": tuple(names.values()),
            "short_namesakes": tuple(p for p in short.values() if p.id not in names),
            "offices": tuple(offices),
            "reading": reader.read(parsed),
        }
        gathered |= facts
        return Case(transaction, Facts(now=NOW, district=DISTRICT, **gathered))


@pytest.fixture
def build() -> Build:
    return Build()


@pytest.fixture
def codes() -> Callable[..., list[str]]:
    """The finding codes of a check's verdict on a case, without the part that all share."""

    def said(check: Any, case: Case, **settings: Any) -> list[str]:
        verdict = check.examine(case.transaction, case.facts, check.Settings(**settings))
        assert verdict.error is None, verdict.error
        declared = {kind.code for kind in check.findings}
        assert {finding.code for finding in verdict.findings} <= declared
        for finding in verdict.findings:
            assert finding.evidence and "\n" not in finding.evidence
        return [finding.code.partition(".")[2] for finding in verdict.findings]

    return said
