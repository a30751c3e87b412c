"""No backscatter: only a proven sender is answered by mail (R7, R27)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.support.steps import DISTRICT

from mailguard.core.decision.facts import Dkim, Facts, Spf
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.people.model import Account
from mailguard.core.sender.may_answer import may_answer

PARENT = "parent@example.com"
PASSES = Spf("pass", "example.com")


def answered(
    role: Role = Role.MX,
    reverse_path: str = PARENT,
    more: bytes = b"",
    account: str | None = None,
    author: bytes = b"parent@example.com",
    account_fact: Account | None = None,
    **facts: Any,
) -> bool:
    raw = b"From: " + author + b"\r\n" + more + b"Subject: s\r\n\r\nhello\r\n"
    envelope = Envelope(reverse_path, ("ann@example.org",), account=account)
    transaction = Transaction("0" * 26, 1.0, Listener(role.value, role), envelope, mime.parse(raw))
    known = Facts(now=1.0, district=DISTRICT, spf=Spf("none"), dkim=(), account=account_fact)
    return may_answer(transaction, replace(known, **facts))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, False),
        ({"spf": PASSES}, True),
        ({"spf": Spf("pass", "example.net")}, False),
        ({"spf": Spf("softfail", "example.com")}, False),
        ({"spf": Spf("pass", "example.com", identity="helo")}, False),
        ({"dkim": (Dkim("pass", "example.com"),)}, True),
        ({"dkim": (Dkim("pass", "example.com", body_length_limited=True),)}, False),
        ({"dkim": (Dkim("fail", "example.com"), Dkim("pass", "example.net"))}, False),
    ],
)
def test_from_outside_the_reverse_paths_domain_must_be_proven(
    facts: dict[str, Any], expected: bool
) -> None:
    assert answered(**facts) is expected


@pytest.mark.parametrize(
    "more",
    [
        b"Auto-Submitted: auto-replied\r\n",
        b"Precedence: bulk\r\n",
        b"List-Id: <x.example.com>\r\n",
        b"Content-Type: multipart/report; boundary=x\r\n",
    ],
)
def test_automatic_mail_is_never_answered(more: bytes) -> None:
    assert not answered(more=more, spf=PASSES)


def test_the_null_reverse_path_is_never_answered() -> None:
    assert not answered(reverse_path="", spf=Spf("pass", "example.com"))


@pytest.mark.parametrize(
    ("reverse_path", "expected"),
    [("tara@example.org", True), ("ben@example.org", False), (PARENT, False)],
)
def test_an_account_is_answered_at_its_own_address_only(reverse_path: str, expected: bool) -> None:
    tara = Account("tara", ("tara@example.org",))
    assert (
        answered(
            Role.SUBMISSION,
            reverse_path,
            account="tara",
            author=b"tara@example.org",
            account_fact=tara,
        )
        is expected
    )


def test_a_trusted_server_vouches_for_its_author_only() -> None:
    own = {"role": Role.RELAY, "author": b"sis@example.org"}
    assert answered(reverse_path="sis@example.org", **own)
    assert not answered(reverse_path="other@example.org", **own)
