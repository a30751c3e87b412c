"""Which facts prove an author, and how strictly."""

from __future__ import annotations

import pytest

from mailguard.core.decision.facts import Dkim, Dmarc, Facts, Spf, Unavailable
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.people.district import District
from mailguard.core.sender.outside_proof import Proof, author_proof

DISTRICT = District(
    name="Example Valley",
    short_name="EV",
    domains=("example.org",),
    spammail="spammail@example.org",
    postmaster="postmaster@example.org",
    authserv_id="mailguard.example.org",
)
TENANT = Dkim("pass", "tenant.home.test")
TENANT_SPF = Spf("pass", "tenant.home.test")


def proof(
    spf: Spf | Unavailable,
    dkim: tuple[Dkim, ...] | Unavailable,
    dmarc: Dmarc | Unavailable,
    author: bytes = b"jane@home.test",
) -> Proof:
    transaction = Transaction(
        id="t",
        received_at=0.0,
        listener=Listener("mx", Role.MX),
        envelope=Envelope("m@tenant.home.test", ("office@example.org",)),
        message=mime.parse(b"From: " + author + b"\r\n\r\nHello\r\n"),
    )
    facts = Facts(now=0.0, district=DISTRICT, spf=spf, dkim=dkim, dmarc=dmarc)
    return author_proof(transaction, facts)


@pytest.mark.parametrize(
    ("dmarc", "expected"),
    [
        (Dmarc("pass", domain="home.test"), Proof.DMARC),
        (Dmarc("none", domain="home.test"), Proof.DKIM),  # relaxed where nothing is published
        (Dmarc("permerror", domain="home.test"), Proof.DKIM),
        (Dmarc("fail", domain="home.test"), Proof.NONE),  # adkim=s, aspf=s
        (Dmarc("temperror", domain="home.test"), Proof.UNKNOWN),
        (Dmarc("temperror", domain="home.test", aligned=("dkim",)), Proof.DKIM),
    ],
)
def test_a_published_policy_says_how_strict_alignment_is(dmarc: Dmarc, expected: Proof) -> None:
    assert proof(TENANT_SPF, (TENANT,), dmarc) is expected


def test_spf_alone() -> None:
    assert proof(TENANT_SPF, (), Dmarc("none", domain="home.test")) is Proof.SPF
    assert proof(TENANT_SPF, (), Dmarc("fail", domain="home.test")) is Proof.NONE


def test_a_policy_that_does_not_answer_proves_nothing_that_failed() -> None:
    unanswered = Dmarc("temperror", domain="home.test")
    assert proof(Spf("fail", "tenant.home.test"), (), unanswered) is Proof.NONE
    assert proof(Spf("temperror", "tenant.home.test"), (), unanswered) is Proof.UNKNOWN


@pytest.mark.parametrize(
    "signature",
    [
        Dkim("fail", "home.test"),
        Dkim("pass", "home.test", body_length_limited=True),
        Dkim("pass", "home.test", testing=True),
        Dkim("pass", "home.test", uncovered=("from",)),
        Dkim("pass", "other.test"),
    ],
)
def test_signatures_that_prove_nothing(signature: Dkim) -> None:
    assert proof(Spf("none"), (signature,), Dmarc("none", domain="home.test")) is Proof.NONE


def test_several_authors_are_never_proven() -> None:
    passed = Dmarc("pass", domain="home.test")
    both = b"jane@home.test, joe@home.test"
    assert proof(TENANT_SPF, (TENANT,), passed, both) is Proof.NONE
