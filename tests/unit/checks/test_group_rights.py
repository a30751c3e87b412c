"""R14-R17 and R19 as findings: who is who is proven first, then the right is derived."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailguard.checks.group_rights import GroupRights
from mailguard.core.facts import Unavailable
from mailguard.core.transaction import Role
from mailguard.core.verdict import Disposition

CHECK = GroupRights()
DISTRICT, SITE = "all-staff@example.org", "stafford-staff@example.org"
TEACHERS, CUSTODIANS = "teachers@example.org", "custodians@example.org"
COUNCIL = "parents-council@example.org"


def mail(author: str, subject: str = "Hello", *more: str) -> str:
    fields = (f"From: {author}", f"Subject: {subject}", *more)
    return "\n".join(fields) + "\n\nHello.\n"


CASES = [
    ("jdoe", "jdoe@example.org", TEACHERS, "Hello", ["granted"]),
    ("jdoe", "jdoe@example.org", CUSTODIANS, "Hello", ["not-aligned"]),
    ("jdoe", "jdoe@example.org", SITE, "Hello", ["not-authorised"]),
    ("jdoe", "jdoe@example.org", DISTRICT, "Hello", ["not-authorised"]),
    ("aberg", "anna.berg@example.org", SITE, "Hello", ["granted"]),
    ("aberg", "anna.berg@example.org", DISTRICT, "Hello", ["not-authorised"]),
    ("aberg", "anna.berg@example.org", CUSTODIANS, "Hello", ["granted"]),
    ("rvance", "ruth.vance@example.org", DISTRICT, "Hello", ["granted"]),
    ("rvance", "ruth.vance@example.org", SITE, "Hello", ["granted"]),
    ("pquill", "peter.quill@example.org", DISTRICT, "Phishing", ["not-authorised"]),
    ("pquill", "peter.quill@example.org", DISTRICT, "[it alert] Phishing", ["granted"]),
    ("pquill", "peter.quill@example.org", DISTRICT, "About the [IT ALERT]", ["not-authorised"]),
    ("jdoe", "jdoe@example.org", DISTRICT, "[IT ALERT] me too", ["not-authorised"]),
    # The account counts, not what From says.
    ("jdoe", "ruth.vance@example.org", DISTRICT, "Hello", ["not-authorised"]),
    ("copier12", "ruth.vance@example.org", DISTRICT, "Hello", ["not-authorised"]),
    ("ghost", "ruth.vance@example.org", DISTRICT, "Hello", ["outside"]),
    ("jdoe", "jdoe@example.org", "tim.moss@example.org", "Hello", []),
    ("jdoe", "jdoe@example.org", COUNCIL, "Hello", ["granted"]),
]


@pytest.mark.parametrize(("account", "author", "group", "subject", "expected"), CASES)
def test_by_account(build, codes, account, author, group, subject, expected) -> None:
    case = build(mail(author, subject), role=Role.SUBMISSION, account=account, recipients=(group,))
    assert codes(CHECK, case) == expected


@pytest.mark.parametrize("role", [Role.MX, Role.SUBMISSION])
@pytest.mark.parametrize(
    "author", ["ruth.vance@example.org", "parent@home.test", "a@b.test, c@d.test"]
)
@pytest.mark.parametrize("group", [DISTRICT, SITE, TEACHERS])
def test_without_proof_nobody_has_inside_rights(build, codes, role, author, group) -> None:
    case = build(mail(author), role=role, recipients=(group,))
    assert codes(CHECK, case) == ["outside"]


def test_a_forged_owner_fact_gives_no_rights_outside(build, codes) -> None:
    case = build(mail("ruth.vance@example.org"), recipients=(DISTRICT,))
    person = build.directory.people["vance"]
    forged = replace(case, facts=replace(case.facts, owner=person, supported=(person,)))
    assert codes(CHECK, forged) == ["outside"]


def test_an_open_group_takes_outside_mail(build, codes) -> None:
    assert codes(CHECK, build(mail("parent@home.test"), recipients=(COUNCIL,))) == ["granted"]


def test_only_the_groups_copies_are_concerned(build) -> None:
    recipients = ("tim.moss@example.org", CUSTODIANS, TEACHERS, SITE)
    case = build(
        mail("jdoe@example.org"), role=Role.SUBMISSION, account="jdoe", recipients=recipients
    )
    findings = CHECK.examine(case.transaction, case.facts, CHECK.Settings()).findings
    assert [(f.recipients, f.code.partition(".")[2]) for f in findings] == [
        ((CUSTODIANS,), "not-aligned"),
        ((TEACHERS,), "granted"),
        ((SITE,), "not-authorised"),
    ]


def test_evidence_and_advice_say_why_and_whom_to_ask(build) -> None:
    case = build(
        mail("jdoe@example.org"), role=Role.SUBMISSION, account="jdoe", recipients=(CUSTODIANS,)
    )
    (finding,) = CHECK.examine(case.transaction, case.facts, CHECK.Settings()).findings
    assert "Jane Doe" in finding.evidence and "custodian" in finding.evidence
    assert finding.rules[0] == "R17" and "R18" in finding.rules
    assert "Technology Services" in finding.advice and "Anna Berg" in finding.advice


def test_relay_vouches_for_a_known_person(build, codes) -> None:
    case = build(mail("ruth.vance@example.org"), role=Role.RELAY, recipients=(DISTRICT,))
    assert codes(CHECK, case) == ["granted"]
    assert codes(CHECK, case, relay_vouches=False) == ["outside"]


def test_automatic_mail_is_kept_and_not_answered(build, codes) -> None:
    message = mail("jdoe@example.org", "Out", "Auto-Submitted: auto-replied")
    case = build(message, role=Role.SUBMISSION, account="jdoe", recipients=(DISTRICT,))
    assert codes(CHECK, case) == ["automatic"]
    (kind,) = [k for k in CHECK.findings if k.code.endswith(".automatic")]
    assert kind.default is Disposition.QUARANTINE


def test_an_unknown_account_fact_is_an_error(build) -> None:
    case = build(mail("jdoe@example.org"), role=Role.SUBMISSION, account="jdoe", recipients=(SITE,))
    facts = replace(case.facts, account=Unavailable("time-out"))
    assert CHECK.examine(case.transaction, facts, CHECK.Settings()).error == "account: time-out"


def test_no_group_right_is_waivable() -> None:
    assert not [kind.code for kind in CHECK.findings if kind.waivable]
