"""R14-R17 and R19 as findings: who is who is proven first, then the right is derived."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailguard.checks.group_rights.check import GroupRights
from mailguard.core.decision.facts import Audience, Listed, Unavailable
from mailguard.core.decision.verdict import Disposition
from mailguard.core.mail.transaction import Role
from mailguard.core.people.model import Group, Unit

CHECK = GroupRights()
DISTRICT, SITE = "all-staff@example.org", "stafford-staff@example.org"
TEACHERS, CUSTODIANS = "teachers@example.org", "custodians@example.org"
COUNCIL = "parents-council@example.org"


def mail(author: str, subject: str = "Hello", *more: str) -> str:
    fields = (f"From: {author}", f"Subject: {subject}", *more)
    return "\n".join(fields) + "\n\nHello.\n"


CASES = [
    ("jdoe", "jdoe@example.org", TEACHERS, "Hello", ["granted"]),
    ("jdoe", "jdoe@example.org", CUSTODIANS, "Hello", ["needs-approval"]),
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
        ((CUSTODIANS,), "needs-approval"),
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
    assert finding.advice == (
        "It can be approved by Anna Berg, as the site or department administrator."
    )


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


UNIT = Unit("u", "the Union", ("doe", "union@office.test"), (CUSTODIANS, DISTRICT), "unopened.")


def verdict(case, **settings):
    return CHECK.examine(case.transaction, case.facts, CHECK.Settings(**settings))


def test_a_units_mail_is_not_stopped_for_its_content(build) -> None:
    recipients = (CUSTODIANS, TEACHERS, "tim.moss@example.org")
    case = build(
        mail("jdoe@example.org"),
        role=Role.SUBMISSION,
        account="jdoe",
        recipients=recipients,
        units=(UNIT,),
    )
    found = verdict(case)
    assert [f.rules for f in found.findings] == [("R24",), ("R17",)]
    (waiver,) = found.waivers
    assert waiver.recipients == (CUSTODIANS,)
    assert "spam.blocked" in waiver.codes and "the Union" in waiver.reason
    assert verdict(case, unit_waives=()).waivers == ()
    announced = build(
        mail("jdoe@example.org", "Raffle"),
        role=Role.SUBMISSION,
        account="jdoe",
        recipients=(DISTRICT,),
        units=(UNIT,),
    )
    assert [f.rules for f in verdict(announced).findings] == [("R24",)]


def test_a_unit_may_write_from_outside(build, codes) -> None:
    message = mail("union@office.test", "Dues")
    case = build(message, recipients=(DISTRICT, TEACHERS), units=(UNIT,))
    assert codes(CHECK, case) == ["granted", "outside"]
    assert codes(CHECK, build(message, recipients=(DISTRICT,))) == ["outside"]


def test_an_account_without_addresses_is_nobody_of_the_senders(build, codes) -> None:
    account = replace(build.directory.accounts["copier12"], addresses=())
    listed = Group(CUSTODIANS, "Custodians", senders=("ruth.vance@example.org",))
    case = build(
        mail("ruth.vance@example.org"),
        role=Role.SUBMISSION,
        account="copier12",
        reverse_path="ruth.vance@example.org",
        recipients=(CUSTODIANS,),
    )
    facts = replace(case.facts, account=account, groups={CUSTODIANS: listed})
    assert codes(CHECK, replace(case, facts=facts)) == ["not-aligned"]


def test_nobody_approves_their_own(build, codes) -> None:
    alone = build(
        mail("jdoe@example.org"),
        role=Role.SUBMISSION,
        account="jdoe",
        recipients=(CUSTODIANS,),
        administrators=(build.directory.people["doe"],),
        technology=(build.directory.people["doe"],),
    )
    assert codes(CHECK, alone) == ["not-aligned"]
    other = replace(alone, facts=replace(alone.facts, technology=(build.directory.people["moss"],)))
    (finding,) = verdict(other).findings
    assert finding.code == "group-rights.needs-approval"
    assert finding.advice == "It can be approved by Tim Moss, for Technology Services."


def test_an_unread_message_matters_only_where_its_words_would(build) -> None:
    def to(group: str, beyond: int):
        return build(
            mail("jdoe@example.org"),
            role=Role.SUBMISSION,
            account="jdoe",
            recipients=(group,),
            audiences={group: Audience(9, beyond)},
            reading=Unavailable("too long"),
        )

    assert verdict(to(TEACHERS, 3)).error == "reading: too long"
    assert verdict(to(TEACHERS, 0)).error is None


def test_a_group_without_known_members_is_beyond_by_what_it_is_for(build, codes) -> None:
    def subject(group: Group):
        case = build(
            mail("jdoe@example.org", "Bake sale"),
            role=Role.SUBMISSION,
            account="jdoe",
            recipients=("g@example.org",),
        )
        return replace(case, facts=replace(case.facts, groups={"g@example.org": group}))

    own = Group("g@example.org", "G", sites=("stafford",))
    everywhere = Group("g@example.org", "G", classifications=("teacher",))
    assert codes(CHECK, subject(own)) == ["granted"]
    assert codes(CHECK, subject(everywhere)) == ["announcement", "granted"]


def test_each_recipient_is_told_of_once_for_the_widest_group(build) -> None:
    listed = tuple(
        Listed(Group(f"{name}@example.org", name, audience), Audience(8, 8), people, 8, 8, 8)
        for name, audience, people in (
            ("a", "custom", ("x@example.org",)),
            ("b", "district", ("x@example.org", "y@example.org")),
            ("c", "custom", ("z@example.org",)),
        )
    )
    recipients = ("x@example.org", "y@example.org", "z@example.org")
    case = build(
        mail("jdoe@example.org"),
        role=Role.SUBMISSION,
        account="jdoe",
        recipients=recipients,
        listed=listed,
    )
    found = verdict(case).findings
    assert [(f.code.partition(".")[2], f.recipients) for f in found] == [
        ("bypass", recipients[:2]),
        ("bypass", recipients[2:]),
    ]


def test_automatic_replies_go_to_whoever_wrote(build) -> None:
    one = Listed(
        Group("b@example.org", "B", "district"), Audience(5, 5), ("x@example.org",), 5, 5, 5
    )
    message = mail("jdoe@example.org", "Out", "Auto-Submitted: auto-replied")
    given = {"role": Role.SUBMISSION, "account": "jdoe", "listed": (one,)}
    assert not verdict(build(message, recipients=("x@example.org",), **given)).findings
    assert verdict(build(message, recipients=("x@example.org", "y@example.org"), **given)).findings


def test_settings_ask_for_what_they_need() -> None:
    assert CHECK.Settings().looks_back() == {"listed": 3_600.0}
    assert "answered" in CHECK.Settings(reply_all="allow").looks_back()
