"""R1: who outside is taken for somebody of the district, and who is not."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from mailguard.checks.impersonation.check import Impersonation
from mailguard.core.decision.facts import Dkim, Dmarc, Spf, Unavailable
from mailguard.core.mail.transaction import Role
from mailguard.core.people.directory import Directory

CHECK = Impersonation()


def head(*fields: str) -> str:
    return "".join(f"{field}\n" for field in fields) + "\nHello.\n"


def sent_by(shown: str, mailbox: str = "x@home.test") -> str:
    encoded = base64.b64encode(shown.encode("utf-8", "surrogatepass")).decode()
    return head(f"From: =?utf-8?B?{encoded}?= <{mailbox}>")


NAMES: list[tuple[str, list[str]]] = [
    ("Jane Doe", ["staff-name"]),
    ("Doe, Jane", ["staff-name"]),
    ("JANE DOE", ["staff-name"]),
    ("Jane Q. Doe", ["staff-name"]),
    ("Dr. Ruth Vance, Superintendent", ["staff-name"]),
    ("Superintendent Ruth Vance", ["staff-name"]),
    ("Executive Director of IT Peter Quill-Mason", ["staff-name"]),
    ("Office of the Superintendent Ruth Vance", ["staff-name"]),
    ("Ruth Vance via Docs", ["staff-name"]),
    ("Ruth Vаncе", ["staff-name"]),  # Cyrillic
    ("𝐑𝐮𝐭𝐡 𝐕𝐚𝐧𝐜𝐞", ["staff-name"]),
    ("🅡🅤🅣🅗 🆅🅰🅽🅲🅴", ["staff-name"]),
    ("Ruth\u3164 Vance\u200d", ["staff-name"]),
    ("Ru\u2060th V\u00adance", ["staff-name"]),
    ("🍎 Ruth Vance 🍎", ["staff-name"]),
    ("Ruth🍎Vance", ["staff-name"]),
    ("\u202eRuth Vance", ["staff-name"]),
    ("RuthVance", ["staff-name"]),
    ("R u t h  V a n c e", ["staff-name"]),
    ("Ru7h Vance", ["similar-name"]),  # 7 is nobody's t, but one letter is a slip
    ("Tim Moss", []),  # not protected
    ("Ruth", []),
    ("Vance", []),
    ("R. V.", []),
    ("Ruth Vancey", ["similar-name"]),
    ("Rtuh Vance", ["similar-name"]),
    ("Jane Doee", []),  # nobody with a role
    ("Ruth Q. Lanvance", []),
    ("Ruth Vance Memorial Fund", []),
    ("Mary Ruth Vance", []),
    ("R. Vance", ["similar-name"]),
    ("Vance, R.", ["similar-name"]),
    ("Ruth V.", ["similar-name"]),
    ("J. Doe", []),  # nobody with a role
    ("Jane D.", []),
    ("Pete Quill-Mason", ["staff-name"]),  # a role: the short form is as good as the name
    ("Peter Mason", ["staff-name"]),
    ("P. Mason", ["similar-name"]),
]


@pytest.mark.parametrize(("shown", "expected"), NAMES)
def test_names(build, codes, shown, expected) -> None:
    assert codes(CHECK, build(sent_by(shown))) == expected


TITLES: list[tuple[str, list[str]]] = [
    ("Superintendent", ["staff-title"]),
    ("Office of the Superintendent", ["staff-title"]),
    ("From the desk of the Superintendent", ["staff-title"]),
    ("Supt.", ["staff-title"]),
    ("Superintendent of Schools", ["staff-title"]),
    ("Superintendent, Example Valley Unified School District", ["staff-title"]),
    ("EVUSD Superintendent John Reed", ["staff-title"]),
    ("Example Valley Superintendent", ["staff-title"]),
    ("Principal, Stafford High School", ["staff-title"]),
    ("Stafford High Principal", ["staff-title"]),
    ("Principal's Office - Stafford High School", ["staff-title"]),
    ("Ѕuреrіntеndеnt", ["staff-title"]),  # Cyrillic
    ("Executive Director of Information Technology", ["staff-title"]),
    ("Exec. Director of IT", ["staff-title"]),
    ("Principal", []),  # every district has some, and a bank is called so
    ("Principal, Elm Street School", []),
    ("John Reed, Superintendent", []),
    ("Office of the Superintendent, Reed County Schools", []),
    ("Teacher", []),
    ("Teacher, Stafford High School", []),
    ("Stafford High School PTA", []),
    ("Friends of Example Valley", []),
    ("", []),
]


@pytest.mark.parametrize(("shown", "expected"), TITLES)
def test_titles(build, codes, shown, expected) -> None:
    assert codes(CHECK, build(sent_by(shown))) == expected


def test_a_districts_own_list_of_titles(build, codes) -> None:
    case = build(sent_by("IT Help-Desk"))
    assert codes(CHECK, case) == []
    assert codes(CHECK, case, titles=("IT Help Desk",)) == ["staff-title"]
    assert codes(CHECK, build(sent_by("IT Help Desk of Acme")), titles=("IT Help Desk",)) == []


OUTSIDE: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("a parent", head("From: Priya <priya@home.test>"), {}, []),
    ("comment", head("From: r@home.test (Ruth Vance)"), {}, ["staff-name"]),
    (
        "address in the name",
        head('From: "office@example.org" <x@home.test>'),
        {},
        ["address-in-name"],
    ),
    (
        "address with a wide at",
        sent_by("office＠example.org"),
        {},
        ["address-in-name"],
    ),
    ("lookalike in the name", sent_by("office@examp1e.org"), {}, ["address-in-name"]),
    ("other address in the name", head('From: "me@other.test" <x@home.test>'), {}, []),
    ("lookalike", head("From: x@examp1e.org"), {}, ["lookalike-domain"]),
    ("lookalike below", head("From: x@mail.examp1e.org"), {}, ["lookalike-domain"]),
    ("punycode", head("From: x@xn--exmple-4nf.org"), {}, ["lookalike-domain"]),
    ("other ending", head("From: x@example.com"), {}, ["lookalike-domain"]),
    (
        "lookalike reply-to",
        head("From: x@home.test", "Reply-To: a@examp1e.org"),
        {},
        ["lookalike-domain"],
    ),
    (
        "lookalike reverse-path",
        head("From: x@home.test"),
        {"reverse_path": "a@exarnple.org"},
        ["lookalike-domain"],
    ),
    ("in the local part", head("From: jdoe.example.org@home.test"), {}, ["lookalike-domain"]),
    ("in a quoted local part", head('From: "a@example.org"@home.test'), {}, ["lookalike-domain"]),
    ("a list's rewriting", head("From: jdoe=example.org@lists.test"), {}, []),
    (
        "a variable reverse-path",
        head("From: a@lists.test"),
        {"reverse_path": "bounce-jdoe=example.org@lists.test"},
        [],
    ),
    ("reply-to of ours", head("From: a@home.test", "Reply-To: tim.moss@example.org"), {}, []),
    (
        "name, answers elsewhere",
        head("From: Ruth Vance <r@home.test>", "Reply-To: ruth@gmail.com"),
        {},
        ["staff-name", "reply-to-leaves"],
    ),
    (
        "district's name, answers elsewhere",
        head("From: EVUSD Parents <news@mailer.test>", "Reply-To: pta.evusd@gmail.com"),
        {},
        ["reply-to-leaves"],
    ),
    (
        "our domain, answers elsewhere",
        head("From: Office <office@example.org>", "Reply-To: office@gmail.com"),
        {},
        ["reply-to-leaves"],
    ),
    (
        "a shop's answers",
        head("From: Acme <no-reply@shop.test>", "Reply-To: acme@gmail.com"),
        {},
        [],
    ),
    (
        "short name, answers to another firm",
        head("From: R. Vance <r@home.test>", "Reply-To: r@firm.test"),
        {},
        ["similar-name"],
    ),
    (
        "short name, free mailbox of the same firm",
        head("From: R. Vance <r@gmail.com>", "Reply-To: r.vance@gmail.com"),
        {},
        ["similar-name"],
    ),
    ("an account's mail", head("From: Ruth Vance <r@home.test>"), {"account": "jdoe"}, []),
    ("no From", head("Subject: x"), {}, []),
]


@pytest.mark.parametrize(
    ("said", "message", "options", "expected"), OUTSIDE, ids=[c[0] for c in OUTSIDE]
)
def test_from_outside(build, codes, said, message, options, expected) -> None:
    assert codes(CHECK, build(message, **options)) == expected


def test_settings_of_domains(build, codes) -> None:
    other = build(head("From: x@example.com"))
    assert codes(CHECK, other, other_endings=False) == []
    assert codes(CHECK, other, known_domains=("example.com",)) == []
    below = build(head("From: x@mail.example.com"))
    assert codes(CHECK, below, known_domains=("example.com",)) == []
    swapped = build(head("From: billing@pyaroll.test"))
    assert codes(CHECK, swapped) == []
    assert codes(CHECK, swapped, partners=("payroll.test",)) == ["lookalike-domain"]
    itself = build(head("From: billing@mail.payroll.test"))
    assert codes(CHECK, itself, partners=("payroll.test",)) == []


def test_names_of_people_with_a_role_alone(build, codes) -> None:
    assert codes(CHECK, build(sent_by("Ruth Vance")), staff_names="roles") == ["staff-name"]
    assert codes(CHECK, build(sent_by("Jane Doe")), staff_names="roles") == ["similar-name"]


@pytest.mark.parametrize(
    ("message", "evidence"),
    [
        (
            sent_by("Ruth Vance", "ruth@home.test"),
            "the display name is that of Ruth Vance, Superintendent; "
            "the address ruth@home.test is not theirs",
        ),
        (
            sent_by("Ruth Vance", "ruth.vance@example.org"),
            "the display name is that of Ruth Vance, Superintendent; "
            "the address ruth.vance@example.org is not proven",
        ),
        (
            sent_by("Office of the Superintendent"),
            "the display name claims to be Superintendent, as Ruth Vance is; "
            "the address x@home.test is outside",
        ),
        (
            sent_by("Stafford High School Principal"),
            "the display name claims to be Principal, Stafford High School; "
            "the address x@home.test is outside",
        ),
        (
            sent_by("x", "x@examp1e.org"),
            "From: x@examp1e.org looks like an address at example.org and is none: "
            "its letters look like those",
        ),
        (
            sent_by("R. Vance"),
            "the display name 'R. Vance' may be taken for Ruth Vance, Superintendent; "
            "the address x@home.test is not theirs",
        ),
    ],
)
def test_evidence_is_in_words(build, message, evidence) -> None:
    case = build(message)
    found = CHECK.examine(case.transaction, case.facts, CHECK.Settings()).findings
    assert found[0].evidence == evidence


def test_a_trusted_server_vouches_for_the_district_alone(build, codes) -> None:
    own = build(sent_by("Ruth Vance", "tim.moss@example.org"), role=Role.RELAY)
    assert codes(CHECK, own) == []
    assert codes(CHECK, own, relay_vouches=False) == ["staff-name"]
    outside = build(sent_by("Ruth Vance"), role=Role.RELAY)
    assert codes(CHECK, outside) == ["staff-name"]


PASS = Dkim("pass", "home.test")
GONE = Unavailable("time-out")
ASKED = {"spf": Spf("none"), "dkim": (), "dmarc": Dmarc("none")}
OTHER_PATH = {"reverse_path": "a@b.test"}
PROOFS: list[tuple[str, dict[str, Any], str]] = [
    ("no answer at all", {}, "registered-address"),
    ("no answer, other path", OTHER_PATH, "staff-name"),
    ("asked, nothing vouches", ASKED, "staff-name"),
    ("DMARC", ASKED | {"dmarc": Dmarc("pass")}, "registered-address"),
    ("DMARC, other path", ASKED | {"dmarc": Dmarc("pass")} | OTHER_PATH, "registered-address"),
    ("DMARC fails", ASKED | {"dmarc": Dmarc("fail")}, "staff-name"),
    ("DKIM", ASKED | {"dkim": (PASS,)}, "registered-address"),
    ("DKIM of somebody else", ASKED | {"dkim": (Dkim("pass", "other.test"),)}, "staff-name"),
    ("DKIM of the suffix", ASKED | {"dkim": (Dkim("pass", "test"),)}, "staff-name"),
    ("DKIM below", ASKED | {"dkim": (Dkim("pass", "mail.home.test"),)}, "registered-address"),
    ("DKIM with l=", ASKED | {"dkim": (replace(PASS, body_length_limited=True),)}, "staff-name"),
    ("DKIM without From", ASKED | {"dkim": (replace(PASS, uncovered=("From",)),)}, "staff-name"),
    ("DKIM in test", ASKED | {"dkim": (replace(PASS, testing=True),)}, "staff-name"),
    ("DKIM fails", ASKED | {"dkim": (Dkim("fail", "home.test"),)}, "staff-name"),
    ("SPF", ASKED | {"spf": Spf("pass", "home.test")}, "registered-address"),
    ("SPF of the HELO", ASKED | {"spf": Spf("pass", "home.test", "helo")}, "staff-name"),
    ("SPF of another", ASKED | {"spf": Spf("pass", "b.test")} | OTHER_PATH, "staff-name"),
    ("SPF softfail", ASKED | {"spf": Spf("softfail", "home.test")}, "staff-name"),
    ("no answer: SPF in trouble", ASKED | {"spf": Spf("temperror", "x")}, "registered-address"),
    ("no answer: DKIM unavailable", ASKED | {"dkim": GONE}, "registered-address"),
]  # fmt: skip


@pytest.fixture
def registered(build):
    """The district in which Jane Doe's own mailbox is registered."""
    people = dict(build.directory.people)
    people["doe"] = replace(people["doe"], personal_addresses=("jane@home.test",))
    return replace(build, directory=Directory(people, build.directory.sites))


@pytest.mark.parametrize(("said", "options", "expected"), PROOFS, ids=[p[0] for p in PROOFS])
def test_a_registered_personal_address_counts_where_proven(
    registered, codes, said, options, expected
) -> None:
    case = registered(sent_by("Jane Doe", "jane@home.test"), **options)
    lax: dict[str, Any] = {"exceptions_need_authentication": False}
    assert codes(CHECK, case, **lax) == [expected]
    assert codes(CHECK, case, may_use_staff_names=("jane@home.test",), **lax) == [expected]
    if "answer" in said:
        assert codes(CHECK, case) == ["staff-name"]
    else:
        assert codes(CHECK, case) == [expected]


def test_the_evidence_says_what_proved_a_registered_address(registered) -> None:
    def evidence(**options: Any) -> str:
        case = registered(sent_by("Jane Doe", "jane@home.test"), **options)
        lax = CHECK.Settings(exceptions_need_authentication=False)
        (found,) = CHECK.examine(case.transaction, case.facts, lax).findings
        return found.evidence

    whose = "jane@home.test is a registered address of Jane Doe"
    assert evidence() == f"{whose}; the reverse-path is the same, and nothing else answered"
    assert evidence(**ASKED | {"dmarc": Dmarc("pass")}) == f"{whose}, proven by DMARC"


def test_a_personal_address_is_its_owners_alone(registered, codes) -> None:
    assert codes(CHECK, registered(sent_by("Ruth Vance", "jane@home.test"))) == ["staff-name"]
    assert codes(CHECK, registered(sent_by("Superintendent", "jane@home.test"))) == ["staff-title"]
    two = head("From: Jane Doe <jane@home.test>, x@other.test")
    assert codes(CHECK, registered(two)) == ["staff-name"]


def test_a_listed_service_may_bear_staff_names(build, codes) -> None:
    message = head("From: Jane Doe via Forms <forms@service.test>")
    assert codes(CHECK, build(message)) == ["staff-name"]
    allowed = ("forms@service.test",)
    proven = build(message, reverse_path="bounce@service.test", **ASKED | {"dmarc": Dmarc("pass")})
    assert codes(CHECK, proven, may_use_staff_names=allowed) == ["registered-address"]
    forged = build(message, **ASKED)
    assert codes(CHECK, forged, may_use_staff_names=allowed) == ["staff-name"]


def test_nothing_of_it_is_ever_waivable() -> None:
    assert not [kind.code for kind in CHECK.findings if kind.waivable]
