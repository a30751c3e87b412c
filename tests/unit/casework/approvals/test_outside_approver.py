"""An approver outside the district: their answer counts with the token and their own domain's
signature, verified here by the real verifier, and by nothing less."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.support.dkim_vectors import record, sign
from tests.support.office import (
    APPROVALS,
    DAY,
    DIRECTORY,
    MAPLE,
    NEEDS,
    NOTHING,
    PEOPLE,
    Mail,
    Office,
    held,
    mail,
    to,
)

from mailguard.adapters.authentication.dns import Answer, NxDomain, Records
from mailguard.adapters.authentication.lookups import SenderAuthentication
from mailguard.casework.approvals.life import ApprovalOutcome
from mailguard.core.authentication.arc_seal import seal
from mailguard.core.authentication.dkim_signing import SigningKey
from mailguard.core.decision.approval import anybody_of, each_of
from mailguard.core.decision.policy import Policy
from mailguard.core.mail.transaction import Role
from mailguard.core.people.model import OutsideApprover

COUNSEL, TARA = "lena@law.example", "tara@example.org"
OUTSIDE = "outside:counsel"
REGISTERED = {OUTSIDE: OutsideApprover(OUTSIDE, "Lena Linden, counsel", COUNSEL)}
LAW, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
SEALER = SigningKey("forwarder.test", "s1", OTHER)
ZONE: dict[str, Answer] = {
    "s1._domainkey.law.example": record(LAW),
    "s1._domainkey.other.example": record(OTHER),
    "s1._domainkey.forwarder.test": record(OTHER),
    "law.example": Records((b"v=spf1 ip4:192.0.2.9 -all",)),
}
NAMES = b"from:to:subject:date:message-id:content-type"
UNTYPED = NAMES.replace(b":content-type", b"")  # as many large senders sign
INNER = "--zz\nContent-Type: text/plain\n\nYes\n--zz--\n"


class Zone:
    """A resolver over ZONE."""

    def known(self, name: str, record_type: str) -> Answer | None:
        return ZONE.get(name, NxDomain())

    async def look_up(self, name: str, record_type: str) -> Answer:
        return ZONE.get(name, NxDomain())


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    opened = Office(tmp_path, directory=replace(DIRECTORY, outside=REGISTERED))
    zone = SenderAuthentication(Zone(), 5.0, "mx.example.org")
    opened.world.judging.authenticator.authenticate = zone.authenticate  # type: ignore[method-assign]
    yield opened
    opened.close()


def waits_for(*offices: str, both: bool = False) -> Policy:
    """The policy says whose yes the reason needs."""
    policy = held(NEEDS)
    wanted = each_of(*offices) if both else anybody_of(*offices)
    steps = tuple(replace(step, approvers={NEEDS: wanted}) for step in policy.steps)
    return Policy(steps, f"{policy.digest} {offices} {both}")


async def asked(office: Office, policy: Policy, sender: str = TARA) -> dict[str, Mail]:
    await office.accept(mail(sender, MAPLE, "Contract"), [MAPLE], policy)
    return {m.to[0]: m for m in await office.round() if m.kind == "question"}


def signed(
    raw: bytes,
    domain: bytes = b"law.example",
    key: Ed25519PrivateKey = LAW,
    names: bytes = NAMES,
    more: bytes = b"",
) -> bytes:
    header, _, body = raw.partition(b"\r\n\r\n")
    tags = b"d=%s; s=s1%s" % (domain, more)
    header += b"\r\n"
    return sign(header, body, names=names, tags=tags, algorithm=b"ed25519-sha256", key=key)


def answer(question: Mail, text: str = "Yes", sender: str = COUNSEL, subject: str = "") -> bytes:
    said = {"In_Reply_To": str(question.message["Message-ID"])}
    return mail(sender, APPROVALS, subject or f"Re: {question.subject}", text, **said)


async def send(office: Office, raw: bytes, reverse_path: str = COUNSEL) -> None:
    where = {"account": None, "reverse_path": reverse_path, "role": Role.MX}
    assert (await office.accept(raw, [APPROVALS], NOTHING, **where)).code == 250  # type: ignore[arg-type]


async def test_counsel_is_asked_and_a_signed_yes_delivers(office: Office) -> None:
    questions = await asked(office, waits_for(OUTSIDE))
    assert set(questions) == {COUNSEL}
    assert "Asked: Lena Linden, counsel." in questions[COUNSEL].text
    await send(office, signed(answer(questions[COUNSEL])))
    sent = await office.round()
    assert office.approval().outcome is ApprovalOutcome.GRANTED
    assert [m.to for m in sent if m.kind == "release"] == [(MAPLE,)]
    assert "Lena Linden, counsel" in to(sent, TARA)[0].text


async def test_a_firm_that_signs_no_content_type_is_heard_in_parts(office: Office) -> None:
    question = (await asked(office, waits_for(OUTSIDE)))[COUNSEL]
    await send(office, signed(answer(question), names=UNTYPED))  # text/plain: it could be anything
    await office.round()
    assert office.approval().outcome is ApprovalOutcome.WAITING
    plain, html = "Content-Type: text/plain\n\nYes", "Content-Type: text/html\n\n<p>Yes</p>"
    parts = f"--aa\n{plain}\n--aa\n{html}\n--aa--\n"
    await send(office, signed(_of_parts(answer(question), parts), names=UNTYPED))
    await office.round()
    assert office.approval().outcome is ApprovalOutcome.GRANTED


async def test_their_own_name_as_sender_and_others_in_copy_change_nothing(office: Office) -> None:
    question = (await asked(office, waits_for(OUTSIDE)))[COUNSEL]
    raw = f"Sender: {COUNSEL}\r\nCc: {TARA}\r\n".encode() + answer(question)
    await send(office, signed(raw, names=NAMES + b":cc"))
    await office.round()
    assert office.approval().outcome is ApprovalOutcome.GRANTED


async def test_a_signed_no_ends_it(office: Office) -> None:
    questions = await asked(office, waits_for(OUTSIDE))
    await send(office, signed(answer(questions[COUNSEL], "No")))
    await office.round()
    assert office.approval().outcome is ApprovalOutcome.DENIED


async def test_by_the_page_like_everybody(office: Office) -> None:
    questions = await asked(office, waits_for(OUTSIDE))
    assert await office.desk.answer(questions[COUNSEL].page, "yes")
    await office.round()
    assert office.approval().outcome is ApprovalOutcome.GRANTED


@dataclass(frozen=True)
class Forgery:
    name: str
    make: Callable[[Mail], bytes]
    reverse_path: str = COUNSEL


def _with_token(question: Mail, token: str) -> bytes:
    return signed(mail(COUNSEL, APPROVALS, f"Re: Contract [#{token}]", "Yes"))


def _wrong_mac(token: str) -> str:
    return token[:-1] + ("a" if token[-1] != "a" else "b")


def _of_parts(raw: bytes, text: str) -> bytes:
    """The same as of several parts, whose boundary is "aa"."""
    header, _, _ = raw.partition(b"\r\n\r\n")
    header = header.replace(b"text/plain; charset=utf-8", b"multipart/alternative; boundary=aa")
    return b"\r\n\r\n".join((header, text.replace("\n", "\r\n").encode()))


FORGERIES = [
    Forgery("no DKIM, although SPF passes", answer),
    Forgery(
        "DKIM of another domain",
        lambda q: signed(answer(q), b"other.example", OTHER),
    ),
    Forgery("DKIM by another key", lambda q: signed(answer(q), key=OTHER)),
    Forgery("l=", lambda q: signed(answer(q), more=b"; l=5")),
    Forgery("the Subject is not signed", lambda q: signed(answer(q), names=b"from:to:date")),
    Forgery(
        "the Subject was put on afterwards",
        lambda q: signed(answer(q, subject="Lunch")).replace(
            b"Subject: Lunch", f"Subject: {q.subject}".encode()
        ),
    ),
    Forgery(
        "the token stands in a field that nobody signs",
        lambda q: signed(answer(q, subject="Lunch on Friday?")),
    ),
    Forgery(
        "altered on the way, which a sealed chain excuses",
        lambda q: _sealed(signed(answer(q)).replace(b"\r\n\r\nYes", b"\r\n\r\nYes!")),
    ),
    Forgery("another token", lambda q: _with_token(q, _wrong_mac(q.token))),
    Forgery("another address of the domain", lambda q: signed(answer(q, sender="leo@law.example"))),
    Forgery("a tag", lambda q: signed(answer(q, sender="lena+x@law.example"))),
    Forgery("two authors", lambda q: signed(answer(q, sender=f"{COUNSEL}, leo@law.example"))),
    Forgery(
        "what they wrote to somebody else, sent on, with the token in quoted text",
        lambda q: signed(
            mail(COUNSEL, TARA, "Re: Lunch?", f"Yes\n\n> Lunch?\n> Reference: {q.token}")
        ),
        "mallory@elsewhere.test",
    ),
    Forgery(
        "what they wrote to somebody else about this very question, sent on",
        lambda q: signed(mail(COUNSEL, TARA, f"Re: {q.subject}", "Yes")),
    ),
    Forgery(
        "the desk's address was put on afterwards",
        lambda q: (
            f"Cc: {APPROVALS}\r\n".encode() + signed(mail(COUNSEL, TARA, f"Re: {q.subject}", "Yes"))
        ),
    ),
    Forgery(
        "to whom is not signed",
        lambda q: signed(answer(q), names=NAMES.replace(b":to", b"")),
    ),
    Forgery(
        "a token in the text alone",
        lambda q: signed(mail(COUNSEL, APPROVALS, "Yes", f"Yes\n\nReference: {q.token}")),
    ),
    Forgery(
        "a part of what is quoted becomes the text",
        lambda q: signed(answer(q, f"No.\n\n{INNER}"), names=UNTYPED).replace(
            b"Content-Type: text/plain; charset=utf-8",
            b"Content-Type: multipart/mixed; boundary=zz",
        ),
    ),
    Forgery(
        "another boundary than the text begins with",
        lambda q: signed(_of_parts(answer(q), "--aa\n\nNo.\n\n" + INNER), names=UNTYPED).replace(
            b"boundary=aa", b"boundary=zz"
        ),
    ),
    Forgery(
        "another encoding was put on afterwards",
        lambda q: b"Content-Transfer-Encoding: base64\r\n" + signed(answer(q)),
    ),
    Forgery(
        "another's hand",
        lambda q: signed(
            b"Sender: paralegal@law.example\r\n" + answer(q), names=NAMES + b":sender"
        ),
    ),
    Forgery(
        "resent by another", lambda q: b"Resent-From: tara@example.org\r\n" + signed(answer(q))
    ),
    Forgery(
        "automatic",
        lambda q: signed(b"Auto-Submitted: auto-replied\r\n" + answer(q)),
    ),
]


def _sealed(raw: bytes) -> bytes:
    results = b"mx.forwarder.test; dkim=pass header.d=law.example; dmarc=pass"
    return seal(raw, results, "none", SEALER, 1_793_600_000.0) + raw


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda f: f.name)
async def test_nothing_less_counts(office: Office, forgery: Forgery) -> None:
    question = (await asked(office, waits_for(OUTSIDE)))[COUNSEL]
    await send(office, forgery.make(question), forgery.reverse_path)
    sent = await office.round()
    assert office.approval().outcome is ApprovalOutcome.WAITING
    assert sent == []  # nothing is told outside, and nothing goes
    await send(office, signed(answer(question)))  # and the true one still does
    await office.round()
    assert office.approval().outcome is ApprovalOutcome.GRANTED


async def test_an_account_of_the_district_does_not_speak_for_counsel(office: Office) -> None:
    question = (await asked(office, waits_for(OUTSIDE)))[COUNSEL]
    for role, account in ((Role.SUBMISSION, "tara"), (Role.RELAY, None)):
        raw = signed(answer(question, f"Yes\n\n{role.value}"))
        await office.accept(
            raw, [APPROVALS], NOTHING, account=account, reverse_path=COUNSEL, role=role
        )
        await office.round()
        assert office.approval().outcome is ApprovalOutcome.WAITING


async def test_a_replay_after_the_decision_changes_nothing(office: Office) -> None:
    question = (await asked(office, waits_for(OUTSIDE)))[COUNSEL]
    yes, no = signed(answer(question)), signed(answer(question, "No"))
    await send(office, yes)
    await office.round()
    before = office.approval()
    for again in (yes, no):
        await send(office, again)
        sent = await office.round()
        assert office.approval() == before
        assert [m for m in sent if m.kind == "release"] == []


async def test_a_question_to_counsel_answers_for_nobody_else(office: Office) -> None:
    questions = await asked(office, waits_for(OUTSIDE, "technology"))
    assert set(questions) == {COUNSEL, "tomas@example.org"}
    await send(office, signed(answer(questions["tomas@example.org"])))
    await office.reply(questions[COUNSEL], "Yes", sender="tomas@example.org")
    await office.round()
    assert office.approval().outcome is ApprovalOutcome.WAITING


async def test_two_of_them_apart(office: Office) -> None:
    questions = await asked(office, waits_for(OUTSIDE, "person:gloria", both=True))
    assert set(questions) == {COUNSEL, "gloria@example.org"}
    await send(office, signed(answer(questions[COUNSEL])))
    await office.round()
    assert office.approval().outcome is ApprovalOutcome.WAITING
    await office.reply(questions["gloria@example.org"], "Yes")
    await office.round()
    assert office.approval().outcome is ApprovalOutcome.GRANTED


async def test_who_is_registered_no_more_is_not_heard_and_not_reminded(office: Office) -> None:
    question = (await asked(office, waits_for(OUTSIDE)))[COUNSEL]
    office.snapshot = replace(office.snapshot, directory=DIRECTORY)
    await send(office, signed(answer(question)))
    await office.round()
    assert office.approval().outcome is ApprovalOutcome.WAITING
    assert await office.desk.answer(question.page, "yes") is None
    office.now += 1.1 * DAY
    assert to(await office.round(), COUNSEL) == []


async def test_another_address_than_the_one_that_was_asked_does_not_count(office: Office) -> None:
    question = (await asked(office, waits_for(OUTSIDE)))[COUNSEL]
    moved = {OUTSIDE: OutsideApprover(OUTSIDE, "Lena Linden, counsel", "lena@other.example")}
    office.snapshot = replace(office.snapshot, directory=replace(DIRECTORY, outside=moved))
    await send(office, signed(answer(question)))
    raw = answer(question, sender="lena@other.example")
    await send(office, signed(raw, b"other.example", OTHER), "lena@other.example")
    assert await office.desk.answer(question.page, "yes") is None
    await office.round()
    assert office.approval().outcome is ApprovalOutcome.WAITING


async def test_nobody_outside_approves_their_own(office: Office) -> None:
    raw = mail(COUNSEL, MAPLE, "From counsel")
    where = {"account": None, "reverse_path": COUNSEL, "role": Role.MX}
    await office.accept(raw, [MAPLE], waits_for(OUTSIDE), **where)  # type: ignore[arg-type]
    sent = await office.round()
    assert [m for m in sent if m.kind == "question"] == []
    assert to(sent, "postmaster@example.org")


async def test_a_role_is_asked_and_answers_while_it_is_theirs(office: Office) -> None:
    def roles(**held_by: tuple[str, ...]) -> None:
        people = {i: replace(p, roles=held_by.get(i, p.roles)) for i, p in PEOPLE.items()}
        changed = replace(DIRECTORY, people=people, outside=REGISTERED)
        office.snapshot = replace(office.snapshot, directory=changed)

    roles(gloria=("human_resources",))
    questions = await asked(office, waits_for("human_resources"))
    assert set(questions) == {"gloria@example.org"}
    assert office.approval().seats[0].label == "Human Resources"
    roles(ben=("human_resources",))  # who was asked has it no more
    await office.reply(questions["gloria@example.org"], "Yes")
    await office.round()
    assert office.approval().outcome is ApprovalOutcome.WAITING
    roles(gloria=("human_resources",))
    await office.reply(questions["gloria@example.org"], "Yes, go ahead")
    await office.round()
    assert office.approval().outcome is ApprovalOutcome.GRANTED
