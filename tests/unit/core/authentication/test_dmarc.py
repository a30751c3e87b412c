"""DMARC: every branch of the tree walk, policy discovery and alignment, named by its section of
RFC 9989."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import cost

from mailguard.core.authentication.dmarc import (
    DmarcAnswers,
    Organization,
    Record,
    a_label,
    evaluate,
    existence_matters,
    names_to_ask,
    organizational_domain,
    parse_record,
    select_record,
    walk,
)
from mailguard.core.decision.facts import Dkim, Dmarc, Spf, Unavailable

SILENT = Unavailable("DNS time-out")
Zone = dict[str, str | tuple[str, ...] | Unavailable]


def answers(
    author: str, identifiers: list[str], zone: Zone, exists: bool | Unavailable = True
) -> DmarcAnswers:
    """Answers as the look-ups give them, for a zone of texts by domain."""
    records = {}
    for name in names_to_ask(author, identifiers):
        texts = zone.get(name, ())
        if isinstance(texts, Unavailable):
            records[name] = texts
        else:
            texts = (texts,) if isinstance(texts, str) else texts
            records[name] = select_record([text.encode() for text in texts])
    return DmarcAnswers(records, exists)


RECORDS = [
    (
        "4.7 every tag",
        "v=DMARC1; p=reject; sp=quarantine; np=none; psd=n; adkim=s; aspf=s; t=y;"
        " fo=1:d:s; rua=mailto:a@example.org, https://example.org/r; ruf=mailto:b@example.org",
        Record(
            "reject",
            "quarantine",
            "none",
            "n",
            "s",
            "s",
            True,
            ("1", "d", "s"),
            ("mailto:a@example.org", "https://example.org/r"),
            ("mailto:b@example.org",),
        ),
    ),
    ("4.7 defaults", "v=DMARC1", Record()),
    ("4.7 v is first", "p=none; v=DMARC1", None),
    ("4.7 v is there", "p=reject", None),
    ("4.7 v is case-sensitive", "v=dmarc1; p=reject", None),
    ("4.7 v is DMARC1 alone", "v=DMARC1 p=reject", None),
    ("4.7 v of another version", "v=DMARC10; p=reject", None),
    ("4.7 unknown tags are ignored", "v=DMARC1; x=y; p=reject; zz", Record("reject")),
    ("4.7 pct is no tag any more", "v=DMARC1; p=reject; pct=0", Record("reject")),
    (
        "4.8 spaces around = and ;",
        "v =\tDMARC1 ; p = reject ;sp= none ; ",
        Record("reject", "none"),
    ),
    ("4.8 the name of v in capitals", "V=DMARC1; P=Reject; T=Y", Record("reject", testing=True)),
    ("4.8 no space before v", " v=DMARC1; p=reject", None),
    ("4.8 p need not be second", "v=DMARC1; adkim=s; p=reject", Record("reject", adkim="s")),
    ("4.8 empty tags", "v=DMARC1;;; p=reject;;", Record("reject")),
    ("4.8 of repeated tags the first", "v=DMARC1; p=reject; p=none", Record("reject")),
    (
        "4.8 bad flags are defaults",
        "v=DMARC1; p=none; adkim=x; aspf=; psd=q; t=1; fo=0:1",
        Record("none"),
    ),
    ("4.8 fo without repetition", "v=DMARC1; fo=d:d", Record()),
    (
        "4.8 octets that do not print",
        "v=DMARC1; p=reject\0; adkim=s",
        Record(adkim="s", invalid=("p",)),
    ),
    ("4.8 not ASCII", "v=DMARC1; p=rejéct", Record(invalid=("p",))),
    (
        "4.8 obsolete size",
        "v=DMARC1; rua=mailto:a@example.org!10m",
        Record(rua=("mailto:a@example.org",)),
    ),
    ("4.6 what is no URI", "v=DMARC1; rua=a@example.org, mailto:nobody,://x, 1:x, a b:c", Record()),
    ("4.10.1 p that is none", "v=DMARC1; p=block", Record(invalid=("p",))),
    ("4.10.1 p without a value", "v=DMARC1; p=", Record(invalid=("p",))),
    (
        "4.10.1 sp and np that are none",
        "v=DMARC1; p=none; sp=x; np=y",
        Record("none", invalid=("sp", "np")),
    ),
]


@pytest.mark.parametrize(
    ("text", "expected"), [r[1:] for r in RECORDS], ids=[r[0] for r in RECORDS]
)
def test_record(text: str, expected: Record | None) -> None:
    assert parse_record(text.encode()) == expected


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], None),
        (["v=spf1 -all"], None),
        (["v=spf1 -all", "v=DMARC1; p=reject"], Record("reject")),
        (["v=DMARC1; p=reject", "v=DMARC1; p=none"], None),
        (["v=DMARC1; p=reject", "v=DMARC1; p=reject"], None),
        (["v=DMARC1; p=reject", "v=DMARC2; p=none"], Record("reject")),
    ],
    ids=["none", "another", "among others", "two", "twice the same", "another version"],
)
def test_4_10_steps_2_and_6_of_several_records_none_counts(
    texts: list[str], expected: Record | None
) -> None:
    assert select_record([text.encode() for text in texts]) == expected


def test_4_10_a_walk_has_eight_steps_at_most() -> None:
    assert walk("a.b.c.d.e.f.g.h.i.j.mail.example.com") == (
        "a.b.c.d.e.f.g.h.i.j.mail.example.com",
        "g.h.i.j.mail.example.com",
        "h.i.j.mail.example.com",
        "i.j.mail.example.com",
        "j.mail.example.com",
        "mail.example.com",
        "example.com",
        "com",
    )


SEVEN = "1.2.3.4.5.6.7 2.3.4.5.6.7 3.4.5.6.7 4.5.6.7 5.6.7 6.7 7"


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("7", "7"),
        ("6.7", "6.7 7"),
        ("1.2.3.4.5.6.7", SEVEN),
        ("0.1.2.3.4.5.6.7", "0.1.2.3.4.5.6.7 " + SEVEN),
        ("x.0.1.2.3.4.5.6.7", "x.0.1.2.3.4.5.6.7 " + SEVEN),
    ],
    ids=["one label", "two", "seven: one off", "eight: one off", "nine: seven left"],
)
def test_4_10_step_4(domain: str, expected: str) -> None:
    assert walk(domain) == tuple(expected.split())


ORGANIZATIONS: list[tuple[str, str, Zone, Organization | Unavailable]] = [
    (
        "4.10.2 rule 1: psd=n",
        "a.mail.example.com",
        {"mail.example.com": "v=DMARC1; psd=n", "example.com": "v=DMARC1"},
        Organization("mail.example.com", "mail.example.com"),
    ),
    (
        "4.10.2 rule 1: psd=n at the start",
        "mail.example.com",
        {"mail.example.com": "v=DMARC1; psd=n", "example.com": "v=DMARC1"},
        Organization("mail.example.com", "mail.example.com"),
    ),
    (
        "4.10.2 rule 1 before rule 3",
        "a.b.example.com",
        {"a.b.example.com": "v=DMARC1", "b.example.com": "v=DMARC1; psd=n"},
        Organization("b.example.com", "b.example.com"),
    ),
    (
        "4.10.2 rule 2: psd=y is one above",
        "a.mail.example.com",
        {"com": "v=DMARC1; psd=y"},
        Organization("example.com", "com"),
    ),
    (
        "4.10.2 rule 2: with a record of its own",
        "a.mail.example.com",
        {"com": "v=DMARC1; psd=y", "example.com": "v=DMARC1"},
        Organization("example.com", "example.com"),
    ),
    (
        "4.10.2 rule 2: the RFC's example",
        "mail.example.com",
        {"mail.example.com": "v=DMARC1", "example.com": "v=DMARC1; psd=y"},
        Organization("mail.example.com", "mail.example.com"),
    ),
    (
        "4.10.2 rule 2: the walk stops there",
        "a.b.example.com",
        {"example.com": "v=DMARC1; psd=y", "com": "v=DMARC1; psd=n"},
        Organization("b.example.com", "example.com"),
    ),
    (
        "4.10.2 rule 2: not where the walk started",
        "bank.example",
        {"bank.example": "v=DMARC1; psd=y", "example": "v=DMARC1"},
        Organization("bank.example", "bank.example"),
    ),
    (
        "4.10.2 rule 2: a record between does not count",
        "a.mail.example.com",
        {"mail.example.com": "v=DMARC1", "com": "v=DMARC1; psd=y"},
        Organization("example.com", "com"),
    ),
    (
        "4.10.2 rule 3: fewest labels",
        "a.mail.example.com",
        {"mail.example.com": "v=DMARC1", "example.com": "v=DMARC1"},
        Organization("example.com", "example.com"),
    ),
    (
        "4.10.2 rule 3: psd=u is the default",
        "a.mail.example.com",
        {"mail.example.com": "v=DMARC1; psd=u", "example.com": "v=DMARC1; psd=U"},
        Organization("example.com", "example.com"),
    ),
    (
        "4.10.2 rule 3: its own alone",
        "mail.example.com",
        {"mail.example.com": "v=DMARC1"},
        Organization("mail.example.com", "mail.example.com"),
    ),
    (
        "4.10.2 nothing found: the initial domain",
        "a.mail.example.com",
        {},
        Organization("a.mail.example.com"),
    ),
    (
        "4.10 step 6: several are none",
        "a.example.com",
        {"a.example.com": "v=DMARC1", "example.com": ("v=DMARC1", "v=DMARC1; psd=n")},
        Organization("a.example.com", "a.example.com"),
    ),
    (
        "4.10 steps 2, 7: stops before silence",
        "mail.example.com",
        {"mail.example.com": "v=DMARC1; psd=n", "example.com": SILENT},
        Organization("mail.example.com", "mail.example.com"),
    ),
    (
        "4.10 silence on the way",
        "mail.example.com",
        {"mail.example.com": "v=DMARC1", "com": SILENT},
        SILENT,
    ),
    (
        "B.4.2 a deep walk",
        "a.b.c.d.e.f.g.h.i.j.k.example.com",
        {"example.com": "v=DMARC1"},
        Organization("example.com", "example.com"),
    ),
    (
        "B.4.2 names that are skipped do not count",
        "a.b.c.d.e.f.g.h.i.j.k.example.com",
        {"b.c.d.e.f.g.h.i.j.k.example.com": "v=DMARC1; psd=n", "example.com": "v=DMARC1"},
        Organization("example.com", "example.com"),
    ),
]


@pytest.mark.parametrize(
    ("domain", "zone", "expected"),
    [o[1:] for o in ORGANIZATIONS],
    ids=[o[0] for o in ORGANIZATIONS],
)
def test_organization(domain: str, zone: Zone, expected: Organization | Unavailable) -> None:
    assert organizational_domain(domain, answers(domain, [], zone).records) == expected


NO_SPF = Spf("none", "elsewhere.test")


@dataclass
class Case:
    """One message: who says what, and what comes of it. The rest of Dmarc is not compared."""

    name: str
    zone: Zone
    result: str
    policy: str = "none"
    author: str = "example.org"
    spf: Spf | Unavailable = NO_SPF
    dkim: tuple[Dkim, ...] | Unavailable = ()
    exists: bool | Unavailable = True
    aligned: tuple[str, ...] = ()
    record_domain: str | None = None
    more: dict[str, object] = field(default_factory=dict)


def signed(domain: str, result: str = "pass") -> tuple[Dkim, ...]:
    return (Dkim(result, domain, "s1"),)


R = "v=DMARC1; p=reject"
POLICIES = [
    Case("4.10.1 the author's own record", {"example.org": R}, "fail", "reject"),
    Case(
        "4.10.1 own record: p, not sp",
        {"a.example.org": R + "; sp=none", "example.org": R},
        "fail",
        "reject",
        "a.example.org",
    ),
    Case(
        "4.10.1 own record: p, not np",
        {"a.example.org": R + "; np=none"},
        "fail",
        "reject",
        "a.example.org",
        exists=False,
    ),
    Case(
        "4.10.1 own record beats the organization's",
        {"a.example.org": "v=DMARC1; p=none", "example.org": R},
        "fail",
        "none",
        "a.example.org",
        record_domain="a.example.org",
    ),
    Case(
        "4.10.1 the organization's, p for subdomains",
        {"example.org": R},
        "fail",
        "reject",
        "a.example.org",
        record_domain="example.org",
    ),
    Case(
        "4.10.1 the organization's sp",
        {"example.org": R + "; sp=quarantine"},
        "fail",
        "quarantine",
        "a.example.org",
    ),
    Case(
        "4.10.1 sp is not for the organization", {"example.org": R + "; sp=none"}, "fail", "reject"
    ),
    Case(
        "4.10.1 np where it does not exist",
        {"example.org": "v=DMARC1; p=none; sp=quarantine; np=reject"},
        "fail",
        "reject",
        "x.example.org",
        exists=False,
    ),
    Case(
        "4.10.1 sp where it does",
        {"example.org": "v=DMARC1; p=none; sp=quarantine; np=reject"},
        "fail",
        "quarantine",
        "x.example.org",
    ),
    Case(
        "4.7 np: sp in its absence",
        {"example.org": "v=DMARC1; p=none; sp=quarantine"},
        "fail",
        "quarantine",
        "x.example.org",
        exists=False,
    ),
    Case(
        "4.7 np: p in the absence of both",
        {"example.org": R},
        "fail",
        "reject",
        "x.example.org",
        exists=False,
    ),
    Case(
        "4.7 sp absent, np not applicable: p",
        {"example.org": "v=DMARC1; p=quarantine; np=reject"},
        "fail",
        "quarantine",
        "x.example.org",
    ),
    Case(
        "4.10.1 np of none weakens",
        {"example.org": R + "; np=none"},
        "fail",
        "none",
        "x.example.org",
        exists=False,
    ),
    Case(
        "4.10.1 the record between is not used",
        {"m.example.org": "v=DMARC1; p=none", "example.org": R},
        "fail",
        "reject",
        "a.m.example.org",
        record_domain="example.org",
    ),
    Case(
        "4.10.1 psd=n between is used",
        {"m.example.org": "v=DMARC1; p=none; psd=n", "example.org": R},
        "fail",
        "none",
        "a.m.example.org",
        record_domain="m.example.org",
    ),
    Case(
        "4.10.1 the public suffix's",
        {"org": "v=DMARC1; p=none; sp=reject; psd=y"},
        "fail",
        "reject",
        record_domain="org",
    ),
    Case(
        "4.10.1 the public suffix's np",
        {"org": "v=DMARC1; p=none; np=reject; psd=y"},
        "fail",
        "reject",
        exists=False,
        record_domain="org",
    ),
    Case(
        "4.10.1 the suffix's is not for who has one",
        {"org": R + "; psd=y", "example.org": "v=DMARC1; p=none"},
        "fail",
        "none",
        "a.example.org",
        record_domain="example.org",
    ),
    Case(
        "4.10.1 the suffix itself as author",
        {"org": "v=DMARC1; p=reject; sp=none; psd=y"},
        "fail",
        "reject",
        "org",
    ),
    Case(
        "4.10.1 more than eight labels",
        {"example.org": R},
        "fail",
        "reject",
        "a.b.c.d.e.f.g.h.i.example.org",
    ),
    Case("4.10.1 no record anywhere", {}, "none"),
    Case("4.10 several records are none", {"example.org": (R, R)}, "none"),
    Case(
        "4.10.1 several of the author's, one of the organization's",
        {"a.example.org": (R, R), "example.org": R + "; sp=quarantine"},
        "fail",
        "quarantine",
        "a.example.org",
    ),
    Case("4.7 p absent is p=none", {"example.org": "v=DMARC1; rua=mailto:a@example.org"}, "fail"),
    Case("4.7 p absent, no rua either", {"example.org": "v=DMARC1"}, "fail"),
    Case(
        "4.7 p absent, sp there",
        {"example.org": "v=DMARC1; sp=reject"},
        "fail",
        "reject",
        "a.example.org",
    ),
    Case(
        "4.10.1 p invalid with rua is p=none",
        {"example.org": "v=DMARC1; p=x; rua=mailto:a@example.org"},
        "fail",
    ),
    Case("4.10.1 p invalid without rua", {"example.org": "v=DMARC1; p=x"}, "permerror"),
    Case(
        "4.10.1 p invalid with a rua that is none",
        {"example.org": "v=DMARC1; p=x; rua=nobody"},
        "permerror",
    ),
    Case(
        "4.10.1 sp invalid with rua is p=none",
        {"example.org": R + "; sp=x; rua=mailto:a@example.org"},
        "fail",
    ),
    Case(
        "4.10.1 np invalid without rua",
        {"example.org": R + "; np=x"},
        "permerror",
        author="a.example.org",
    ),
    Case(
        "4.10.1 an invalid own record hides the organization's",
        {"a.example.org": "v=DMARC1; p=x", "example.org": R},
        "permerror",
        author="a.example.org",
    ),
    Case(
        "4.7 t=y: reject is quarantine",
        {"example.org": R + "; t=y"},
        "fail",
        "quarantine",
        more={"testing": True, "published": "reject"},
    ),
    Case(
        "4.7 t=y: quarantine is none",
        {"example.org": "v=DMARC1; p=quarantine; t=y"},
        "fail",
        "none",
        more={"published": "quarantine"},
    ),
    Case("4.7 t=y: none stays", {"example.org": "v=DMARC1; p=none; t=y"}, "fail"),
    Case(
        "4.7 t=y is for sp too",
        {"example.org": "v=DMARC1; p=none; sp=reject; t=y"},
        "fail",
        "quarantine",
        "a.example.org",
    ),
    Case(
        "4.7 t=n is the default",
        {"example.org": R + "; t=n"},
        "fail",
        "reject",
        more={"testing": False},
    ),
    Case("5.3.1 no Author Domain", {"example.org": R}, "permerror", author=""),
    Case("5.3.1 an address literal", {}, "permerror", author="[192.0.2.1]"),
    Case(
        "5.3.1 a U-label",
        {"xn--bcher-kva.example": R},
        "fail",
        "reject",
        "Bücher.example",
        record_domain="xn--bcher-kva.example",
    ),
    Case(
        "4.4 case and final dot",
        {"example.org": R},
        "pass",
        "reject",
        "EXAMPLE.org.",
        Spf("pass", "Example.ORG"),
        aligned=("spf",),
    ),
]

ALIGNMENTS = [
    Case(
        "4.4.2 SPF, the same domain",
        {"example.org": R},
        "pass",
        "reject",
        spf=Spf("pass", "example.org"),
        aligned=("spf",),
    ),
    Case(
        "4.4.1 DKIM, the same domain",
        {"example.org": R},
        "pass",
        "reject",
        dkim=signed("example.org"),
        aligned=("dkim",),
    ),
    Case(
        "4.4 both",
        {"example.org": R},
        "pass",
        "reject",
        spf=Spf("pass", "example.org"),
        dkim=signed("example.org"),
        aligned=("spf", "dkim"),
    ),
    Case(
        "4.4 table 1: siblings, relaxed",
        {"example.com": R},
        "pass",
        "reject",
        "news.example.com",
        dkim=signed("foo.example.com"),
        aligned=("dkim",),
    ),
    Case(
        "4.4 table 1: identical, strict",
        {"example.com": R + "; adkim=s"},
        "pass",
        "reject",
        "news.example.com",
        dkim=signed("news.example.com"),
        aligned=("dkim",),
    ),
    Case(
        "4.4 table 1: nothing in common",
        {"example.com": R, "example.net": R},
        "fail",
        "reject",
        "news.example.com",
        dkim=signed("foo.example.net"),
    ),
    Case(
        "3.2.10.1 the organization for a subdomain",
        {"example.org": R},
        "pass",
        "reject",
        "a.example.org",
        Spf("pass", "example.org"),
        aligned=("spf",),
    ),
    Case(
        "3.2.10.1 a subdomain for the organization",
        {"example.org": R},
        "pass",
        "reject",
        spf=Spf("pass", "bounces.example.org"),
        aligned=("spf",),
    ),
    Case(
        "3.2.10.2 aspf=s",
        {"example.org": R + "; aspf=s"},
        "fail",
        "reject",
        spf=Spf("pass", "bounces.example.org"),
    ),
    Case(
        "3.2.10.2 aspf=s is not for DKIM",
        {"example.org": R + "; aspf=s"},
        "pass",
        "reject",
        dkim=signed("a.example.org"),
        aligned=("dkim",),
    ),
    Case(
        "3.2.10.2 adkim=s",
        {"example.org": R + "; adkim=s"},
        "fail",
        "reject",
        dkim=signed("a.example.org"),
    ),
    Case(
        "3.2.10.2 adkim=s is not for SPF",
        {"example.org": R + "; adkim=s"},
        "pass",
        "reject",
        spf=Spf("pass", "a.example.org"),
        aligned=("spf",),
    ),
    Case(
        "3.2.10.2 strict needs no walk",
        {"example.org": R + "; adkim=s", "org": SILENT},
        "fail",
        "reject",
        dkim=signed("a.example.org"),
    ),
    Case(
        "4.4.2 SPF that did not pass",
        {"example.org": R},
        "fail",
        "reject",
        spf=Spf("softfail", "example.org"),
    ),
    Case(
        "4.4.1 DKIM that did not pass",
        {"example.org": R},
        "fail",
        "reject",
        dkim=signed("example.org", "fail"),
    ),
    Case(
        "4.4.1 any of several signatures",
        {"example.org": R},
        "pass",
        "reject",
        dkim=signed("list.test") + signed("example.org", "fail") + signed("m.example.org"),
        aligned=("dkim",),
    ),
    Case(
        "3.2.4 the HELO identity does not count",
        {"example.org": R},
        "fail",
        "reject",
        spf=Spf("pass", "example.org", "helo"),
    ),
    Case(
        "4.4 an end that is alike is no subdomain",
        {"example.org": R},
        "fail",
        "reject",
        spf=Spf("pass", "notexample.org"),
    ),
    Case(
        "4.4 the top-level domain in common",
        {"example.org": R},
        "fail",
        "reject",
        dkim=signed("org") + signed("other.org"),
    ),
    Case(
        "4.10.2 psd=n parts the branches",
        {"example.org": R, "m.example.org": R + "; psd=n"},
        "fail",
        "reject",
        "a.m.example.org",
        dkim=signed("example.org"),
    ),
    Case(
        "4.10.2 psd=n keeps its own together",
        {"example.org": R, "m.example.org": R + "; psd=n"},
        "pass",
        "reject",
        "a.m.example.org",
        dkim=signed("b.m.example.org"),
        aligned=("dkim",),
    ),
    Case(
        "4.10.2 psd=y parts registrants",
        {"bank.example": R + "; psd=y"},
        "fail",
        "reject",
        "giant.bank.example",
        dkim=signed("mega.bank.example"),
    ),
    Case(
        "4.10.2 psd=y does not sign for them",
        {"bank.example": R + "; psd=y"},
        "fail",
        "reject",
        "giant.bank.example",
        dkim=signed("bank.example"),
    ),
    Case(
        "B.4.1 the simple example",
        {"example.com": R, "signing.example.com": R},
        "pass",
        "reject",
        "example.com",
        Spf("pass", "example.com"),
        signed("signing.example.com"),
        aligned=("spf", "dkim"),
    ),
    Case(
        "B.4.2 the deep example",
        {"example.com": R, "signing.example.com": R},
        "pass",
        "reject",
        "a.b.c.d.e.f.g.h.i.j.k.example.com",
        Spf("pass", "example.com"),
        signed("signing.example.com"),
        aligned=("spf", "dkim"),
    ),
    Case(
        "B.4.3 SPF aligned, DKIM not",
        {"bank.example": R + "; psd=y", "giant.bank.example": R},
        "pass",
        "reject",
        "giant.bank.example",
        Spf("pass", "mail.giant.bank.example"),
        signed("mail.mega.bank.example"),
        aligned=("spf",),
    ),
    Case(
        "4.10.1 a pass with a policy of none",
        {"example.org": "v=DMARC1; p=none"},
        "pass",
        dkim=signed("example.org"),
        aligned=("dkim",),
    ),
    Case(
        "4.10.2 no record, alignment is told",
        {},
        "none",
        dkim=signed("example.org"),
        aligned=("dkim",),
    ),
]

TROUBLE = [
    Case("5.3.6 the author's record is silent", {"example.org": SILENT}, "temperror"),
    Case(
        "5.3.6 … strict alignment is told",
        {"example.org": SILENT},
        "temperror",
        dkim=signed("example.org"),
        aligned=("dkim",),
    ),
    Case(
        "5.3.6 … relaxed alignment is not",
        {"example.org": SILENT},
        "temperror",
        dkim=signed("a.example.org"),
    ),
    Case(
        "5.3.6 the walk for the policy is silent",
        {"org": SILENT, "example.org": R},
        "temperror",
        author="a.example.org",
    ),
    Case(
        "4.10.2 one domain, one record: no walk",
        {"org": SILENT, "example.org": R},
        "pass",
        "reject",
        dkim=signed("example.org"),
        aligned=("dkim",),
    ),
    Case(
        "5.3.6 the walk for the alignment is silent",
        {"b.example.org": SILENT, "example.org": R},
        "temperror",
        "reject",
        dkim=signed("b.example.org"),
    ),
    Case(
        "5.3.6 … another is aligned",
        {"b.example.org": SILENT, "example.org": R},
        "pass",
        "reject",
        dkim=signed("b.example.org"),
        spf=Spf("pass", "example.org"),
        aligned=("spf",),
    ),
    Case(
        "5.3.6 … of a foreign domain",
        {"b.other.org": SILENT, "example.org": R},
        "fail",
        "reject",
        dkim=signed("b.other.org"),
    ),
    Case(
        "5.3.6 … of a signature that failed",
        {"b.example.org": SILENT, "example.org": R},
        "fail",
        "reject",
        dkim=signed("b.example.org", "fail"),
    ),
    Case(
        "5.3.6 SPF temperror, aligned",
        {"example.org": R},
        "temperror",
        "reject",
        spf=Spf("temperror", "example.org"),
    ),
    Case(
        "5.3.6 SPF temperror, not aligned",
        {"example.org": R},
        "fail",
        "reject",
        spf=Spf("temperror", "other.org"),
    ),
    Case(
        "5.3.6 SPF temperror, DKIM aligned",
        {"example.org": R},
        "pass",
        "reject",
        spf=Spf("temperror", "example.org"),
        dkim=signed("example.org"),
        aligned=("dkim",),
    ),
    Case(
        "5.3.6 DKIM temperror, aligned",
        {"example.org": R},
        "temperror",
        "reject",
        dkim=signed("a.example.org", "temperror"),
    ),
    Case(
        "5.3.6 DKIM temperror, not aligned strictly",
        {"example.org": R + "; adkim=s"},
        "fail",
        "reject",
        dkim=signed("a.example.org", "temperror"),
    ),
    Case("5.3.6 no SPF result", {"example.org": R}, "temperror", "reject", spf=SILENT),
    Case("5.3.6 no DKIM result", {"example.org": R}, "temperror", "reject", dkim=SILENT),
    Case(
        "5.3.6 no DKIM result, SPF aligned",
        {"example.org": R},
        "pass",
        "reject",
        spf=Spf("pass", "example.org"),
        dkim=SILENT,
        aligned=("spf",),
    ),
    Case(
        "5.3.6 existence is not known",
        {"example.org": R + "; np=none"},
        "temperror",
        author="a.example.org",
        exists=SILENT,
    ),
    Case(
        "5.3.6 existence is not known, a pass",
        {"example.org": R + "; np=none"},
        "pass",
        author="a.example.org",
        exists=SILENT,
        dkim=signed("example.org"),
        aligned=("dkim",),
    ),
    Case(
        "4.10 silence behind psd=n does not matter",
        {"org": SILENT, "example.org": R + "; psd=n"},
        "fail",
        "reject",
        "a.example.org",
    ),
]
CASES = POLICIES + ALIGNMENTS + TROUBLE


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_evaluation(case: Case) -> None:
    dkim = case.dkim
    identifiers = [] if isinstance(dkim, Unavailable) else [one.domain for one in dkim]
    if isinstance(case.spf, Spf):
        identifiers.append(case.spf.domain)
    asked = answers(case.author, identifiers, case.zone, case.exists)
    found = evaluate(case.author, case.spf, dkim, asked)
    assert (found.result, found.policy, found.aligned) == (case.result, case.policy, case.aligned)
    if case.record_domain is not None:
        assert found.record_domain == case.record_domain
    for name, value in case.more.items():
        assert getattr(found, name) == value
    assert found.reason or found.result in ("pass", "none")


def test_the_fact_in_full() -> None:
    asked = answers("a.example.org", ["b.example.org"], {"example.org": R + "; t=y"})
    assert evaluate("a.example.org", NO_SPF, signed("b.example.org"), asked) == Dmarc(
        "pass",
        policy="quarantine",
        domain="a.example.org",
        published="reject",
        record_domain="example.org",
        organizational_domain="example.org",
        aligned=("dkim",),
        testing=True,
    )


def last_two(domain: str) -> str | None:
    """A public suffix list in which every top-level domain is one."""
    labels = domain.split(".")
    return ".".join(labels[-2:]) if len(labels) > 1 else None


@pytest.mark.parametrize(
    ("signer", "expected"),
    [("b.example.org", ("dkim",)), ("other.org", ()), ("org", ()), ("example.net", ())],
)
def test_a_public_suffix_list_stands_in_where_no_record_is(
    signer: str, expected: tuple[str, ...]
) -> None:
    asked = answers("a.example.org", [signer], {})
    without = evaluate("a.example.org", NO_SPF, signed(signer), asked)
    found = evaluate("a.example.org", NO_SPF, signed(signer), asked, last_two)
    assert (without.result, without.aligned) == ("none", ())
    assert (found.result, found.aligned) == ("none", expected)
    assert found.organizational_domain == "example.org" and found.record_domain == ""


@pytest.mark.parametrize("case", POLICIES + ALIGNMENTS, ids=lambda case: case.name)
def test_a_public_suffix_list_changes_no_published_result(case: Case) -> None:
    dkim = case.dkim if isinstance(case.dkim, tuple) else ()
    identifiers = [one.domain for one in dkim]
    if isinstance(case.spf, Spf):
        identifiers.append(case.spf.domain)
    asked = answers(case.author, identifiers, case.zone, case.exists)
    found = evaluate(case.author, case.spf, dkim, asked, last_two)
    assert (found.result, found.policy) == (case.result, case.policy)


@pytest.mark.parametrize(
    ("author", "text", "expected"),
    [
        ("a.example.org", R + "; np=none", True),
        ("a.example.org", R + "; np=reject", False),
        ("a.example.org", R + "; sp=none; np=reject", True),
        ("a.example.org", R, False),
        ("example.org", R + "; np=none", False),
    ],
)
def test_4_10_1_existence_is_asked_only_where_it_matters(
    author: str, text: str, expected: bool
) -> None:
    records = answers(author, [], {"example.org": text}).records
    assert existence_matters(author, records) is expected


def test_names_to_ask_are_few() -> None:
    assert names_to_ask("mail.example.org", ["example.org", "b.example.org", "x.test"]) == (
        "mail.example.org",
        "example.org",
        "org",
        "b.example.org",
    )
    assert names_to_ask("", ["example.org"]) == ()


@pytest.mark.parametrize(
    "domain", ["", ".", "a..b", "x" * 64 + ".test", ".a", "é" * 300, "[::1]", "a b.test", "\0.test"]
)
def test_what_is_no_domain(domain: str) -> None:
    assert a_label(domain) == ""
    assert evaluate(domain, SILENT, SILENT, DmarcAnswers()).result == "permerror"


tags = st.sampled_from(["p", "sp", "np", "psd", "t", "adkim", "rua", "fo", "v", "", "x"])
values = st.sampled_from(["none", "reject", "y", "n", "mailto:a@b", "\0", "é", "", "s"])
records_text = st.lists(st.tuples(tags, values)).map(
    lambda pairs: "v=DMARC1;" + ";".join(f"{tag}={value}" for tag, value in pairs)
)


@given(st.one_of(st.binary(), records_text.map(str.encode), st.binary().map(b"v=DMARC1;".__add__)))
def test_arbitrary_octets_never_raise(raw: bytes) -> None:
    record = parse_record(raw)
    if record is not None:
        found = evaluate(
            "example.org", NO_SPF, (), DmarcAnswers({"example.org": record, "org": None})
        )
        assert found.result in ("fail", "permerror")


@given(
    st.text(), st.text(), st.sampled_from(["pass", "temperror", "fail"]), st.sampled_from([R, ""])
)
def test_arbitrary_domains_never_raise(author: str, signer: str, result: str, text: str) -> None:
    asked = answers(author, [signer], {a_label(author): text})
    found = evaluate(author, NO_SPF, (Dkim(result, signer),), asked)
    assert found.result != "pass" or a_label(author) == a_label(signer) or result == "pass"


LONG = [cost.growing(b";", 65_000, b"v=DMARC1"), cost.growing(b"a:b,", 16_000, b"v=DMARC1;rua=")]


@pytest.mark.parametrize("raw", LONG, ids=str)
def test_a_long_record_costs_nothing(raw: cost.Growing[bytes]) -> None:
    assert parse_record(raw.make(raw.size)) is None
    cost.assert_bounded(raw, parse_record)
    cost.assert_linear(replace(raw, size=raw.size // 16), parse_record)
