"""Approvals under attack: by outsiders, dishonest senders, careless approvers, and crashes."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import update
from tests.support.office import (
    ANNOUNCEMENT,
    APPROVALS,
    CEDAR,
    DAY,
    DECLARED,
    DIRECTORY,
    MAPLE,
    NEEDS,
    NOTHING,
    PEOPLE,
    SITES,
    Mail,
    Office,
    held,
    mail,
    to,
)
from tests.support.steps import Says

from mailguard.adapters.database.tables import matters
from mailguard.casework.approvals.life import ApprovalOutcome
from mailguard.casework.refusal import CommandRefused
from mailguard.casework.tickets import Conflict
from mailguard.core.decision.policy import CheckSettings, Policy, PolicyStep
from mailguard.core.decision.verdict import Disposition, Finding, Verdict
from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Role
from mailguard.core.people.directory import Directory
from mailguard.core.people.model import Site
from mailguard.pipeline.ports import StoreError

TARA, PAULA, TOMAS, SAM = (f"{n}@example.org" for n in ("tara", "paula", "tomas", "sam"))
YESTERDAY = date(2026, 11, 1)
GONE = replace(DIRECTORY, people={**PEOPLE, "paula": replace(PEOPLE["paula"], end=YESTERDAY)})
DEMOTED = replace(
    DIRECTORY, sites={**SITES, "oak": Site("oak", "Oak Elementary School", administrators=("sam",))}
)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    opened = Office(tmp_path)
    yield opened
    opened.close()


async def asked(office: Office, *codes: str, **how: object) -> dict[str, Mail]:
    await office.send(*(codes or (NEEDS,)), **how)  # type: ignore[arg-type]
    return {m.to[0]: m for m in await office.round() if m.kind == "question"}


def released(office: Office) -> list[tuple[str, ...]]:
    return [m.to for m in office.relayed if m.kind == "release"]


def reload(office: Office, directory: Directory) -> None:
    office.snapshot = replace(office.snapshot, directory=directory)


# Whose answer counts once the directory has changed


@pytest.mark.parametrize("directory", [GONE, DEMOTED], ids=["left", "not an administrator"])
@pytest.mark.parametrize("word", ["Yes", "No", "Stop"])
async def test_who_has_left_or_lost_the_office_does_not_answer(
    office: Office, directory: Directory, word: str
) -> None:
    question = (await asked(office))[PAULA]
    reload(office, directory)
    await office.reply(question, word)
    await office.round()
    assert released(office) == []
    assert office.approval().outcome is ApprovalOutcome.WAITING
    assert office.history() == ["opened", "refused"]
    assert "office" in (await office.state.tickets.history(1))[-1].detail


@pytest.mark.parametrize("directory", [GONE, DEMOTED], ids=["left", "not an administrator"])
async def test_the_page_is_closed_to_who_has_left_or_lost_the_office(
    office: Office, directory: Directory
) -> None:
    page = (await asked(office))[PAULA].page
    reload(office, directory)
    assert await office.desk.question(page) is None
    assert await office.desk.answer(page, "yes") is None
    assert office.approval().outcome is ApprovalOutcome.WAITING


async def test_paper_of_who_has_left_is_refused(office: Office) -> None:
    await asked(office)
    reload(office, GONE)
    with pytest.raises(CommandRefused, match="cannot approve"):
        await office.console().record(1, PEOPLE["paula"], "Memo 12")


async def test_a_sender_who_was_moved_to_another_site_keeps_the_first_ones_approver(
    office: Office,
) -> None:
    question = (await asked(office))[PAULA]
    moved = replace(PEOPLE["tara"], sites=("maple",))
    reload(office, replace(DIRECTORY, people={**PEOPLE, "tara": moved}))
    await office.reply(question, "Yes")
    await office.round()
    assert released(office) == [(MAPLE,)]


async def test_what_was_said_in_office_stays_said(office: Office) -> None:
    questions = await asked(office, ANNOUNCEMENT)
    await office.reply(questions[PAULA], "Yes")
    await office.round()
    reload(office, GONE)
    await office.reply(questions[TOMAS], "Yes")
    await office.round()
    assert released(office) == [(MAPLE,)]


async def test_no_reminder_goes_to_who_has_left(office: Office) -> None:
    await asked(office)
    reload(office, GONE)
    office.now += 1.1 * DAY
    assert [m.to[0] for m in await office.round()] == [TOMAS]


# Delegates and relays


@pytest.mark.parametrize("sender", [SAM, "front@example.org"])
async def test_a_delegates_answer_on_behalf_is_not_the_approvers(
    office: Office, sender: str
) -> None:
    """A server that vouches for From names in Sender who really wrote (RFC 5322 3.6.2)."""
    question = (await asked(office))[PAULA]
    await office.reply(question, "Yes", role=Role.RELAY, Sender=sender)
    await office.round()
    assert released(office) == []
    assert office.history() == ["opened", "refused"]


# What is found besides


@pytest.mark.parametrize("beforehand", [False, True])
async def test_an_approvers_yes_lets_nothing_go_that_is_kept_for_more(
    office: Office, beforehand: bool
) -> None:
    if beforehand:
        await grant(office, "tara")
    await office.accept(mail(TARA, MAPLE, "Bake sale"), [MAPLE], infected())
    sent = await office.round()
    assert released(office) == []
    assert "found malware.found." in to(sent, "postmaster@example.org")[0].text
    questions = {m.to[0]: m for m in sent if m.kind == "question"}
    assert set(questions) == (set() if beforehand else {PAULA, TOMAS})
    for question in questions.values():
        assert "found malware.found." in question.text
        await office.reply(question, "Yes")
    await office.round()
    assert released(office) == []
    await office.console().decide(office.tickets()[-1].id, True, "a false alarm")
    await office.deliver()
    assert released(office) == [(MAPLE,)]


def infected() -> Policy:
    """A policy that would hold a copy, and keep it for malware as well."""
    steps = []
    for code, disposition in ((NEEDS, Disposition.HOLD), ("malware.found", Disposition.QUARANTINE)):
        found = Finding(code, f"found {code}.", (MAPLE,), ("R18",))
        says = Says(code, Verdict(code, (found,)), (DECLARED[code],))
        steps.append(PolicyStep(says, CheckSettings(), {code: disposition}))
    return Policy(tuple(steps), "held and infected")


async def grant(office: Office, sender: str) -> int:
    return await office.console().grant(
        sender=sender,
        group=MAPLE,
        first=None,
        last=date(2026, 11, 30),
        count=1,
        giver=PEOPLE["paula"],
        reference="Memo 12",
    )


# The page's key


async def test_the_pages_key_is_in_no_header_and_the_headers_open_no_page(office: Office) -> None:
    """Subject and Message-ID are kept, quoted and shown wherever an answer goes."""
    question = (await asked(office))[PAULA]
    top = question.raw.partition(b"\r\n\r\n")[0].decode()
    assert question.page.rpartition("-")[2] not in top
    assert await office.desk.question(question.token) is None
    assert await office.desk.answer(question.token, "yes") is None
    raw = mail(PAULA, APPROVALS, f"Re: x [#{question.page}]", "Yes")
    await office.accept(raw, [APPROVALS], account="paula", reverse_path=PAULA)
    await office.round()
    assert released(office) == []


async def test_whose_page_was_used_hears_of_it(office: Office) -> None:
    """A question that was forwarded takes its link along."""
    page = (await asked(office))[PAULA].page
    assert await office.desk.answer(page, "yes")
    sent = await office.round()
    assert "approved by Paula Pine" in to(sent, PAULA)[0].text


async def test_of_two_approvals_the_first_by_page_is_confirmed_too(office: Office) -> None:
    page = (await asked(office, ANNOUNCEMENT))[PAULA].page
    assert await office.desk.answer(page, "yes")
    (told,) = await office.round()
    assert told.to == (PAULA,)
    assert "It waits for Technology Services" in told.text


# What the approver is shown


def alternatives(plain: str, rich: str, subject: str = "Bake sale") -> bytes:
    lines = [
        f"From: {TARA}",
        f"To: {MAPLE}",
        f"Subject: {subject}",
        "Date: Mon, 02 Nov 2026 09:00:00 -0800",
        f"Message-ID: <{abs(hash((plain, rich)))}@desk.example.org>",
        "MIME-Version: 1.0",
        'Content-Type: multipart/mixed; boundary="m"',
        "",
        "--m",
        'Content-Type: multipart/alternative; boundary="b"',
        "",
        "--b",
        "Content-Type: text/plain; charset=utf-8",
        "",
        plain,
        "--b",
        "Content-Type: text/html; charset=utf-8",
        "",
        rich,
        "--b--",
        "--m",
        'Content-Type: application/pdf; name="price list.pdf"',
        'Content-Disposition: attachment; filename="price list.pdf"',
        "Content-Transfer-Encoding: base64",
        "",
        base64.b64encode(b"%PDF-1.4").decode(),
        "--m--",
        "",
    ]
    return "\r\n".join(lines).encode()


async def test_an_approver_sees_what_readers_of_html_will_see(office: Office) -> None:
    raw = alternatives("Staff meeting on Monday.", "<p>Buy my <b>cakes</b> now.</p>")
    await office.accept(raw, [MAPLE], held(NEEDS))
    question = to(await office.round(), PAULA)[0]
    assert "Staff meeting on Monday." in question.text
    assert "Buy my cakes now." in question.text
    assert "price list[.]pdf" in question.text  # no program makes a link of it


async def test_alternatives_that_say_the_same_are_shown_once(office: Office) -> None:
    raw = alternatives("Meeting on *Monday*.", "<p>Meeting on <b>Monday</b>.</p>")
    await office.accept(raw, [MAPLE], held(NEEDS))
    question = to(await office.round(), PAULA)[0]
    assert question.text.count("Meeting on") == 1


# Stopping (R21)


async def two_queued(office: Office, second: str) -> str:
    """Two transactions of one Message-ID whose copies to MAPLE and CEDAR wait in the outbox."""

    async def relay(reverse_path: str, recipients: list[str], raw: bytes, **_: object) -> object:
        late = {MAPLE, CEDAR}
        return {r: Reply(451, "later") if r in late else Reply(250, "ok") for r in recipients}

    office.relay = relay  # type: ignore[method-assign,assignment]
    first = mail(TARA, MAPLE, "Picnic")
    message_id = first.partition(b"Message-ID: ")[2].partition(b"\r\n")[0]
    await office.accept(first, [MAPLE, SAM], NOTHING)
    other = first if second == "the same" else first.replace(b"come", b"do not come")
    await office.accept(other, [CEDAR, SAM] if second == "the same" else [SAM], NOTHING)
    return message_id.decode()


@pytest.mark.parametrize("second", ["the same", "a decoy"])
async def test_stop_reaches_every_transaction_of_the_message(office: Office, second: str) -> None:
    message_id = await two_queued(office, second)
    assert len([m for m in office.waiting() if m.kind == "relay"]) == 1 + (second == "the same")
    raw = mail(PAULA, APPROVALS, "Re: Picnic", "Stop", In_Reply_To=message_id)
    await office.accept(raw, [APPROVALS], account="paula", reverse_path=PAULA)
    await office.turn()
    assert [m for m in office.waiting() if m.kind == "relay"] == []
    (note,) = to(office.waiting(), PAULA)
    assert "Your STOP was carried out" in note.text
    assert await office.state.tickets.unread() == (0, None)


async def test_who_is_no_administrator_any_more_stops_nothing(office: Office) -> None:
    message_id = await two_queued(office, "the same")
    reload(office, DEMOTED)
    raw = mail(PAULA, APPROVALS, "Re: Picnic", "Stop", In_Reply_To=message_id)
    await office.accept(raw, [APPROVALS], account="paula", reverse_path=PAULA)
    await office.turn()
    assert len([m for m in office.waiting() if m.kind == "relay"]) == 2


# One message, one approval


async def test_a_message_to_hundreds_is_asked_about_once(office: Office) -> None:
    people = [f"p{n}@example.org" for n in range(250)]
    await office.send(NEEDS, to=people)
    await office.send(NEEDS, subject="Another")
    sent = await office.round()
    assert len([m for m in sent if m.kind == "question"]) == 4
    assert [len(await office.state.tickets.holds_of(m.id)) for m in office.tickets()] == [250, 1]


# What others decided meanwhile


@pytest.mark.parametrize("word", ["Yes", "No"])
async def test_an_answer_after_the_copies_were_decided_elsewhere_tells_nothing_false(
    office: Office, word: str
) -> None:
    question = (await asked(office))[PAULA]
    (hold,) = await office.state.tickets.holds_of(1)
    state = "discarded" if word == "Yes" else "released"
    await office.state.ledger.decide_hold([hold.id], state, "wanda", ())
    await office.reply(question, word)
    sent = [*await office.round(), *await office.round()]
    assert "wanda" in to(sent, TARA)[0].text
    assert len(to(sent, TARA)) == 1
    expected = ApprovalOutcome.DENIED if word == "Yes" else ApprovalOutcome.GRANTED
    assert office.approval().outcome is expected
    assert await office.state.tickets.unread() == (0, None)


# One's trouble is not others'


async def test_a_damaged_copy_holds_up_no_other(office: Office) -> None:
    first = await asked(office, subject="Zero")
    await office.send(NEEDS, subject="One")
    await office.send(NEEDS, subject="Two")
    real = office.take_up

    async def damaged(transaction_id: str) -> object:
        if transaction_id == f"{2:026}":
            raise StoreError("blob is damaged: its digest differs")
        return await real(transaction_id)

    office.take_up = damaged  # type: ignore[method-assign,assignment]
    office.restart()
    await office.reply(first[PAULA], "Yes")
    with pytest.raises(StoreError):
        await office.turn()
    sent = await office.deliver()
    assert released(office) == [(MAPLE,)]
    assert any(m.kind == "question" and "Two" in m.subject for m in sent)


async def test_a_letter_that_cannot_even_be_passed_on_holds_up_no_other(office: Office) -> None:
    questions = await asked(office)
    await office.reply(questions[TOMAS], "Maybe")
    real = office.take_up

    async def missing(transaction_id: str) -> object:
        if transaction_id == f"{2:026}":
            raise KeyError(transaction_id)
        return await real(transaction_id)

    async def unread(letter: object) -> tuple[()]:
        raise KeyError("no such blob")

    office.take_up, office._unread = missing, unread  # type: ignore[method-assign,assignment]
    office.restart()
    for _ in range(6):
        await office.turn()
    await office.reply(questions[PAULA], "Yes")
    await office.round()
    assert released(office) == [(MAPLE,)]
    assert await office.state.tickets.unread() == (0, None)


def spoil(office: Office, number: int) -> None:
    with office.database._writer.begin() as connection:
        connection.execute(
            update(matters).where(matters.c.id == number).values(state=b'{"version": 0}')
        )


async def test_a_grant_of_another_version_holds_up_no_message(office: Office) -> None:
    number = await grant(office, "ben")
    spoil(office, number)
    assert set(await asked(office)) == {PAULA, TOMAS}


async def test_approvals_of_another_version_do_not_starve_the_clock(office: Office) -> None:
    questions = await asked(office, subject="Old")
    await asked(office, subject="New")
    spoil(office, 1)
    real = office.state.tickets.due
    office.state.tickets.due = (  # type: ignore[method-assign]
        lambda kind, now, limit=100, after=None: real(kind, now, 1, after)
    )
    office.now += 1.1 * DAY
    reminded = [m for _ in range(3) for m in await office.round()]
    assert {m.to[0] for m in reminded if "New" in m.subject} == {PAULA, TOMAS}
    assert office.history(1) == ["opened", "unreadable"]
    assert await office.desk.question(questions[PAULA].page) is None


async def test_one_of_another_version_whose_copies_were_decided_is_over(office: Office) -> None:
    await asked(office)
    (hold,) = await office.state.tickets.holds_of(1)
    await office.state.ledger.decide_hold([hold.id], "released", "wanda", ())
    spoil(office, 1)
    await office.turn()
    assert await office.state.tickets.find("approval") == []


# The console


async def test_the_console_knows_its_operator_by_login_too(office: Office) -> None:
    accounts = {
        **DIRECTORY.accounts,
        "t.olive": replace(DIRECTORY.accounts["tara"], login="t.olive"),
    }
    reload(office, replace(DIRECTORY, accounts=accounts))
    await asked(office)
    with pytest.raises(CommandRefused, match="their own"):
        await office.console("t.olive").decide(1, True, "")


async def test_a_conflict_is_no_crash(office: Office) -> None:
    await asked(office)
    (hold,) = await office.state.tickets.holds_of(1)
    await office.state.ledger.decide_hold([hold.id], "released", "wanda", ())
    with pytest.raises(Conflict):
        await office.console().decide(1, False, "")


# Ways around the group (R17)


@pytest.mark.parametrize(
    "written", ["maple+x@example.org", "Maple+a+b@EXAMPLE.org", '"maple+x"@example.org']
)
def test_a_tag_in_a_groups_address_is_no_way_around_it(written: str) -> None:
    group = DIRECTORY.group_at(written)
    assert group is not None
    assert group.address == MAPLE


def test_a_tag_in_a_persons_address_hides_nobody() -> None:
    assert DIRECTORY.person_at("ben+1@example.org") == PEOPLE["ben"]
    assert DIRECTORY.person_at("+ben@example.org") is None
    tagged = replace(PEOPLE["sam"], addresses=("ben+1@example.org",))
    own = Directory({**PEOPLE, "sam": tagged}, SITES, {}, {})
    assert own.person_at("ben+1@example.org") == tagged


async def test_an_answer_from_a_tagged_address_of_anothers_account_does_not_count(
    office: Office,
) -> None:
    question = (await asked(office))[PAULA]
    await office.reply(question, "Yes", sender="paula+x@example.org", account="tara")
    await office.round()
    await office.reply(question, "Yes.", sender="paula+x@example.org", role=Role.MX)
    await office.round()
    assert released(office) == []


# What anybody may use, or nobody writes


async def test_an_approver_who_uses_a_generic_account_does_not_answer(office: Office) -> None:
    question = (await asked(office))[PAULA]
    raw = mail(
        "front@example.org",
        APPROVALS,
        f"Re: {question.subject}",
        "Yes",
        In_Reply_To=f"<mailguard.{question.token}@example.org>",
    )
    await office.accept(
        raw, [APPROVALS], account="front", reverse_path="front@example.org", acting="paula"
    )
    await office.round()
    assert released(office) == []
    assert office.history() == ["opened", "refused"]


async def test_bounces_of_questions_and_our_own_mail_answer_nothing(office: Office) -> None:
    question = (await asked(office))[PAULA]
    await office.accept(question.raw, [APPROVALS], account=None, reverse_path="", role=Role.RELAY)
    raw = mail(PAULA, APPROVALS, f"Undeliverable: {question.subject}", "Yes")
    await office.accept(raw, [APPROVALS], account=None, reverse_path="", role=Role.RELAY)
    assert await office.round() == []
    assert await office.state.tickets.unread() == (0, None)
    assert office.history() == ["opened"]


async def test_who_relays_two_authors_is_nobody(office: Office) -> None:
    question = (await asked(office))[PAULA]
    raw = mail(f"{PAULA}, {TARA}", APPROVALS, f"Re: {question.subject}", "Yes")
    await office.accept(raw, [APPROVALS], account=None, reverse_path=PAULA, role=Role.RELAY)
    await office.round()
    assert released(office) == []
