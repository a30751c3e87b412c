"""R6: who has left sends nothing, and is answered for. R7: automatic mail keeps its rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from mailguard.checks.leavers import Leavers
from mailguard.checks.sender_identity.check import SenderIdentity
from mailguard.core.decision.edit import AddField, Redirect
from mailguard.core.decision.facts import Leaver
from mailguard.core.mail.transaction import Role
from mailguard.core.people.directory import Directory
from mailguard.core.people.model import Account, Person
from mailguard.core.render import render
from mailguard.core.sender import directory_lookups, identity
from mailguard.core.sender.may_answer import may_answer

CHECK = SenderIdentity()
TODAY = date(2026, 11, 25)
OWN = "From: Jane Doe <jane.doe@example.org>\n{}\nHello.\n"


def leavers_of(case: Any, directory: Directory) -> Mapping[str, Leaver]:
    district = case.facts.district
    return directory_lookups.look_up(case.transaction, directory, district, TODAY).leavers


def left(case: Any, **dates: date) -> Any:
    owner = replace(case.facts.owner, **dates)
    return replace(case, facts=replace(case.facts, owner=owner, today=TODAY))


@pytest.mark.parametrize(
    ("dates", "gone"),
    [
        ({"end": date(2026, 11, 24)}, True),
        ({"end": TODAY}, False),  # the last day is a day of work
        ({"end": date(2026, 6, 30), "start": date(2026, 8, 1)}, False),  # a rehire
        ({"end": date(2026, 6, 30), "start": date(2026, 11, 26)}, True),  # who returns tomorrow
        ({"end": date(2026, 6, 30), "start": date(2020, 8, 1)}, True),
        ({"end": date(2027, 6, 30), "start": date(2026, 8, 1)}, False),
    ],
)
def test_submission_of_a_leaver(build: Any, codes: Any, dates: Any, gone: bool) -> None:
    case = left(build(OWN.format(""), account="jdoe"), **dates)
    assert ("leaver" in codes(CHECK, case)) is gone


def test_a_trusted_server_speaks_for_no_leaver_but_for_the_mailbox_itself(
    build: Any, codes: Any
) -> None:
    end = date(2026, 6, 30)
    assert codes(CHECK, left(build(OWN.format(""), role=Role.RELAY), end=end)) == ["leaver"]
    reply = OWN.format("Auto-Submitted: auto-replied\n")
    away = build(reply, role=Role.RELAY, reverse_path="")
    assert codes(CHECK, left(away, end=end)) == []
    pretended = build(OWN.format("Precedence: bulk\n"), role=Role.RELAY)
    assert codes(CHECK, left(pretended, end=end)) == ["leaver"]


GONE = Person("elm", "Ed Elm", ("ed.elm@example.org",), end=date(2026, 6, 30), manager="oak")
BOSS = Person("oak", "Ida Oak", ("ida.oak@example.org",), title="Principal")


def test_mail_for_a_leaver_is_answered(build: Any) -> None:
    recipients = ("ed.elm@example.org", "tim.moss@example.org")
    leavers = {"ed.elm@example.org": Leaver(GONE, date(2026, 7, 1), BOSS)}
    case = build(OWN.format(""), recipients=recipients, leavers=leavers)
    check = Leavers()
    (finding,) = check.examine(case.transaction, case.facts, check.Settings()).findings
    assert finding.recipients == ("ed.elm@example.org",)
    assert finding.evidence == "Ed Elm has left Example Valley Unified School District"
    assert finding.advice == "Please write to Ida Oak, Principal, at ida.oak@example.org instead."
    silent = check.Settings(name_successor=False)
    (finding,) = check.examine(case.transaction, case.facts, silent).findings
    assert finding.advice == ""  # the finding's own then


def test_a_routed_leavers_copy_goes_to_the_manager_and_says_whose_it_was(build: Any) -> None:
    recipients = ("Ed.Elm@example.org", "tim.moss@example.org")
    leavers = {"Ed.Elm@example.org": Leaver(GONE, date(2026, 7, 1), BOSS, BOSS)}
    case = build(OWN.format(""), recipients=recipients, leavers=leavers)
    check = Leavers()
    verdict = check.examine(case.transaction, case.facts, check.Settings())
    (finding,) = verdict.findings
    assert (finding.code, finding.recipients) == ("leavers.routed", ("Ed.Elm@example.org",))
    assert finding.evidence == (
        "Ed Elm has left Example Valley Unified School District; the mail goes to Ida Oak"
    )
    assert verdict.edits == (
        Redirect("ida.oak@example.org", ("Ed.Elm@example.org",)),
        AddField("X-Mailguard-Routed", "leaver; for=ed.elm@example.org", ("Ed.Elm@example.org",)),
    )


def test_a_routed_copy_is_marked_in_ascii_whatever_the_address(build: Any) -> None:
    recipient = "j\u00f6rg@example.org"
    leavers = {recipient: Leaver(GONE, date(2026, 7, 1), BOSS, BOSS)}
    case = build(OWN.format(""), recipients=(recipient,), leavers=leavers)
    edits = Leavers().examine(case.transaction, case.facts, Leavers.Settings()).edits
    copy = render.render(case.transaction.message, edits)
    assert copy.startswith(b"X-Mailguard-Routed: leaver; for=j\\xf6rg@example.org\r\n")
    assert copy.endswith(case.transaction.message.raw)
    assert render.verify(case.transaction.message, copy, edits) is None


ROUTED = replace(GONE, on_leaving="route")
AWAY = replace(BOSS, end=date(2026, 7, 1), manager="fir", on_leaving="route")
CHIEF = Person("fir", "Eve Fir", ("eve.fir@example.org", "head@example.org"))


@pytest.mark.parametrize(
    ("people", "wanted"),
    [
        ((ROUTED, BOSS), "oak"),
        ((GONE, BOSS), None),  # answered
        ((ROUTED, AWAY, CHIEF), "fir"),
        ((ROUTED, replace(AWAY, on_leaving="answer"), CHIEF), None),
        ((ROUTED, replace(AWAY, manager="elm")), None),  # a ring
        ((replace(ROUTED, manager=""), BOSS), None),
        ((ROUTED, replace(BOSS, end=TODAY)), "oak"),  # the manager's last day
    ],
)
def test_who_gets_a_leavers_mail(
    build: Any, people: tuple[Person, ...], wanted: str | None
) -> None:
    case = build(OWN.format(""), recipients=("ed.elm@example.org",))
    directory = Directory({p.id: p for p in people})
    leaver = leavers_of(case, directory)["ed.elm@example.org"]
    assert leaver.routed_to is (directory.people[wanted] if wanted else None)


@pytest.mark.parametrize(("leavers", "found"), [(5, True), (6, False)])
def test_a_chain_of_leavers_is_followed_so_far(build: Any, leavers: int, found: bool) -> None:
    case = build(OWN.format(""), recipients=("p0@example.org",))
    gone = [
        Person(
            f"p{n}", f"P {n}", (f"p{n}@example.org",), end=date(2026, 6, 30), manager=f"p{n + 1}",
            on_leaving="route",
        )
        for n in range(leavers)
    ]  # fmt: skip
    last = Person(f"p{leavers}", "Last", ("last@example.org",))
    directory = Directory({p.id: p for p in (*gone, last)})
    leaver = leavers_of(case, directory)["p0@example.org"]
    assert leaver.routed_to == (last if found else None)


@pytest.mark.parametrize(
    ("utc", "zone", "gone"),
    [
        ("2026-07-01T06:59:59", "America/Los_Angeles", False),  # 23:59:59 of the last day
        ("2026-07-01T07:00:00", "America/Los_Angeles", True),
        ("2026-06-30T23:59:59", "UTC", False),
        ("2026-07-01T00:00:00", "UTC", True),
        ("2026-06-30T09:59:59", "Pacific/Kiritimati", False),
        ("2026-06-30T10:00:00", "Pacific/Kiritimati", True),
    ],
)
def test_a_day_ends_at_the_districts_midnight(utc: str, zone: str, gone: bool) -> None:
    now = datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp()
    assert (GONE.left_since(directory_lookups.day_at(now, zone)) is not None) is gone


def test_an_hour_that_comes_twice_ends_no_day_early() -> None:
    autumn = Person("x", "X", ("x@example.org",), end=date(2026, 11, 1))  # clocks go back
    for utc, gone in (("2026-11-02T07:59:59", False), ("2026-11-02T08:00:00", True)):
        now = datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp()
        assert bool(autumn.left_since(directory_lookups.day_at(now, "America/Los_Angeles"))) is gone


def test_day_thirty() -> None:
    assert GONE.deletion_day(date(2026, 6, 30)) is None
    assert GONE.deletion_day(date(2026, 7, 1)) == date(2026, 7, 31)
    assert replace(GONE, legal_hold=True).deletion_day(TODAY) is None
    assert replace(GONE, start=date(2026, 7, 15)).deletion_day(date(2026, 7, 15)) is None


def test_who_took_over_is_somebody_who_is_there(build: Any) -> None:
    case = build(OWN.format(""), recipients=("Ed.Elm@example.org", "nobody@example.org"))

    def successor(*people: Person) -> Person | None:
        directory = Directory({p.id: p for p in people})
        found = leavers_of(case, directory)
        assert set(found) == {"Ed.Elm@example.org"}
        return found["Ed.Elm@example.org"].successor

    assert successor(GONE, BOSS) is BOSS
    chief = Person("fir", "Eve Fir", ("eve.fir@example.org",))
    gone_too = replace(BOSS, end=date(2026, 7, 1), manager="fir")
    assert successor(GONE, gone_too, chief) is chief
    assert successor(GONE, replace(gone_too, manager="elm")) is None  # a ring
    assert successor(replace(GONE, manager="")) is None


COPIER = Account("copier", ("copier@example.org",), kind="device", clients=("192.0.2.25",))


@pytest.mark.parametrize(
    ("role", "client", "login", "found"),
    [
        (Role.RELAY, "192.0.2.25", None, True),
        (Role.SUBMISSION, "192.0.2.25", None, True),
        (Role.MX, "192.0.2.25", None, False),
        (Role.RELAY, "192.0.2.26", None, False),  # the tenant next door
        (Role.RELAY, "", None, False),  # [UNAVAILABLE]
        (Role.SUBMISSION, "192.0.2.25", "jdoe", False),  # a login says more
    ],
)
def test_a_device_is_known_by_its_address(
    build: Any, role: Role, client: str, login: str | None, found: bool
) -> None:
    case = build("From: copier@example.org\n\nScan.\n", role=role, account=login)
    envelope = replace(case.transaction.envelope, client_address=client)
    transaction = replace(case.transaction, envelope=envelope)
    directory = Directory(accounts={"copier": COPIER})
    assert (directory_lookups.device(transaction, directory) is COPIER) is found


def test_a_certificate_is_a_devices_own_on_submission_alone(build: Any) -> None:
    account = replace(COPIER, clients=(), certificates=("ab" * 32,))
    directory = Directory(accounts={"copier": account})
    for role, found in ((Role.SUBMISSION, True), (Role.RELAY, False), (Role.MX, False)):
        case = build("From: copier@example.org\n\nScan.\n", role=role)
        shown = replace(case.transaction.envelope, certificate="ab" * 32)
        transaction = replace(case.transaction, envelope=shown)
        assert (directory_lookups.device(transaction, directory) is account) is found


@pytest.mark.parametrize(
    ("sender", "wanted"),
    [("copier@example.org", []), ("ruth.vance@example.org", ["not-owner"])],
)
def test_a_device_owns_its_addresses_alone(
    build: Any, codes: Any, sender: str, wanted: list[str]
) -> None:
    case = build(f"From: {sender}\n\nScan.\n", role=Role.RELAY)
    case = replace(case, facts=replace(case.facts, account=COPIER, owner=None))
    assert codes(CHECK, case) == wanted
    proven = identity.identity(case.transaction, case.facts)
    assert (proven.basis, proven.authenticated_as) == ("client-address", "copier@example.org")


REPORT = (
    "From: {{}}\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type={}; boundary=b\n\n"
    "--b\nContent-Type: text/plain\n\nRead.\n--b--\n"
)
AUTOMATIC = [
    ("reply", "From: {}\nAuto-Submitted: auto-replied\n\nAway.\n"),
    ("generated", "From: {}\nAuto-Submitted: auto-generated; x=y\n\nTicket.\n"),
    ("DSN", REPORT.format("delivery-status")),
    ("MDN", REPORT.format("disposition-notification")),
]


@pytest.mark.parametrize("message", [m for _, m in AUTOMATIC], ids=[n for n, _ in AUTOMATIC])
@pytest.mark.parametrize("reverse_path", ["", "jane.doe@example.org"])
def test_automatic_mail_owns_its_addresses_and_is_never_answered(
    build: Any, codes: Any, message: str, reverse_path: str
) -> None:
    own = build(message.format("jane.doe@example.org"), account="jdoe", reverse_path=reverse_path)
    assert codes(CHECK, own) == []
    assert not may_answer(own.transaction, own.facts)
    other = build(message.format("tim.moss@example.org"), account="jdoe", reverse_path=reverse_path)
    assert codes(CHECK, other)[0] == "not-owner"
    assert not may_answer(other.transaction, other.facts)


def test_the_null_reverse_path_is_automatic_mails_alone(build: Any, codes: Any) -> None:
    plain = build("From: jane.doe@example.org\n\nHi.\n", account="jdoe", reverse_path="")
    assert codes(CHECK, plain) == ["not-owner"]
    assert not may_answer(plain.transaction, plain.facts)
