"""The registrable part of domains."""

from __future__ import annotations

import pytest

from mailguard.core.links.public_suffix import registrable, same_owner


@pytest.mark.parametrize(
    ("domain", "part"),
    [
        ("mail.example.org", "example.org"),
        ("EXAMPLE.ORG.", "example.org"),
        ("a.b.co.uk", "b.co.uk"),
        ("co.uk", ""),
        ("org", ""),
        ("a.b.test", "b.test"),
        ("", ""),
        ("..", ""),
        (".org", ""),
        ("a..org", ""),
        ("a." * 200 + "org", ""),
        ("\udcff.org", "\udcff.org"),
    ],
)
def test_registrable(domain, part) -> None:
    assert registrable(domain) == part


def test_a_public_suffix_is_nobodys() -> None:
    assert same_owner("a.example.org", "b.example.org")
    assert not same_owner("a.co.uk", "b.co.uk")
    assert not same_owner("org", "org")
