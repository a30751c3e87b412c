"""Domains that a reader takes for another, and those that only resemble it."""

from __future__ import annotations

import pytest
from tests.support import cost

from mailguard.checks.impersonation.lookalike import Lookalikes, lookalikes
from mailguard.core.people import names

OURS = Lookalikes(("example.org", "ashvalley.k12.az.us", "rnd.test"))


@pytest.mark.parametrize(
    ("domain", "of", "how"),
    [
        ("examp1e.org", "example.org", "letters"),
        ("exampIe.org".lower(), "example.org", "letters"),
        ("mail.exarnple.org", "example.org", "letters"),
        ("xn--exmple-4nf.org", "example.org", "letters"),
        ("ashvaliey.k12.az.us", "ashvalley.k12.az.us", "letters"),
        ("rnc1.test", "rnd.test", "letters"),
        ("md.test", "rnd.test", "letters"),
        ("exaample.org", "example.org", "one letter"),
        ("exmple.org", "example.org", "one letter"),
        ("exmaple.org", "example.org", "one letter"),
        ("exanple.org", "example.org", "one letter"),
        ("ex-ample.org", "example.org", "letters"),
        ("ashvaley.com", "ashvalley.k12.az.us", "one letter"),
        ("example.com", "example.org", "ending .com"),
        ("example.co.uk", "example.org", "ending .co.uk"),
        ("example.org.evil.test", "example.org", "within another domain"),
        ("example-org.test", "example.org", "within another domain"),
        ("login-example-org.evil.test", "example.org", "within another domain"),
        ("exampleorg.test", "example.org", "in another domain"),
        ("example-login.test", "example.org", "a word beside"),
        ("ashvalleypayroll.test", "ashvalley.k12.az.us", "a word beside"),
        ("EXAMP1E.ORG.", "example.org", "letters"),
    ],
)
def test_alike(domain, of, how) -> None:
    likeness = OURS.like(domain)
    assert likeness is not None and likeness.domain == of
    assert how in likeness.how


@pytest.mark.parametrize(
    "domain",
    [
        "",
        "org",
        "example.org",
        "mail.example.org",
        "home.test",
        "sample.org",  # two letters
        "exxaample.org",
        "exaample.com",  # one letter of seven, and elsewhere
        "example.vendor.test",  # their customer's name as a subdomain
        "friends-of-example.test",
        "ashvalleysoccer.test",
        "rns.test",  # short names are near everything
        "rnd.org",
        "xn--\udcff.org",
        "." * 300,
    ],
)
def test_not_alike(domain) -> None:
    assert OURS.like(domain) is None


def test_other_endings_are_a_setting() -> None:
    strict = lookalikes(("example.org",), False)
    assert strict.like("example.com") is None
    assert strict.like("examp1e.com") is not None  # whoever writes a digit means ours


@pytest.mark.parametrize(
    "domain",
    ["a." * 127, "-" * 63 + ".org", "example" * 9 + ".org", "xn--" + "9" * 59 + ".org"],
)
def test_hostile_domains_cost_little(domain: str) -> None:
    def asked(domain: str) -> None:
        for remembering in (OURS._seen, names.domain_skeleton, names._skeletons, names._folded):
            remembering.cache_clear()
        OURS.like(domain)

    ordinary = "mail.ashvalley.example.net"
    cost.assert_ratio(lambda: asked(domain), lambda: asked(ordinary), most=20)
