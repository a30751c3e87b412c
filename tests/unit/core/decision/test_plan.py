"""What is done with a decision, and what the client hears."""

from __future__ import annotations

import pytest

from mailguard.core.decision.decide import Decision, Judgement, Outcome
from mailguard.core.decision.edit import AddField, ReplaceText
from mailguard.core.decision.plan import Plan, State, conclude, make_plan
from mailguard.core.decision.verdict import Disposition, Finding
from mailguard.core.mail.reply import Reply, refusal

FORWARD, QUARANTINE, HOLD, BOUNCE, DEFER = Disposition
OK, LATE, NO = Reply(250, "2.0.0 Ok"), Reply(451, "4.3.0 later"), Reply(550, "5.1.1 unknown")


def decision(edits: tuple = (), **dispositions: Disposition) -> Decision:
    outcomes = {}
    for name, disposition in dispositions.items():
        finding = Finding(f"check.{disposition.word}", "evidence")
        reason = Judgement("check", finding, disposition, (name,))
        outcomes[name] = Outcome(disposition, () if disposition is FORWARD else (reason,))
    return Decision(outcomes, (), (), edits, "digest")


def plan(
    *, answerable: bool = False, tell: bool = True, edits: tuple = (), **who: Disposition
) -> Plan:
    return make_plan(decision(edits, **who), answerable=answerable, tell_quarantine=tell)


def named(p: Plan) -> list[str]:
    return sorted([*p.forwarded, *(h.recipient for h in p.holds), *p.refused])


@pytest.mark.parametrize("answerable", [True, False])
@pytest.mark.parametrize("tell", [True, False])
@pytest.mark.parametrize("a", [FORWARD, QUARANTINE, HOLD, BOUNCE])
@pytest.mark.parametrize("b", [FORWARD, QUARANTINE, HOLD, BOUNCE])
def test_every_copy_is_accounted_for_once(
    answerable: bool, tell: bool, a: Disposition, b: Disposition
) -> None:
    made = plan(answerable=answerable, tell=tell, a=a, b=b)
    assert named(made) == ["a", "b"]
    for recipient in made.refused:  # a refused copy is gone: somebody must hear of it
        told = made.refusal is not None or any(recipient in t.recipients for t in made.notices)
        assert told
    if made.refusal is not None:  # nothing that goes on or waits may be answered by 5xx
        assert not made.forwarded
        assert all(h.disposition is QUARANTINE for h in made.holds)
    if not answerable:
        assert made.notices == ()


def test_one_deferred_recipient_defers_the_message_and_keeps_nothing() -> None:
    made = plan(a=FORWARD, b=DEFER, c=QUARANTINE)
    assert made.deferral is not None
    assert named(made) == []


def test_a_bounce_that_nobody_can_be_told_of_is_quarantined() -> None:
    made = plan(a=FORWARD, b=BOUNCE)
    assert [h.recipient for h in made.holds] == ["b"]
    assert made.holds[0].disposition is QUARANTINE


def test_a_spam_message_is_refused_in_the_session_and_kept() -> None:
    made = plan(a=QUARANTINE, b=QUARANTINE)
    assert made.refusal is not None
    assert [h.recipient for h in made.holds] == ["a", "b"]


def test_quarantine_can_be_silent_where_configured() -> None:
    made = plan(tell=False, answerable=True, a=QUARANTINE)
    assert made.refusal is None
    assert made.notices == ()


def test_recipients_that_share_edits_share_a_variant() -> None:
    everyone = AddField("X-A", "1")
    only_b = ReplaceText("", 0, 0, "x", recipients=("b",))
    made = plan(edits=(everyone, only_b), a=FORWARD, b=FORWARD, c=FORWARD)
    assert {v.recipients: v.edits for v in made.variants} == {
        ("a", "c"): (everyone,),
        ("b",): (everyone, only_b),
    }


@pytest.mark.parametrize(
    ("delivered", "code", "states"),
    [
        ({"a": OK, "b": OK}, None, ("forwarded", "forwarded")),
        ({"a": LATE, "b": LATE}, 451, ("deferred", "deferred")),
        ({"a": NO, "b": NO}, 550, ("refused", "refused")),
        ({"a": NO, "b": LATE}, 451, ("deferred", "deferred")),
        ({"a": OK, "b": LATE}, None, ("forwarded", "queued")),
        ({"a": OK, "b": NO}, None, ("forwarded", "refused")),
    ],
)
def test_what_the_next_hop_says_decides_the_reply(
    delivered: dict[str, Reply], code: int | None, states: tuple[str, str]
) -> None:
    conclusion = conclude(plan(a=FORWARD, b=FORWARD), delivered)
    assert (conclusion.failure.code if conclusion.failure else None) == code
    assert (conclusion.states["a"].value, conclusion.states["b"].value) == states


def test_what_was_kept_is_not_undone_by_a_next_hop_that_refuses_the_rest() -> None:
    made = plan(a=QUARANTINE, b=FORWARD)
    conclusion = conclude(made, {"b": NO})
    assert conclusion.failure is None
    assert conclusion.returned == ("b",)
    assert conclusion.states == {"a": State.QUARANTINED, "b": State.REFUSED}


def test_a_refusal_is_printable_ascii_with_double_spaces_kept() -> None:
    reply = refusal("Blocked.  Really “so”.\x1b[31m\r\n250 Ok")
    assert reply.text == '5.7.1 Blocked.  Really "so".?[31m\n250 Ok'


def test_a_letter_to_us_goes_no_further_and_one_to_spammail_does() -> None:
    desks = {"a": "approvals", "s": "spammail"}
    made = make_plan(
        decision(a=FORWARD, s=FORWARD, b=FORWARD),
        answerable=True,
        tell_quarantine=True,
        desks=desks,
    )
    assert made.forwarded == ("s", "b")
    assert made.taken == ("a",)
    assert {(letter.recipient, letter.desk) for letter in made.letters} == set(desks.items())
    # Where nothing else went on, the answer is with us all the same: it is not asked for again.
    for reply in (LATE, NO):
        ended = conclude(made, {"s": reply, "b": reply})
        assert ended.states["a"] is State.TAKEN
    assert conclude(made, {"s": NO, "b": NO}).failure is None


@pytest.mark.parametrize("kept", [QUARANTINE, HOLD, BOUNCE])
def test_what_policy_stops_is_no_letter(kept: Disposition) -> None:
    made = make_plan(
        decision(a=kept, b=FORWARD),
        answerable=True,
        tell_quarantine=True,
        desks={"a": "approvals"},
    )
    assert made.letters == ()
    assert made.taken == ()
