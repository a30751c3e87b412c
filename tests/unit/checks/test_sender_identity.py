"""R1 and R2: who may write as whom, by account, by relay and from outside."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mailguard.checks.sender_identity.check import SenderIdentity
from mailguard.core.decision.facts import Unavailable
from mailguard.core.mail.transaction import Role
from mailguard.core.sender import identity

CHECK = SenderIdentity()
BODY = "\nHello.\n"


def head(*fields: str) -> str:
    return "".join(f"{field}\n" for field in fields) + BODY


ACCOUNT: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("own address", head("From: Jane Doe <jane.doe@example.org>"), {}, []),
    ("own other address", head("From: jdoe@example.org"), {}, []),
    ("upper case", head("From: JANE.DOE@EXAMPLE.ORG"), {}, []),
    ("allowed other name", head('From: "Ms. J. Doe-Rivers" <jdoe@example.org>'), {}, []),
    ("reordered name", head('From: "Doe, Jane" <jdoe@example.org>'), {}, []),
    (
        "somebody else's",
        head("From: Tim Moss <tim.moss@example.org>"),
        {},
        ["not-owner", "display-name"],
    ),
    (
        "the superintendent's name on the own address",
        head("From: Ruth Vance <jdoe@example.org>"),
        {},
        ["staff-name"],
    ),
    ("a made-up name", head("From: The Boss <jdoe@example.org>"), {}, ["display-name"]),
    (
        "reverse-path of another",
        head("From: jdoe@example.org"),
        {"reverse_path": "tim.moss@example.org"},
        ["not-owner"],
    ),
    ("null reverse-path", head("From: jdoe@example.org"), {"reverse_path": ""}, ["not-owner"]),
    (
        "null reverse-path of an automatic reply",
        head("From: jdoe@example.org", "Auto-Submitted: auto-replied"),
        {"reverse_path": ""},
        [],
    ),
    ("sender", head("From: jdoe@example.org", "Sender: tim.moss@example.org"), {}, ["not-owner"]),
    (
        "resent",
        head("From: jdoe@example.org", "Resent-From: tim.moss@example.org"),
        {},
        ["not-owner"],
    ),
    (
        "reply-to outside",
        head("From: jdoe@example.org", "Reply-To: a@home.test"),
        {},
        ["not-owner"],
    ),
    (
        "reply-to of another",
        head("From: jdoe@example.org", "Reply-To: tim.moss@example.org"),
        {},
        ["not-owner"],
    ),
    (
        "two own authors",
        head("From: jdoe@example.org, jane.doe@example.org", "Sender: jdoe@example.org"),
        {},
        [],
    ),
    (
        "two authors, one alien",
        head("From: jdoe@example.org, tim.moss@example.org", "Sender: jdoe@example.org"),
        {},
        ["not-owner"],
    ),
    ("no From", head("Subject: x"), {"reverse_path": "jdoe@example.org"}, ["ambiguous-author"]),
    (
        "two From fields",
        head("From: jdoe@example.org", "From: ruth.vance@example.org"),
        {},
        ["ambiguous-author", "not-owner"],
    ),
    (
        "wrong organization",
        head("From: jdoe@example.org", "Organization: NASA"),
        {},
        ["organization"],
    ),
    (
        "own organization",
        head("From: jdoe@example.org", "Organization: Stafford High School"),
        {},
        [],
    ),
    ("detail", head("From: jdoe+trips@example.org"), {}, ["not-owner"]),
]


@pytest.mark.parametrize(
    ("said", "message", "options", "expected"), ACCOUNT, ids=[c[0] for c in ACCOUNT]
)
def test_by_account(build, codes, said, message, options, expected) -> None:
    case = build(message, role=Role.SUBMISSION, account="jdoe", **options)
    assert codes(CHECK, case) == expected


def test_settings_of_reply_to_and_delimiter(build, codes) -> None:
    def sub(message: str) -> Any:
        return build(message, role=Role.SUBMISSION, account="jdoe")

    inside = sub(head("From: jdoe@example.org", "Reply-To: office@example.org"))
    outside = sub(head("From: jdoe@example.org", "Reply-To: a@home.test"))
    assert codes(CHECK, inside, reply_to="district") == []
    assert codes(CHECK, outside, reply_to="district") == ["not-owner"]
    assert codes(CHECK, outside, reply_to="any") == []
    assert codes(CHECK, sub(head("From: jdoe+trips@example.org")), delimiter="+") == []
    assert codes(CHECK, sub(head("From: jdoe+x@home.test")), delimiter="+") == ["not-owner"]


def test_account_that_nobody_registered(build, codes) -> None:
    case = build(head("From: jdoe@example.org"), role=Role.SUBMISSION, account="ghost")
    assert codes(CHECK, case) == ["unknown-account"]


def test_a_device_has_no_name_to_compare_with(build, codes) -> None:
    own = head("From: Copier Room 12 <copier12@example.org>")
    assert codes(CHECK, build(own, role=Role.SUBMISSION, account="copier12")) == []
    mask = head("From: Ruth Vance <copier12@example.org>")
    assert codes(CHECK, build(mask, role=Role.SUBMISSION, account="copier12")) == ["staff-name"]


def test_a_lookup_that_failed_is_an_error_and_not_a_pass(build) -> None:
    case = build(head("From: jdoe@example.org"), role=Role.SUBMISSION, account="jdoe")
    facts = replace(case.facts, account=Unavailable("time-out"))
    verdict = CHECK.examine(case.transaction, facts, CHECK.Settings())
    assert verdict.error == "account: time-out"
    assert identity.identity(case.transaction, facts).basis == "none"


OUTSIDE: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("a parent", head("From: Priya <priya@home.test>"), {}, []),
    ("the district's domain", head("From: x@example.org"), {}, ["claims-district"]),
    ("a domain below it", head("From: x@mail.example.org"), {}, ["claims-district"]),
    ("upper case", head("From: X@EXAMPLE.ORG"), {}, ["claims-district"]),
    (
        "reverse-path only",
        head("From: priya@home.test"),
        {"reverse_path": "x@example.org"},
        ["claims-district"],
    ),
    (
        "sender only",
        head("From: priya@home.test", "Sender: x@example.org"),
        {},
        ["claims-district"],
    ),
    (
        "reply-to is no claim",
        head("From: form@home.test", "Reply-To: tim.moss@example.org"),
        {},
        [],
    ),
    ("likenesses are another check's", head("From: Jane Doe <jane@examp1e.org>"), {}, []),
    ("several authors", head("From: a@home.test, b@home.test"), {}, ["several-authors"]),
    ("delivery report", head("From: MAILER-DAEMON@mx.home.test"), {"reverse_path": ""}, []),
    ("no From", head("Subject: x"), {}, ["ambiguous-author"]),
]


@pytest.mark.parametrize(
    ("said", "message", "options", "expected"), OUTSIDE, ids=[c[0] for c in OUTSIDE]
)
def test_from_outside(build, codes, said, message, options, expected) -> None:
    assert codes(CHECK, build(message, **options)) == expected


@pytest.mark.parametrize(
    "author",
    [
        b"From: a@home.test\r\nFrom: b@home.test",
        b"From: alice@a(<bob@b.test>",
        b"From: a@home.test <b@other.test>",
        b'From: "x" <a@home.test> <b@home.test>',
        b"From: staff: jane.doe@example.org, b@home.test;",
        b"From: a\x00b@home.test",
        b"From: =?utf-8?Q?jane.doe=40example.org?=",
        b"From:",
        b"From: <>",
    ],
)
def test_an_odd_author_is_ambiguous(build, author) -> None:
    case = build(author + b"\r\n\r\nHello.\r\n", reverse_path="a@home.test")
    verdict = CHECK.examine(case.transaction, case.facts, CHECK.Settings())
    assert "sender-identity.ambiguous-author" in {f.code for f in verdict.findings}
    assert identity.author(case.transaction) == ""


def test_evidence_names_the_person(build) -> None:
    message = head("From: Ruth Vance <jdoe@example.org>")
    case = build(message, role=Role.SUBMISSION, account="jdoe")
    (finding,) = CHECK.examine(case.transaction, case.facts, CHECK.Settings()).findings
    assert finding.evidence == (
        "the display name is that of Ruth Vance, Superintendent; the account jdoe is not theirs"
    )


def test_a_trusted_server_vouches_for_the_district_alone(build, codes) -> None:
    own = build(head("From: Tim Moss <tim.moss@example.org>"), role=Role.RELAY)
    assert codes(CHECK, own) == []
    assert codes(CHECK, own, relay_vouches=False) == ["claims-district"]
    named = build(head("From: Ruth Vance <ruth.vance@example.org>"), role=Role.RELAY)
    assert codes(CHECK, named) == []


def test_submission_without_a_login_proves_nobody(build, codes) -> None:
    case = build(head("From: tim.moss@example.org"), role=Role.SUBMISSION)
    assert codes(CHECK, case) == ["claims-district"]


IDENTITY = [
    (Role.SUBMISSION, "jdoe", "jdoe@example.org", ("jdoe@example.org", "account", "doe")),
    (Role.SUBMISSION, "jdoe", "tim.moss@example.org", ("jane.doe@example.org", "account", "doe")),
    (
        Role.SUBMISSION,
        "copier12",
        "ruth.vance@example.org",
        ("copier12@example.org", "account", None),
    ),
    (Role.SUBMISSION, "ghost", "jdoe@example.org", ("", "none", None)),
    (Role.SUBMISSION, None, "jdoe@example.org", ("", "none", None)),
    (Role.RELAY, None, "tim.moss@example.org", ("tim.moss@example.org", "relay", "moss")),
    (Role.RELAY, None, "app@example.org", ("app@example.org", "relay", None)),
    (Role.RELAY, None, "x@home.test", ("", "none", None)),
    (Role.MX, None, "ruth.vance@example.org", ("", "none", None)),
    (Role.MX, "jdoe", "jdoe@example.org", ("jdoe@example.org", "account", "doe")),
]


@pytest.mark.parametrize(("role", "account", "author", "expected"), IDENTITY)
def test_identity(build, role, account, author, expected) -> None:
    case = build(head(f"From: {author}"), role=role, account=account)
    proven = identity.identity(case.transaction, case.facts)
    owner = proven.owner.id if proven.owner else None
    assert (proven.authenticated_as, proven.basis, owner) == expected
    assert proven.inside is (expected[1] != "none")


def test_nothing_from_outside_is_ever_waivable() -> None:
    assert not [kind.code for kind in CHECK.findings if kind.waivable]
