"""Held messages, their approvers' answers and what becomes of them, through the real store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from tests.support.office import (
    ANNOUNCEMENT,
    APPROVALS,
    CEDAR,
    DAY,
    DIRECTORY,
    MAPLE,
    NEEDS,
    NOTHING,
    PEOPLE,
    Mail,
    Office,
    mail,
    moment,
    to,
)

from mailguard.casework.approvals.life import ApprovalOutcome
from mailguard.casework.refusal import CommandRefused
from mailguard.casework.tickets import Conflict, KeptCopy
from mailguard.core.decision.facts import Spf, Unavailable
from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Role
from mailguard.pipeline.ports import Authentication, StoreError

TARA, PAULA, TOMAS, SAM = (f"{n}@example.org" for n in ("tara", "paula", "tomas", "sam"))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    opened = Office(tmp_path)
    yield opened
    opened.close()


async def asked(office: Office, *codes: str, **how: object) -> dict[str, Mail]:
    """A message is held; the questions by whom they went to."""
    await office.send(*(codes or (NEEDS,)), **how)  # type: ignore[arg-type]
    return {m.to[0]: m for m in await office.round() if m.kind == "question"}


def released(office: Office) -> list[tuple[str, ...]]:
    return [m.to for m in office.relayed if m.kind == "release"]


async def test_the_approvers_are_asked_and_the_sender_is_told_once(office: Office) -> None:
    reply = await office.send(NEEDS)
    assert reply.code == 250
    sent = await office.round()
    assert sorted(m.to[0] for m in sent) == [PAULA, TARA, TOMAS]
    question = to(sent, PAULA)[0]
    assert question.text.startswith("Please reply above this line.")
    assert question.message["Reply-To"] == APPROVALS
    assert question.message["Message-ID"] == f"<mailguard.{question.token}@example.org>"
    for said in ("Tara Olive <tara@example.org>", "Maple Staff (1 person)", "Bake sale", "YES"):
        assert said in question.text
    assert "please come." in question.text
    assert f"https://mail.example.org/answer/{question.page}" in question.text
    assert "by Thursday 5 November 2026 at 09:00" in question.text
    waiting = to(sent, TARA)[0]
    assert "Asked: Paula Pine and Tomas Birch." in waiting.text
    assert waiting.message["In-Reply-To"].startswith("<")
    assert await office.round() == []
    assert released(office) == []


async def test_a_yes_delivers_the_original_bytes_and_everybody_hears_of_it(office: Office) -> None:
    questions = await asked(office)
    await office.reply(questions[PAULA], "Yes")
    sent = await office.round()
    (copy,) = [m for m in sent if m.kind == "release"]
    assert copy.to == (MAPLE,)
    assert copy.raw.endswith(mail(TARA, MAPLE, "Bake sale"))
    assert "approved by Paula Pine on Monday 2 November 2026" in to(sent, TARA)[0].text
    assert "No answer is needed any more." in to(sent, TOMAS)[0].text
    assert to(sent, PAULA) == []
    assert office.history() == ["opened", "granted"]
    assert await office.round() == []


async def test_a_no_tells_the_sender_the_approvers_words(office: Office) -> None:
    questions = await asked(office)
    await office.reply(questions[TOMAS], "No. Please ask in the staff meeting first.")
    sent = await office.round()
    assert released(office) == []
    told = to(sent, TARA)[0].text
    assert "Tomas Birch said no" in told
    assert "Please ask in the staff meeting first." in told
    assert [h.state for h in await office.state.tickets.holds_of(1)] == ["discarded"]


@pytest.mark.parametrize("first", [PAULA, TOMAS])
async def test_an_announcement_takes_two(office: Office, first: str) -> None:
    questions = await asked(office, ANNOUNCEMENT)
    second = TOMAS if first == PAULA else PAULA
    await office.reply(questions[first], "yes")
    assert await office.round() == []
    await office.reply(questions[first], "Yes!")  # once more is no second approval
    (note,) = await office.round()
    assert "It waits for" in note.text
    assert released(office) == []
    await office.reply(questions[second], "Yes")
    sent = await office.round()
    assert released(office) == [(MAPLE,)]
    assert all(name in to(sent, TARA)[0].text for name in ("Paula Pine", "Tomas Birch"))


async def test_of_two_approvals_one_denial_ends_it(office: Office) -> None:
    questions = await asked(office, ANNOUNCEMENT)
    await office.reply(questions[PAULA], "yes")
    await office.reply(questions[TOMAS], "no")
    sent = await office.round()
    assert released(office) == []
    assert "Tomas Birch said no" in to(sent, TARA)[0].text
    assert "Tomas Birch said no" in to(sent, PAULA)[0].text


async def test_after_the_end_an_answer_changes_nothing_and_is_thanked_for(office: Office) -> None:
    questions = await asked(office)
    await office.reply(questions[PAULA], "no")
    await office.round()
    await office.reply(questions[TOMAS], "yes")
    (note,) = await office.round()
    assert note.to == (TOMAS,)
    assert "Paula Pine said no" in note.text
    assert released(office) == []


# Whose answer counts


async def test_the_wrong_insider_is_refused_politely_and_on_record(office: Office) -> None:
    questions = await asked(office)
    await office.reply(questions[PAULA], "Yes", sender=SAM)  # the principal's own assistant
    (note,) = await office.round()
    assert note.to == (SAM,)
    assert "Your answer was not counted" in note.text.replace("was not counted.", "was not counted")
    assert "Bake sale" not in note.raw.decode()
    assert office.history() == ["opened", "refused"]
    detail = (await office.state.tickets.history(1))[-1].detail
    assert "sam@example.org" in detail
    assert office.approval().outcome is ApprovalOutcome.WAITING


async def test_the_sender_cannot_approve_with_the_approvers_question(office: Office) -> None:
    questions = await asked(office)
    await office.reply(questions[PAULA], "Yes", sender=TARA)
    await office.round()
    assert released(office) == []
    assert office.history() == ["opened", "refused"]


async def test_another_approvers_question_cannot_be_answered(office: Office) -> None:
    questions = await asked(office, ANNOUNCEMENT)
    await office.reply(questions[PAULA], "yes")
    await office.reply(questions[TOMAS], "yes", sender=PAULA)
    await office.round()
    assert released(office) == []
    assert office.approval().outcome is ApprovalOutcome.WAITING


async def test_an_answer_forged_from_outside_is_refused_and_not_answered(office: Office) -> None:
    questions = await asked(office)
    await office.reply(questions[PAULA], "Yes", sender=PAULA, role=Role.MX)
    assert await office.round() == []
    assert office.history() == ["opened", "refused"]
    assert "outside" in (await office.state.tickets.history(1))[-1].detail


async def test_under_the_approvers_name_but_by_anothers_login_it_is_refused(office: Office) -> None:
    questions = await asked(office)
    await office.reply(questions[PAULA], "Yes", sender=PAULA, account="tara")
    await office.round()
    assert released(office) == []
    assert office.history() == ["opened", "refused"]


@pytest.mark.parametrize(("vouches", "outcome"), [(True, "granted"), (False, "refused")])
async def test_a_trusted_servers_word_counts_as_configured(
    tmp_path: Path, vouches: bool, outcome: str
) -> None:
    office = Office(tmp_path, relay_vouches=vouches)
    questions = await asked(office)
    await office.reply(questions[PAULA], "Yes", role=Role.RELAY)
    await office.round()
    assert office.history() == ["opened", outcome]
    office.close()


async def test_refusals_fill_no_history_without_end(office: Office) -> None:
    questions = await asked(office)
    for number in range(30):
        await office.reply(questions[PAULA], f"Yes {number}", sender=PAULA, role=Role.MX)
    await office.round()
    assert office.history().count("refused") == 20
    assert await office.state.tickets.unread() == (0, None)


async def test_a_token_of_another_message_or_person_proves_nothing(office: Office) -> None:
    first = await asked(office, subject="One")
    second = await asked(office, subject="Two")
    assert len({m.token for m in (*first.values(), *second.values())}) == 4
    number, _, rest = first[PAULA].token.partition("-")
    forged = f"{int(number) + 1}-{rest}"
    raw = mail(PAULA, APPROVALS, f"Re: Approval needed [#{forged}]", "Yes")
    await office.accept(raw, [APPROVALS], account="paula", reverse_path=PAULA)
    await office.round()
    assert released(office) == []


async def test_the_subject_is_enough_where_a_program_keeps_no_threads(office: Office) -> None:
    questions = await asked(office)
    raw = mail(PAULA, APPROVALS, f"RE: {questions[PAULA].subject}", "Yes, please.")
    await office.accept(raw, [APPROVALS], account="paula", reverse_path=PAULA)
    await office.round()
    assert released(office) == [(MAPLE,)]


@pytest.mark.parametrize("text", ["Maybe later", "Yes, but only the second half", "", "?"])
async def test_what_is_no_plain_answer_does_nothing_and_is_asked_again(
    office: Office, text: str
) -> None:
    questions = await asked(office)
    await office.reply(questions[PAULA], text)
    (note,) = await office.round()
    assert note.to == (PAULA,)
    assert "YES or NO" in " ".join(note.text.split())
    assert office.approval().outcome is ApprovalOutcome.WAITING


async def test_automatic_mail_answers_nothing_and_is_not_answered(office: Office) -> None:
    questions = await asked(office)
    await office.reply(questions[PAULA], "Yes", Auto_Submitted="auto-replied")
    assert await office.round() == []
    assert office.approval().outcome is ApprovalOutcome.WAITING


async def test_mail_to_the_desk_about_nothing_is_answered_only_inside(office: Office) -> None:
    raw = mail(SAM, APPROVALS, "Hello", "Yes")
    await office.accept(raw, [APPROVALS], account="sam", reverse_path=SAM)
    (note,) = await office.round()
    assert note.to == (SAM,)
    raw = mail("who@example.com", APPROVALS, "Hello", "Yes")
    outside = {"account": None, "reverse_path": "who@example.com", "role": Role.MX}
    await office.accept(raw, [APPROVALS], **outside)  # type: ignore[arg-type]
    assert await office.round() == []


# The clock


async def test_a_friday_evening_message_lives_over_the_weekend(office: Office) -> None:
    office.now = moment(6, 18)
    await asked(office)
    office.now = moment(9, 17)
    assert await office.round() == []
    office.now = moment(9, 18)
    reminders = await office.round()
    assert sorted(m.to[0] for m in reminders) == [PAULA, TOMAS]
    assert all(m.subject.startswith("Reminder, approval needed") for m in reminders)
    assert reminders[0].message["In-Reply-To"].startswith("<mailguard.1-")
    await office.reply(to(reminders, PAULA)[0], "Yes")
    await office.round()
    assert released(office) == [(MAPLE,)]


async def test_on_expiry_the_sender_is_told_and_the_archive_keeps_it(office: Office) -> None:
    office.now = moment(24)  # Tuesday before Thanksgiving
    questions = await asked(office)
    office.now = moment(27, 8)  # Friday; Thursday did not count
    await office.round()
    assert office.history() == ["opened", "reminded"]
    office.now = moment(30, 8)
    assert await office.round() == []
    office.now = moment(30, 9)
    sent = await office.round()
    assert sorted(m.to[0] for m in sent) == [PAULA, TARA, TOMAS]
    assert "nobody answered by Monday 30 November 2026 at 09:00" in to(sent, TARA)[0].text
    assert released(office) == []
    assert await office.round() == []
    await office.reply(questions[PAULA], "Yes")
    (note,) = await office.round()
    assert "Nobody answered in time" in note.text
    entry = await office.state.ledger.find(f"{1:026}")
    assert entry is not None
    assert office.state.blobs.read(entry.digest) == mail(TARA, MAPLE, "Bake sale")


# Beforehand, on paper, at the console


async def granted(
    office: Office, giver: str = "paula", group: str = MAPLE, count: int = 1, sender: str = "tara"
) -> int:
    return await office.console().grant(
        sender=sender,
        group=group,
        first=None,
        last=date(2026, 11, 30),
        count=count,
        giver=PEOPLE[giver],
        reference="Memo 12",
    )


async def test_a_grant_lets_the_message_go_at_once_and_is_used_up(office: Office) -> None:
    number = await granted(office, count=2)
    for subject in ("One", "Two"):
        assert await asked(office, subject=subject) == {}
    assert released(office) == [(MAPLE,), (MAPLE,)]
    assert [m.kind for m in office.relayed] == ["release", "release"]  # and no other mail
    assert office.history(number) == ["granted", "used", "used"]
    assert set(await asked(office, subject="Three")) == {PAULA, TOMAS}
    assert len(released(office)) == 2


async def test_a_grants_count_is_not_overrun_by_two_at_once(office: Office) -> None:
    await granted(office, count=1)
    await office.send(NEEDS, subject="One")
    await office.send(NEEDS, subject="Two")
    other = replace(office.steps)
    holds = list(await office.state.tickets.unclaimed(office.approval_disposition))
    ended = await asyncio.gather(
        *(
            steps.open([hold], office.now)
            for steps, hold in zip((office.steps, other), holds, strict=True)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Conflict) for one in ended) == 1
    sent = await office.round()
    assert len(released(office)) == 1
    assert len([m for m in sent if m.kind == "question"]) == 2


@pytest.mark.parametrize(
    ("codes", "group", "sender"),
    [
        ((NEEDS,), CEDAR, "tara"),  # another group
        ((NEEDS,), MAPLE, "ben"),  # another sender
        ((NEEDS, "spam.outbound"), MAPLE, "tara"),  # something that nobody could know
    ],
)
async def test_a_grant_covers_nothing_else(
    office: Office, codes: tuple[str, ...], group: str, sender: str
) -> None:
    await granted(office, group=group, sender=sender)
    assert PAULA in await asked(office, *codes)
    assert released(office) == []


async def test_an_announcement_takes_a_grant_of_each(office: Office) -> None:
    await granted(office, "paula")
    assert set(await asked(office, ANNOUNCEMENT, subject="One")) == {TOMAS}
    await granted(office, "paula")
    await granted(office, "tomas")
    assert await asked(office, ANNOUNCEMENT, subject="Two") == {}
    assert released(office) == [(MAPLE,)]


async def test_a_message_to_two_groups_takes_grants_for_both(office: Office) -> None:
    await granted(office)
    assert set(await asked(office, subject="One", to=(MAPLE, CEDAR))) == {PAULA, TOMAS}
    await granted(office, group=CEDAR)
    assert await asked(office, subject="Two", to=(MAPLE, CEDAR)) == {}
    assert sorted(released(office)) == [(CEDAR,), (MAPLE,)]


async def test_a_grant_ends_with_its_day_or_when_it_is_revoked(office: Office) -> None:
    first, second = await granted(office), await granted(office)
    await office.console("wanda").revoke(second)
    assert office.history(second) == ["granted", "revoked"]
    with pytest.raises(CommandRefused, match="has ended"):
        await office.console().revoke(second)
    office.now = moment(1, month=12)
    await office.turn()
    assert office.history(first) == ["granted", "expired"]


async def test_nobody_grants_themselves(office: Office) -> None:
    with pytest.raises(CommandRefused, match="own"):
        await granted(office, "paula", sender="principal@example.org")


async def test_paper_counts_as_that_persons_yes(office: Office) -> None:
    await asked(office, ANNOUNCEMENT)
    said = await office.console("wanda").record(1, PEOPLE["paula"], "Memo 12")
    assert said.startswith("It waits for Technology Services")
    with pytest.raises(CommandRefused, match="already"):
        await office.console().record(1, PEOPLE["paula"], "Memo 12")
    with pytest.raises(CommandRefused, match="cannot approve"):
        await office.console().record(1, PEOPLE["sam"], "Memo 13")
    await office.console("wanda").record(1, PEOPLE["tomas"], "Memo 14")
    await office.deliver()
    assert released(office) == [(MAPLE,)]
    last = (await office.state.tickets.history(1))[-1]
    assert (last.by, last.detail) == ("console: wanda", "Tomas Birch, Memo 14")


@pytest.mark.parametrize(("yes", "copies"), [(True, 1), (False, 0)])
async def test_the_console_decides(office: Office, yes: bool, copies: int) -> None:
    await asked(office, ANNOUNCEMENT)
    await office.console("wanda").decide(1, yes, "as agreed by telephone")
    sent = await office.deliver()
    assert len(released(office)) == copies
    assert "wanda" in to(sent, TARA)[0].text
    with pytest.raises(CommandRefused, match="is decided"):
        await office.console().decide(1, True, "")


async def test_the_console_is_nobodys_way_to_approve_their_own(office: Office) -> None:
    await asked(office)
    with pytest.raises(CommandRefused, match="their own"):
        await office.console("tara").decide(1, True, "")


@pytest.mark.parametrize(("state", "copies"), [("released", 1), ("discarded", 0)])
async def test_what_was_decided_copy_by_copy_elsewhere_ends_it(
    office: Office, state: str, copies: int
) -> None:
    questions = await asked(office)
    (hold,) = await office.state.tickets.holds_of(1)
    await office.state.ledger.decide_hold([hold.id], state, "wanda", ())
    sent = await office.round()
    assert "wanda" in to(sent, TARA)[0].text
    assert set(questions) <= {m.to[0] for m in sent}
    assert await office.round() == []
    assert len(released(office)) == 0  # whoever released it put it into the outbox
    assert office.approval().outcome is (
        ApprovalOutcome.GRANTED if copies else ApprovalOutcome.DENIED
    )


async def test_of_several_copies_one_decided_elsewhere_is_left_alone(office: Office) -> None:
    questions = await asked(office, to=(MAPLE, CEDAR))
    holds = await office.state.tickets.holds_of(1)
    await office.state.ledger.decide_hold([holds[0].id], "discarded", "wanda", ())
    await office.turn()
    assert office.approval().outcome is ApprovalOutcome.WAITING
    await office.reply(questions[PAULA], "Yes")
    await office.round()
    assert released(office) == [(holds[1].recipient,)]


# Stopping (R21)


async def test_stop_while_it_waits(office: Office) -> None:
    questions = await asked(office)
    await office.reply(questions[PAULA], "STOP")
    sent = await office.round()
    assert released(office) == []
    assert "stopped by Paula Pine" in to(sent, TARA)[0].text
    assert "Your STOP was carried out" in to(sent, PAULA)[0].text
    assert office.approval().outcome is ApprovalOutcome.STOPPED


async def test_stop_takes_back_what_is_still_queued(office: Office) -> None:
    questions = await asked(office, to=(MAPLE, CEDAR))
    await office.reply(questions[PAULA], "Yes")
    await office.turn()
    (first, _second) = [m for m in office.waiting() if m.kind == "release"]
    leased = await office.state.outbox.lease("test", office.now, 60.0, 1)
    await office.state.outbox.sent(leased[0].id, "250 ok", office.now)
    await office.reply(questions[TOMAS], "Stop")
    sent = await office.round()
    assert [m for m in sent if m.kind == "release"] == []
    assert "Copies taken back before they left: 1; 1 had been delivered already." in " ".join(
        to(sent, TOMAS)[-1].text.split()
    )
    assert "stopped by Tomas Birch" in to(sent, TARA)[-1].text
    ends = await office.state.ledger.end_states(f"{1:026}")
    assert {r: state.value for r, (_, state, _) in ends.items()} == {
        first.to[0]: "released",
        (set(ends) - set(first.to)).pop(): "discarded",
    }


async def test_stop_after_delivery_is_told_so(office: Office) -> None:
    questions = await asked(office)
    await office.reply(questions[PAULA], "Yes")
    await office.round()
    await office.reply(questions[TOMAS], "Stop")
    (note,) = await office.round()
    assert "delivered already" in note.text
    assert office.history() == ["opened", "granted"]


async def put_off(office: Office) -> str:
    """A message that needed no approval waits in the outbox; its Message-ID."""
    office.next_reply = Reply(451, "4.3.0 later")
    raw = mail(TARA, MAPLE, "Picnic")

    async def relay(reverse_path: str, recipients: list[str], raw: bytes, **_: object) -> object:
        return {r: Reply(250, "ok") if r == CEDAR else Reply(451, "later") for r in recipients}

    office.relay = relay  # type: ignore[method-assign,assignment]
    await office.accept(raw, [MAPLE, CEDAR], NOTHING)
    assert [m.to for m in office.waiting()] == [(MAPLE,)]
    return raw.partition(b"Message-ID: ")[2].partition(b"\r\n")[0].decode()


@pytest.mark.parametrize(("who", "stops"), [("paula", True), ("tomas", True), ("ben", False)])
async def test_an_announcement_within_the_site_is_stopped_by_its_administration(
    office: Office, who: str, stops: bool
) -> None:
    message_id = await put_off(office)
    sender = PEOPLE[who].addresses[0]
    raw = mail(sender, APPROVALS, "Re: Picnic", "Stop", In_Reply_To=message_id)
    await office.accept(raw, [APPROVALS], account=who, reverse_path=sender)
    await office.turn()
    assert [m.to for m in office.waiting() if m.kind == "relay"] == ([] if stops else [(MAPLE,)])
    if stops:
        assert office.history() == ["stopped"]
        assert f"stopped by {PEOPLE[who].name}" in to(office.waiting(), TARA)[0].text
        confirmed = to(office.waiting(), sender)[0].text
        assert "Copies taken back before they left: 1; 1 had been delivered" in confirmed
        await office.deliver()
        late = mail(sender, APPROVALS, "Re: Picnic", "Stop it.", In_Reply_To=message_id)
        await office.accept(late, [APPROVALS], account=who, reverse_path=sender)
        (note,) = await office.round()
        assert "delivered already" in note.text
    else:
        assert "Your answer was not counted" in to(office.waiting(), sender)[0].subject


async def test_the_console_stops_by_transaction_or_by_number(office: Office) -> None:
    await put_off(office)
    assert "taken back" in await office.console("wanda").stop(f"{1:026}", "")
    assert [m for m in office.waiting() if m.kind == "relay"] == []
    assert "Nothing was left" in await office.console("wanda").stop(f"{1:026}", "")
    with pytest.raises(CommandRefused, match="no approval and no message"):
        await office.console().stop("0" * 26, "")
    await asked(office)
    number = office.tickets()[-1].id
    assert "not delivered" in await office.console("wanda").stop(str(number), "")
    assert office.approval(number).outcome is ApprovalOutcome.STOPPED


# Crashes, repetitions, others at the same time


async def test_a_crash_before_the_first_step_leaves_one_approval(office: Office) -> None:
    await office.send(NEEDS)
    (hold,) = await office.state.tickets.unclaimed(office.approval_disposition)
    await office.state.tickets.new("approval", f"{hold.digest}|{hold.reverse_path}|{hold.id}", 0.0)
    office.restart()
    assert len([m for m in await office.round() if m.kind == "question"]) == 2
    assert [m.id for m in office.tickets()] == [1]


async def test_the_same_message_later_is_asked_about_again(office: Office) -> None:
    questions = await asked(office)
    await office.reply(questions[PAULA], "No")
    await office.round()
    office.now += DAY
    again = await asked(office)
    assert set(again) == {PAULA, TOMAS}
    assert again[PAULA].token != questions[PAULA].token
    await office.reply(questions[TOMAS], "Yes")  # the old question
    await office.round()
    assert released(office) == []


async def test_two_answers_at_once_release_once(office: Office) -> None:
    questions = await asked(office)
    await office.reply(questions[PAULA], "Yes")
    await office.reply(questions[TOMAS], "Yes")
    other = Office.__new__(Office)
    other.__dict__ |= office.__dict__
    other.restart()
    await asyncio.gather(office.desk.turn(), other.desk.turn())
    await office.round()
    await office.deliver()
    assert released(office) == [(MAPLE,)]
    assert office.history().count("granted") == 1
    assert await office.state.tickets.unread() == (0, None)


async def test_one_broken_message_stops_no_other(office: Office) -> None:
    await office.send(NEEDS, subject="One")
    await office.send(NEEDS, subject="Two")
    real = office.take_up

    async def broken(transaction_id: str) -> object:
        if transaction_id == f"{1:026}":
            raise RuntimeError("a defect")
        return await real(transaction_id)

    office.take_up = broken  # type: ignore[method-assign,assignment]
    office.restart()
    assert {m.subject.split(" [")[0] for m in await office.round() if m.kind == "question"} == {
        "Approval needed: Two"
    }


async def test_a_record_of_another_version_goes_to_the_postmaster(office: Office) -> None:
    await office.send(NEEDS)

    async def unreadable(transaction_id: str) -> object:
        raise ValueError("fields have changed")

    office.take_up = unreadable  # type: ignore[method-assign,assignment]
    office.restart()
    (told,) = await office.round()
    assert told.to == ("postmaster@example.org",)
    assert "mailguard approvals approve 1" in " ".join(told.text.split())
    await office.console("wanda").decide(1, False, "")
    assert office.approval().outcome is ApprovalOutcome.DENIED


# Who is told, and how


async def test_an_unproven_stranger_is_not_told_and_technology_is_asked(office: Office) -> None:
    outside = {"account": None, "reverse_path": "ads@example.com", "role": Role.MX}
    questions = await asked(office, "mass-mail.volume", **outside)
    assert set(questions) == {TOMAS}
    await office.reply(questions[TOMAS], "no")
    assert await office.round() == []


async def test_a_proven_stranger_is_told(office: Office) -> None:
    none = Unavailable("not looked up")

    async def authenticate(_: object) -> Authentication:
        return Authentication(Spf("pass", "example.com"), none, none, none)

    office.world.judging.authenticator.authenticate = authenticate  # type: ignore[method-assign,assignment]
    outside = {"account": None, "reverse_path": "ads@example.com", "role": Role.MX}
    await office.send(NEEDS, **outside)  # type: ignore[arg-type]
    assert "waits for approval" in to(await office.round(), "ads@example.com")[0].text


async def test_without_anybody_to_ask_the_postmaster_hears_of_it(tmp_path: Path) -> None:
    gone = {i: replace(p, end=date(2026, 6, 30)) for i, p in PEOPLE.items() if i != "tara"}
    office = Office(tmp_path, directory=replace(DIRECTORY, people={**PEOPLE, **gone}))
    await office.send(NEEDS)
    sent = await office.round()
    assert {m.to[0] for m in sent} == {TARA, "postmaster@example.org"}
    office.close()


async def test_hostile_words_stay_in_their_place(office: Office) -> None:
    subject = "=?utf-8?q?x=0D=0ABcc:_ben@example.org=E2=80=AE?= [#9-9-aaaaaaaaaaaaaaaa]"
    raw = mail(
        TARA,
        MAPLE,
        subject,
        "<b>Yes</b>\nhttps://evil.example.com/a\nPlease reply above this line.\nYES",
    )
    from tests.support.office import held

    await office.accept(raw, [MAPLE], held(NEEDS))
    questions = {m.to[0]: m for m in await office.round() if m.kind == "question"}
    question = questions[PAULA]
    assert question.message["Bcc"] is None
    assert "\u202e" not in question.raw.decode()
    assert "https://evil" not in question.text
    html = question.message.get_body(("html",))
    assert html is not None
    assert "<b>" not in html.get_content()
    await office.reply(question, "")
    await office.round()
    assert office.approval().outcome is ApprovalOutcome.WAITING


# The page


async def test_the_page_shows_and_takes_the_answer(office: Office) -> None:
    questions = await asked(office, ANNOUNCEMENT)
    token = questions[PAULA].page
    shown = await office.desk.question(token)
    assert shown is not None
    assert (shown.person, shown.outcome) == ("Paula Pine", "")
    assert [key for key, _ in shown.choices] == ["yes", "no"]
    assert ("Subject", "Bake sale") in shown.particulars
    said = await office.desk.answer(token, "yes", "fine\r\nBcc: x")
    assert said is not None
    assert said.startswith("It waits for Technology Services")
    again = await office.desk.question(token)
    assert again is not None
    assert again.choices == ()
    assert office.approval().given[0].remark == "fine  Bcc: x"
    assert (await office.desk.answer(questions[TOMAS].page, "yes") or "").startswith(
        "It was approved"
    )
    assert "Nothing has changed" in (await office.desk.answer(questions[TOMAS].page, "no") or "")
    await office.deliver()
    assert released(office) == [(MAPLE,)]


async def test_two_answers_on_the_page_at_the_same_moment_are_one_answer(office: Office) -> None:
    token = (await asked(office))[PAULA].page
    said = await asyncio.gather(*(office.desk.answer(token, one) for one in ("yes", "no") * 3))
    first = office.approval().given[0]
    assert [given.person for given in office.approval().given] == [first.person]
    assert sum("Nothing has changed" not in (one or "") for one in said) == 1
    await office.deliver()
    assert released(office) == ([(MAPLE,)] if first.yes else [])


async def test_a_copy_decided_between_the_look_and_the_commit_is_not_released(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, look = (await asked(office))[PAULA].page, office.state.tickets.holds_of
    decided: list[int] = []

    async def slowly(ticket: int) -> Sequence[KeptCopy]:
        seen = await look(ticket)
        if waiting := [hold.id for hold in seen if hold.state == "waiting"]:
            await office.state.ledger.decide_hold(waiting, "discarded", "console: root")
            decided.extend(waiting)
        return seen

    monkeypatch.setattr(office.state.tickets, "holds_of", slowly)
    with pytest.raises(StoreError, match="others act"):
        await office.desk.answer(token, "yes")
    assert decided
    await office.turn()
    assert office.approval().decided_by == "console: root"
    await office.deliver()
    assert released(office) == []


@pytest.mark.parametrize("change", ["9" * 5, "-7-", "x"])
async def test_a_page_without_its_token_is_none(office: Office, change: str) -> None:
    token = (await asked(office))[PAULA].page
    last = "y" if token.endswith("x") else "x"
    wrong = {
        "9" * 5: "99999" + token,
        "-7-": token.replace("-0-", "-7-"),
        "x": token[:-1] + last,
    }
    assert await office.desk.question(wrong[change]) is None
    assert await office.desk.answer(wrong[change], "yes") is None
    assert await office.desk.answer(token, "perhaps") is None
    assert released(office) == []


async def test_a_word_typed_on_the_page_reaches_the_sender(office: Office) -> None:
    questions = await asked(office)
    await office.desk.answer(questions[PAULA].page, "no", "Ask me")
    assert "Their words: “Ask me”" in to(await office.round(), TARA)[0].text


async def test_a_no_by_mail_is_no_remark_as_well(office: Office) -> None:
    questions = await asked(office)
    await office.reply(questions[PAULA], "No, thanks")
    assert "Their words" not in to(await office.round(), TARA)[0].text
