"""Requests to unblock, answers to V2 and what becomes of them, through the real store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from tests.support.office import DISTRICT, Mail, mail, moment, to
from tests.support.spam_office import (
    BEN,
    CLUB,
    PARENT,
    PAULA,
    SAM,
    SPAMMAIL,
    TARA,
    TOMAS,
    WANDA,
    SpamOffice,
    attached,
    questions,
)

from mailguard.casework.refusal import CommandRefused
from mailguard.casework.unblocking.case import CaseDeadlines, Stage
from mailguard.casework.unblocking.steps import Staff
from mailguard.core.mail.transaction import Role
from mailguard.core.notices import policy_texts

V2 = policy_texts.V2_VERIFICATION.format(
    administrator=DISTRICT.administrator, short_name="EVUSD", mailbox=SPAMMAIL
)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[SpamOffice]:
    opened = SpamOffice(tmp_path)
    yield opened
    opened.close()


async def requested(office: SpamOffice, **how: object) -> Mail:
    """A blocked message, forwarded by its sender; what the reviewers are asked."""
    raw = await office.block(**how)  # type: ignore[arg-type]
    await office.deliver()
    await office.forward(raw)
    (review,) = questions(await office.round())
    return review


async def asked(office: SpamOffice, **how: object) -> dict[str, Mail]:
    """The same, its content accepted; V2 by whom it went to."""
    review = await requested(office, **how)
    await office.respond(review, "Yes", WANDA)
    return {one.to[0]: one for one in questions(await office.round())}


def released(office: SpamOffice) -> list[str]:
    return [one.to[0] for one in office.relayed if one.kind == "release"]


async def test_the_whole_way_to_a_yes(office: SpamOffice) -> None:
    raw = await office.block()
    await office.deliver()
    await office.forward(raw)
    (review,) = questions(await office.round())
    assert review.to == (SPAMMAIL,)
    for said in ("Field trip", PARENT, "7.0 points", "[link to pictures[.]example[.]net]", "I can"):
        assert said in review.text
    assert "http://pictures" not in review.text
    assert office.case().stage is Stage.NEW

    await office.respond(review, "Yes", WANDA)
    sent = await office.round()
    (question,) = questions(sent)
    assert question.to == (TARA,)
    assert f"\n\n{V2}\n\n{PARENT}\n\n" in question.text.replace("\r\n", "\n")
    assert question.message["From"] == f"EVUSD Mail <{SPAMMAIL}>"
    assert question.message["Reply-To"] == SPAMMAIL
    assert "Subject: Field trip" in question.text
    assert question.page != question.token  # that one is in every answer's header
    assert office.case().stage is Stage.ASKED
    assert len(sent) == 1  # nobody else hears of it

    await office.respond(question, "Yes, she is a parent.")
    sent = await office.round()
    assert released(office) == [TARA]
    (one,) = [m for m in office.relayed if m.kind == "release"]
    assert one.raw.endswith(raw)
    assert office.listed() == {PARENT: f"case {office.case_number()}"}
    (entry,) = await office.state.unblocked.entries()
    assert (entry.site, entry.added_by) == ("oak", "Tara Olive")
    assert entry.expires_at == pytest.approx(office.now + 365 * 86_400)
    (told,) = to(sent, TARA)[1:]
    assert told.subject == "Unblocked: Field trip"
    (outside,) = to(sent, PARENT)
    assert f"Your email address {PARENT} has been unblocked" in outside.text
    assert office.case_history() == ["opened", "reviewed", "asked", "yes", "approved"]
    assert office.case().stage is Stage.APPROVED
    assert office.lessons[-1][1] is False
    assert await office.round() == []


async def test_no_discards(office: SpamOffice) -> None:
    question = (await asked(office))[TARA]
    await office.respond(question, "No, I do not know them.")
    sent = await office.round()
    assert office.kept() == {TARA: "discarded"}
    assert office.listed() == {}
    assert [m.to for m in sent] == [(PARENT,)]  # who asked is proven, and is told
    assert "not approved" in sent[0].text
    assert "Tara" not in sent[0].text
    assert office.lessons[-1][1] is True
    assert office.case_history()[-2:] == ["no", "denied"]


async def test_not_sure_gets_the_original_and_is_asked_again(office: SpamOffice) -> None:
    raw = await office.block()
    await office.forward(raw)
    (review,) = questions(await office.round())
    await office.respond(review, "yes", WANDA)
    (question,) = questions(await office.round())
    await office.respond(question, "Not sure")
    (again,) = await office.round()
    assert again.to == (TARA,)
    assert attached(again) == raw
    assert V2 in again.text.replace("\r\n", "\n")
    assert again.token == question.token
    assert office.case().stage is Stage.UNSURE
    await office.respond(again, "Yes")
    await office.round()
    assert released(office) == [TARA]


async def test_twice_not_sure_goes_to_the_reviewers(office: SpamOffice) -> None:
    question = (await asked(office))[TARA]
    await office.respond(question, "Not sure")
    (again,) = await office.round()
    await office.respond(again, "I still do not know this person")
    (decide,) = questions(await office.round())
    assert decide.to == (SPAMMAIL,)
    assert "cannot tell" in decide.text
    assert office.case().stage is Stage.REVIEWED
    await office.respond(again, "Yes")  # in the meantime
    await office.round()
    assert office.case().stage is Stage.APPROVED


async def test_silence_is_reminded_and_given_up_without_weekends(office: SpamOffice) -> None:
    office.now = moment(6, 15)  # a Friday afternoon
    question = (await asked(office))[TARA]
    office.now = moment(8, 15)  # Sunday
    assert await office.round() == []
    office.now = moment(9, 14)
    assert [m for m in await office.round() if TARA in m.to] == []
    office.now = moment(9, 15)
    (again,) = to(await office.round(), TARA)
    assert again.subject.startswith("Reminder, a valid sender?")
    assert again.token == question.token
    assert again.message["In-Reply-To"] == question.message["Message-ID"]
    office.now = moment(12, 16)  # an outage: three reminders are one
    assert len(to(await office.round(), TARA)) == 1
    office.now = moment(13, 16)  # the fifth business day
    sent = await office.round()
    assert office.case().stage is Stage.UNANSWERED
    assert office.kept() == {TARA: "waiting"}
    assert office.listed() == {}
    assert [m.subject for m in to(sent, PARENT)] == ["Not unblocked: Field trip"]
    await office.respond(question, "Yes")  # too late
    (late,) = to(await office.round(), TARA)
    assert "It changes nothing" in late.text
    assert office.kept() == {TARA: "waiting"}


async def test_what_was_given_up_can_be_asked_for_again(office: SpamOffice) -> None:
    raw = await office.block()
    await office.forward(raw)
    (review,) = questions(await office.round())
    await office.respond(review, "Yes", WANDA)
    await office.round()
    office.now = moment(10)
    await office.round()
    assert office.case().stage is Stage.UNANSWERED
    await office.forward(raw, note="please, please unblock")
    await office.round()
    first, second = office.tickets("case")
    assert (first.status, second.status) == ("unanswered", "new")
    assert [c.hold for c in office.case(second.id).copies] == [1]


async def test_two_teachers_who_agree(office: SpamOffice) -> None:
    both = await asked(office, to=(TARA, BEN))
    assert sorted(both) == [BEN, TARA]
    await office.respond(both[TARA], "Yes")
    await office.round()
    assert released(office) == []
    await office.respond(both[BEN], "Yes")
    sent = await office.round()
    assert sorted(released(office)) == [BEN, TARA]
    assert len([m for m in sent if m.subject == "Unblocked: Field trip"]) == 3


async def test_the_other_is_waited_for_one_business_day(office: SpamOffice) -> None:
    office.now = moment(6, 15)
    both = await asked(office, to=(TARA, BEN))
    await office.respond(both[TARA], "Yes")
    await office.round()
    office.now = moment(9, 14)
    await office.round()
    assert office.case().stage is Stage.ASKED
    office.now = moment(9, 15)
    await office.round()
    assert office.case().stage is Stage.APPROVED
    assert released(office) == [TARA]
    assert office.kept() == {TARA: "released", BEN: "waiting"}
    await office.respond(both[BEN], "Yes")  # a late yes is for one's own copy
    sent = await office.round()
    assert released(office) == [TARA, BEN]
    assert [m.subject for m in sent if m.kind != "release"] == ["Delivered: Field trip"]
    await office.respond(both[BEN], "Yes again")
    await office.round()
    assert released(office) == [TARA, BEN]


async def test_two_teachers_who_disagree(office: SpamOffice) -> None:
    both = await asked(office, to=(TARA, BEN))
    await office.respond(both[TARA], "Yes")
    await office.respond(both[BEN], "No")
    (decide,) = questions(await office.round())
    assert decide.to == (SPAMMAIL,)
    assert "disagree" in decide.text
    assert "Tara Olive: yes; Ben Poplar: no" in decide.text
    assert office.case().stage is Stage.CONFLICT
    assert released(office) == []
    await office.respond(decide, "Yes", TOMAS)
    await office.round()
    assert released(office) == [TARA]
    assert office.kept() == {TARA: "released", BEN: "discarded"}
    assert list(office.listed()) == [PARENT]


async def test_a_forged_yes_counts_for_nothing(office: SpamOffice) -> None:
    question = (await asked(office))[TARA]
    await office.respond(question, "Yes", BEN)  # another insider
    await office.respond(question, "Yes", TARA, role=Role.MX)  # from outside, under her name
    await office.respond(question, "Yes", PARENT, role=Role.MX)  # the sender
    bent = replace(question, raw=question.raw.replace(question.token[-6:].encode(), b"aaaaaa"))
    await office.respond(bent, "Yes", TARA)
    sent = await office.round()
    assert [m.to for m in sent] == [(BEN,), (TARA,)]
    assert all("not counted" in m.subject for m in sent)
    assert office.case().stage is Stage.ASKED
    assert office.listed() == {}
    assert office.case_history().count("refused") == 4
    await office.respond(question, "Yes, I know her.")
    await office.round()
    assert released(office) == [TARA]


async def test_only_reviewers_review(office: SpamOffice) -> None:
    review = await requested(office)
    await office.respond(review, "Yes", TARA)
    (told,) = await office.round()
    assert told.to == (TARA,)
    assert office.case().stage is Stage.NEW
    await office.respond(review, "maybe", WANDA)
    (unclear,) = await office.round()
    assert "write nothing but YES" in unclear.text
    await office.respond(review, "No. Insults.", WANDA)
    sent = await office.round()
    assert office.case().stage is Stage.DENIED
    assert office.kept() == {TARA: "discarded"}
    assert [m.to for m in sent] == [(PARENT,)]
    assert office.case_history()[-1] == "refused content"


async def test_answers_by_the_page(office: SpamOffice) -> None:
    review = await requested(office)
    shown = await office.desk.question(review.page)
    assert shown is not None
    assert [value for value, _ in shown.choices] == ["yes", "no"]
    assert await office.desk.answer(review.page, "yes", "fit")
    (question,) = questions(await office.round())
    shown = await office.desk.question(question.page)
    assert shown is not None
    assert [value for value, _ in shown.choices] == ["yes", "no", "unsure"]
    assert ("Address", PARENT) in shown.particulars
    said = await office.desk.answer(question.page, "yes", "a\r\nremark")
    assert said is not None
    assert "unblocked" in said
    shown = await office.desk.question(question.page)
    assert shown is not None
    assert shown.choices == ()
    assert "Tara Olive" in shown.outcome
    said = await office.desk.answer(question.page, "no")
    assert said is not None
    assert said.startswith("Nothing has changed.")
    assert await office.desk.answer(question.token, "yes") is None
    await office.deliver()
    assert released(office) == [TARA]


async def test_two_answers_on_the_page_at_the_same_moment_are_one_answer(
    office: SpamOffice,
) -> None:
    question = (await asked(office))[TARA]
    said = await asyncio.gather(*(office.desk.answer(question.page, "yes") for _ in range(4)))
    assert all(said)
    assert [given.person for given in office.case().given] == ["tara"]
    await office.deliver()
    assert released(office) == [TARA]
    assert office.case_history().count("released") <= 1


async def test_a_request_joins_the_open_case(office: SpamOffice) -> None:
    question = (await asked(office))[TARA]
    other = await office.block("Second", (BEN,))
    await office.deliver()
    await office.forward(other)
    (review,) = questions(await office.round())
    assert len(office.tickets("case")) == 1
    assert office.case().stage is Stage.NEW
    await office.respond(question, "Yes")  # counts, once the new content has been looked at
    assert questions(await office.round()) == []
    assert released(office) == []
    await office.respond(review, "Yes", WANDA)
    (second,) = questions(await office.round())
    assert second.to == (BEN,)
    await office.respond(second, "Yes")
    await office.round()
    assert sorted(released(office)) == [BEN, TARA]
    await office.forward(other)
    await office.round()
    assert len(office.tickets("case")) == 1  # nothing of it is kept any more


async def test_a_second_request_for_the_same_brings_nothing(office: SpamOffice) -> None:
    raw = await office.block()
    await office.forward(raw)
    await office.round()
    await office.forward(raw, note="hello? please unblock")
    assert await office.round() == []
    assert office.case_history() == ["opened"]


async def test_a_group_s_owner_is_asked_and_else_a_reviewer(office: SpamOffice) -> None:
    assert list(await asked(office, to=(CLUB,))) == [BEN]
    raw = await office.block("Two", ("nobodys@example.org",), sender="al@example.com")
    await office.forward(raw, "al@example.com")
    (decide,) = questions(await office.round())
    assert decide.to == (SPAMMAIL,)
    assert "None of the recipients can be asked" in decide.text
    await office.respond(decide, "Yes", TOMAS)
    sent = await office.round()
    assert released(office) == ["nobodys@example.org"]
    assert to(sent, "al@example.com")


async def test_somebody_else_can_be_asked(office: SpamOffice) -> None:
    await requested(office, to=("nobodys@example.org",))
    console = office.cases_console()
    number = office.case_number()
    with pytest.raises(CommandRefused):
        await console.ask(number, office.directory.people["paula"])
    await console.review(number, True, "")
    await console.ask(number, office.directory.people["paula"])
    (question,) = [m for m in questions(await office.deliver()) if m.to == (PAULA,)]
    await office.respond(question, "Yes")
    await office.round()
    assert released(office) == ["nobodys@example.org"]


async def test_malware_is_not_let_go_by_a_yes(office: SpamOffice) -> None:
    raw = await office.block(code="malware.found")
    await office.forward(raw)
    (decide,) = questions(await office.round())
    assert "Not delivered by any answer" in decide.text
    await office.respond(decide, "Yes", WANDA)
    sent = await office.round()
    assert released(office) == []
    assert office.kept() == {TARA: "waiting"}
    assert [m.to for m in sent] == [(PARENT,)]
    assert "on its way" not in sent[0].text


async def test_staff_are_believed_for_what_they_name(office: SpamOffice) -> None:
    await office.write(TARA, "Please unblock mom@example.net and *@gmail.com, also dad@example.com")
    (told,) = await office.round()
    assert told.to == (TARA,)
    assert sorted(office.listed()) == ["dad@example.com", "mom@example.net"]
    assert "Unblocked, for a year: mom@example.net, dad@example.com" in told.text
    assert "Not taken: *@gmail.com" in told.text
    assert "(R37)" in told.text
    assert office.case_history() == ["opened", "approved"]
    detail = (await office.state.tickets.history(office.case_number()))[-1].detail
    assert "unproven" in detail


async def test_staff_requests_wait_for_a_look_at_content(office: SpamOffice) -> None:
    raw = await office.block()
    await office.forward(raw, TARA, "please unblock")
    sent = await office.round()
    (review,) = questions(sent)
    assert "nobody else is asked" in review.text
    (told,) = to(sent, TARA)
    assert "once the content of the blocked messages has been reviewed" in told.text
    assert office.listed() == {}
    await office.respond(review, "Yes", WANDA)
    sent = await office.round()
    assert questions(sent) == []
    assert released(office) == [TARA]
    assert list(office.listed()) == [PARENT]
    assert {m.to[0] for m in sent if m.kind != "release"} == {TARA, PARENT}


async def test_rule_instead_of_a_person(office: SpamOffice) -> None:
    office.case_terms = CaseDeadlines(by_rule=True)
    office.restart()
    raw = await office.block()
    await office.forward(raw, TARA, "please unblock")
    sent = await office.round()
    assert questions(sent) == []
    assert released(office) == [TARA]
    assert len(to(sent, TARA)) == 2  # the message, and one answer
    raw = await office.block("Bad", code="attachments.script", sender="al@example.com")
    await office.forward(raw, TARA, "please unblock")
    (review,) = questions(await office.round())
    assert review.to == (SPAMMAIL,)


@pytest.mark.parametrize(
    "text",
    [
        "This is spam from evil@example.net, please block it.",
        "Please do not unblock mom@example.net.",
        "Hello, what is this address for?",
        "No, I do not know mom@example.net",
    ],
)
async def test_reports_and_questions_unblock_nobody(office: SpamOffice, text: str) -> None:
    await office.write(TARA, text)
    (told,) = await office.round()
    assert told.subject == "Unblock, or not?"
    assert office.listed() == {}
    assert office.tickets("case") == []


async def test_staff_who_ask_what_it_is(office: SpamOffice) -> None:
    raw = await office.block(to=(BEN,))
    await office.forward(raw, TARA, "Is this spam?")
    sent = await office.round()
    (review,) = questions(sent)
    await office.respond(review, "Yes", WANDA)
    assert [m.to for m in questions(await office.round())] == [(BEN,)]


async def test_what_matches_nothing_is_for_reviewers_alone(office: SpamOffice) -> None:
    stranger = mail("al@example.net", TARA, "Never seen here")
    await office.forward(stranger)
    assert await office.round() == []
    assert office.case().stage is Stage.UNMATCHED
    await office.block("The real one")
    await office.deliver()
    number = office.case_number()
    with pytest.raises(CommandRefused):
        await office.cases_console().decide(number, True, "")
    said = await office.cases_console().match(number, [1])
    assert "goes on as case" in said
    assert [m.to for m in questions(await office.deliver())] == [(SPAMMAIL,)]
    assert office.case(number).stage is Stage.ELSEWHERE
    assert office.case().addresses == (PARENT,)


@pytest.mark.parametrize(
    "fields",
    [{"Auto_Submitted": "auto-replied"}, {"List_Id": "<news.example.com>"}, {"Precedence": "bulk"}],
)
async def test_automatic_mail_is_nothing(office: SpamOffice, fields: dict[str, str]) -> None:
    raw = await office.block()
    await office.deliver()
    await office.forward(raw, **fields)
    assert await office.round() == []
    assert office.tickets("case") == []


async def test_who_writes_that_they_are_blocked(office: SpamOffice) -> None:
    await office.block()
    await office.deliver()
    await office.write(PARENT, "My mail to Tara was blocked. Please help.")
    assert [m.to for m in questions(await office.round())] == [(SPAMMAIL,)]
    await office.block(sender="al@example.net")
    await office.deliver()
    await office.write("al@example.net", "My mail was blocked")  # nothing proves them
    assert await office.round() == []
    await office.write(PARENT, "Hello, buy now")
    assert await office.round() == []


async def test_the_address_is_never_what_the_forward_claims(office: SpamOffice) -> None:
    raw = await office.block()
    claimed = raw.replace(PARENT.encode(), b"evil@example.net")
    await office.forward(claimed)
    await office.round()
    assert office.case().addresses == (PARENT,)


async def test_an_unproven_sender_is_not_told(office: SpamOffice) -> None:
    office.proven.clear()
    question = (await asked(office))[TARA]
    await office.respond(question, "Yes")
    sent = await office.round()
    assert to(sent, PARENT) == []
    assert "unproven" in (await office.state.tickets.history(office.case_number()))[-1].detail


async def test_released_past_the_case(office: SpamOffice) -> None:
    question = (await asked(office))[TARA]
    await office.state.ledger.decide_hold([1], "discarded", "root")
    (told,) = await office.round()
    assert told.to == (TARA,)
    assert "need not answer" in told.text
    assert office.case().stage is Stage.ELSEWHERE
    await office.respond(question, "Yes")
    await office.round()
    assert office.listed() == {}


async def test_the_console(office: SpamOffice) -> None:
    await requested(office)
    console, number = office.cases_console("wanda"), office.case_number()
    assert await console.note(number, "telephoned the school") == "noted"
    assert await console.review(number, True, "fit") == "asked"
    assert [m.to for m in questions(await office.deliver())] == [(TARA,)]
    assert await console.ask(number, None) == "asked"
    assert [m.to for m in questions(await office.deliver())] == [(TARA,)]
    assert "verified by wanda" in await console.decide(number, True, "known")
    sent = await office.deliver()
    assert {m.to[0] for m in sent} == {TARA, PARENT}
    with pytest.raises(CommandRefused):
        await console.decide(number, False, "")
    with pytest.raises(CommandRefused):
        await console.review(99, True, "")
    assert office.case_history() == [
        "opened",
        "note",
        "reviewed",
        "asked",
        "asked again",
        "approved",
    ]


async def test_the_clock_stands_still_for_recipients(office: SpamOffice) -> None:
    from mailguard.casework.unblocking.life import due_at, is_overdue

    office.now = moment(7, 11)  # Saturday: it counts from Monday's opening
    await asked(office)
    case = office.case()

    def due(day: int, hour: int) -> datetime:
        at = office.case_steps.at(moment(day, hour))
        return datetime.fromtimestamp(due_at(case, at), datetime.now().astimezone().tzinfo)

    assert due(7, 12).timestamp() == moment(10, 8)
    assert due(9, 12).timestamp() == moment(10, 12)  # four hours of Monday were hers
    assert not is_overdue(case, office.case_steps.at(moment(20, 9)))


async def test_the_morning_s_summary_comes_once_a_business_day(office: SpamOffice) -> None:
    office.now = moment(6, 15)
    await requested(office)
    await office.round(summaries=True)
    for day, hour in ((7, 12), (8, 12), (9, 7)):
        office.now = moment(day, hour)
        assert await office.round(summaries=True) == []
    office.now = moment(9, 8)
    sent = await office.round(summaries=True)
    assert sorted(m.to[0] for m in sent) == [TOMAS, WANDA]
    assert "1 open, 0 overdue" in sent[0].text
    assert "rosa.alder@example.com – Field trip (new; due 09 Nov 15:00)" in sent[0].text
    office.restart()
    office.now = moment(9, 16)
    assert await office.round(summaries=True) == []
    office.now = moment(10, 9)
    assert "1 open, 1 overdue" in (await office.round(summaries=True))[0].text


async def test_a_sheet_from_the_school_s_secretary(office: SpamOffice) -> None:
    sheet = (
        "Parent,Email\r\nRosa Alder,rosa.alder@example.com\r\nX,gmail.com\r\nY,al@example.net\r\n"
    )
    raw = (
        f"From: {SAM}\r\nTo: {SPAMMAIL}\r\nSubject: Parents\r\nMessage-ID: <s@example.org>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/csv\r\n"
        'Content-Disposition: attachment; filename="parents.csv"\r\n\r\n' + sheet
    ).encode()
    await office.accept(raw, [SPAMMAIL], account="sam", reverse_path=SAM)
    (report,) = await office.round()
    assert report.to == (SAM,)
    assert "2 new addresses put on the list" in report.text
    assert "names a whole domain (R37)" in report.text
    assert sorted(office.listed()) == ["al@example.net", "rosa.alder@example.com"]
    (batch,) = await office.state.unblocked.batches()
    assert batch.batch in report.text
    assert await office.state.unblocked.undo(batch.batch, office.now) == 2

    raw = raw.replace(SAM.encode(), TARA.encode()).replace(b"<s@", b"<t@")
    await office.accept(raw, [SPAMMAIL], account="tara", reverse_path=TARA)
    (refused,) = await office.round()
    assert "Nothing was imported" in refused.text
    assert office.listed() == {}


async def test_reviewers_can_be_asked_themselves(office: SpamOffice) -> None:
    office.staff = Staff(reviewers=("gloria", PAULA, "nobody"), asks="both")
    office.restart()
    raw = await office.block()
    await office.forward(raw)
    mails = {m.to[0]: m for m in questions(await office.round())}
    assert sorted(mails) == ["gloria@example.org", PAULA, SPAMMAIL]
    await office.respond(mails[PAULA], "Yes", WANDA)  # not a reviewer any more
    await office.respond(mails[PAULA], "Yes", "gloria@example.org")  # not hers
    await office.round()
    assert office.case().stage is Stage.NEW
    await office.respond(mails[SPAMMAIL], "Yes", "gloria@example.org")
    await office.round()
    assert office.case().stage is Stage.ASKED
