"""R3: who sends for whom, with V6 in their own words. R4: one account from many places."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from mailguard.checks.sender_identity.check import SenderIdentity
from mailguard.core.decision.facts import DelegationInUse, Unavailable
from mailguard.core.mail import mime
from mailguard.core.people.model import Delegation
from mailguard.core.render import render
from mailguard.core.text import reader

CHECK = SenderIdentity()
TODAY = date(2026, 11, 25)
SAID = "sent by Jane Doe on behalf of Ruth Vance"
DOE_FOR_VANCE = Delegation(
    "doe", "vance", "Memo TS-1", date(2026, 8, 1), date(2027, 6, 30), "quill"
)


def text(body: str, sender: str = "Ruth Vance <ruth.vance@example.org>", *fields: str) -> str:
    return "\n".join((f"From: {sender}", *fields, "", body, ""))


@pytest.fixture
def ask(build: Any) -> Callable[..., Any]:
    """A message under Jane Doe's login, with her grant to send for Ruth Vance."""

    def asked(message: str, *grants: Delegation, today: date = TODAY, **options: Any) -> Any:
        people = build.directory.people
        given = tuple(
            DelegationInUse(d, people[d.principal], people.get(d.renewer))
            for d in grants or (DOE_FOR_VANCE,)
        )
        options.setdefault("account", "jdoe")
        options.setdefault("reverse_path", "jane.doe@example.org")
        return build(message, grants=given, today=today, **options)

    return asked


SPOKEN = [
    ("in the text", text(f"Dear Tim,\n\nplease come.\n\n{SAID}"), ["delegated"]),
    ("folded", text("Come.\n\nSENT by “Jane  Doe”,\non behalf\nof Ruth Vance."), ["delegated"]),
    ("an allowed other name", text(SAID.replace("Jane Doe", "Ms. J. Doe-Rivers")), ["delegated"]),
    ("missing", text("Please come."), ["no-phrase", "delegated"]),
    ("somebody else's", text(SAID.replace("Jane", "Joan")), ["no-phrase", "delegated"]),
    ("for somebody else", text(SAID.replace("Ruth", "Anna")), ["no-phrase", "delegated"]),
    ("within a word", text("Consent by Jane Doe on behalf of Ruth Vanceton"), ["no-phrase"]),
    ("quoted", text(f"Come.\n\nOn Mon, Tim Moss wrote:\n> {SAID}"), ["no-phrase", "delegated"]),
    ("no text", text(""), ["no-phrase", "delegated"]),
    (
        "Sender alone",
        text("Hi.", "Jane Doe <jdoe@example.org>", "Sender: ruth.vance@example.org"),
        ["no-phrase", "delegated"],
    ),
    (
        "answers to the principal",
        text("Hi.", "Jane Doe <jdoe@example.org>", "Reply-To: ruth.vance@example.org"),
        ["delegated"],
    ),
    (
        "resent in the principal's name",
        text("Hi.", "Jane Doe <jdoe@example.org>", "Resent-From: ruth.vance@example.org"),
        ["not-owner"],
    ),
    ("a third person", text(SAID, "Anna Berg <anna.berg@example.org>"), ["not-owner"]),
]


@pytest.mark.parametrize(("message", "wanted"), [c[1:] for c in SPOKEN], ids=[c[0] for c in SPOKEN])
def test_the_phrase(ask: Any, codes: Any, message: str, wanted: list[str]) -> None:
    assert codes(CHECK, ask(message))[: len(wanted)] == wanted


def test_what_the_sender_is_told(ask: Any) -> None:
    case = ask(text("Please come."))
    verdict = CHECK.examine(case.transaction, case.facts, CHECK.Settings())
    told = {f.code: f for f in verdict.findings}
    assert told["sender-identity.no-phrase"].advice.endswith(f': "{SAID}".')
    assert "'Memo TS-1', granted 2026-08-01" in told["sender-identity.delegated"].evidence
    assert verdict.edits == ()


HTML = (
    "From: ruth.vance@example.org\nMIME-Version: 1.0\n"
    "Content-Type: multipart/alternative; boundary=b\n\n"
    "--b\nContent-Type: text/plain\n\n{plain}\n--b\nContent-Type: text/html\n\n{html}\n--b--\n"
)


@pytest.mark.parametrize(
    ("plain", "html", "missing"),
    [
        (SAID, f"<p>{SAID}</p>", False),
        (SAID, "<p>Come.</p>", True),  # a reader of HTML would never see it
        ("Come.", f"<p>{SAID}</p>", True),
        (SAID, f"<p>Come.</p><blockquote type=cite>{SAID}</blockquote>", True),
        (SAID, f'<p>Come.</p><p style="display:none">{SAID}</p>', True),
    ],
)
def test_every_form_of_the_body_says_it(
    ask: Any, codes: Any, plain: str, html: str, missing: bool
) -> None:
    found = codes(CHECK, ask(HTML.format(plain=plain, html=html)))
    assert ("no-phrase" in found) is missing


def test_it_is_inserted_where_it_is_missing(ask: Any) -> None:
    quote = "On Mon, Tim Moss wrote:\n> When?"
    message = HTML.format(plain=f"Come.\n\n{quote}", html=f"<p>Come.</p><p>{SAID}</p>")
    case = ask(message)
    verdict = CHECK.examine(case.transaction, case.facts, CHECK.Settings(delegate_phrase="insert"))
    assert [f.code for f in verdict.findings] == ["sender-identity.delegated"]
    assert len(verdict.edits) == 1
    copy = render.render(case.transaction.message, verdict.edits)
    assert render.verify(case.transaction.message, copy, verdict.edits) is None
    again = CHECK.examine(
        replace(case.transaction, message=mime.parse(copy)),
        replace(case.facts, reading=reader.read(mime.parse(copy))),
        CHECK.Settings(),
    )
    assert [f.code for f in again.findings] == ["sender-identity.delegated"]
    assert copy.index(SAID.encode()) < copy.index(b"On Mon")


def test_signed_mail_is_bounced_instead(ask: Any, codes: Any) -> None:
    signed = (
        "From: ruth.vance@example.org\nMIME-Version: 1.0\n"
        'Content-Type: multipart/signed; protocol="application/pgp-signature"; boundary=b\n\n'
        "--b\nContent-Type: text/plain\n\nCome.\n"
        "--b\nContent-Type: application/pgp-signature\n\nx\n--b--\n"
    )
    assert codes(CHECK, ask(signed), delegate_phrase="insert") == ["no-phrase", "delegated"]


@pytest.mark.parametrize(
    ("today", "wanted"),
    [
        (date(2026, 7, 31), "begins on 2026-08-01"),
        (date(2026, 8, 1), ""),
        (date(2027, 6, 30), ""),
        (date(2027, 7, 1), "expired on 2027-06-30"),
        (date.max, "expired on 2027-06-30"),  # an unknown day
    ],
)
def test_the_grants_dates(ask: Any, today: date, wanted: str) -> None:
    case = ask(text(SAID), today=today)
    verdict = CHECK.examine(case.transaction, case.facts, CHECK.Settings())
    first = verdict.findings[0]
    if not wanted:
        assert [f.code for f in verdict.findings] == ["sender-identity.delegated"]
    else:
        assert first.code == "sender-identity.grant-expired"
        assert wanted in first.evidence
        assert "ask Peter Quill-Mason (peter.quill@example.org) to renew" in first.advice


def test_a_renewed_grant_counts_beside_the_expired_one(ask: Any, codes: Any) -> None:
    old = replace(DOE_FOR_VANCE, document="Memo TS-0", expires=date(2026, 9, 1))
    assert codes(CHECK, ask(text(SAID), old, DOE_FOR_VANCE)) == ["delegated"]


def test_a_grant_ends_when_its_principal_leaves(ask: Any, codes: Any) -> None:
    case = ask(text(SAID))
    (grant,) = case.facts.grants
    gone = replace(grant, principal=replace(grant.principal, end=date(2026, 11, 24)))
    ended = replace(case, facts=replace(case.facts, grants=(gone,)))
    assert codes(CHECK, ended)[0] == "grant-expired"


def test_a_grant_is_its_delegates_alone(ask: Any, codes: Any) -> None:
    case = ask(text(SAID), account="tmoss", reverse_path="tim.moss@example.org")
    assert codes(CHECK, case)[0] == "not-owner"


def test_the_principals_name_on_the_own_address_stays_a_likeness(ask: Any, codes: Any) -> None:
    case = ask(text(SAID, "Ruth Vance <jdoe@example.org>", "Reply-To: ruth.vance@example.org"))
    assert "staff-name" in codes(CHECK, case)


def test_another_name_on_the_principals_address(ask: Any, codes: Any) -> None:
    case = ask(text(SAID, "Anna Berg <ruth.vance@example.org>"))
    assert codes(CHECK, case) == ["delegated", "staff-name"]


def test_what_was_not_read_is_no_pass(ask: Any) -> None:
    case = ask(text(SAID), reading=Unavailable("too big"))
    verdict = CHECK.examine(case.transaction, case.facts, CHECK.Settings())
    assert verdict.error == "the message was not read: too big"


def test_many_client_addresses_are_told_and_nothing_is_stopped(ask: Any, codes: Any) -> None:
    own = text("Hi.", "Jane Doe <jdoe@example.org>")
    assert codes(CHECK, ask(own, account_clients=4)) == []
    assert codes(CHECK, ask(own, account_clients=5)) == ["many-clients"]
    assert codes(CHECK, ask(own, account_clients=5), many_clients=6) == []
    kind = next(k for k in CHECK.findings if k.code == "sender-identity.many-clients")
    assert kind.default.word == "forward"
