"""The composition rules of the design, each a test that fails when the rule is broken."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.steps import DISTRICT, Says, finds

from mailguard.core.decision.decide import decide
from mailguard.core.decision.edit import ReplaceText
from mailguard.core.decision.facts import Facts
from mailguard.core.decision.policy import CheckSettings, Mode, Policy, PolicyStep
from mailguard.core.decision.verdict import Disposition, Finding, Verdict, Waiver
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction

FORWARD, QUARANTINE, HOLD, BOUNCE, DEFER = Disposition
ANN, BOB = "ann@example.org", "bob@example.org"


def decided(*steps: PolicyStep, recipients: tuple[str, ...] = (ANN, BOB)) -> Any:
    raw = b"From: x@example.com\r\nSubject: s\r\n\r\nhello\r\n"
    transaction = Transaction(
        "0" * 26,
        1.0,
        Listener("mx", Role.MX),
        Envelope("x@example.com", recipients),
        mime.parse(raw),
    )
    return decide(transaction, Facts(now=1.0, district=DISTRICT), Policy(steps, "digest"))


def dispositions(decision: Any) -> dict[str, Disposition]:
    return {recipient: outcome.disposition for recipient, outcome in decision.outcomes.items()}


def test_the_order_of_dispositions_is_fixed() -> None:
    assert FORWARD < QUARANTINE < HOLD < BOUNCE < DEFER


def test_rule_1_every_check_runs_and_nothing_short_circuits() -> None:
    decision = decided(
        finds("a", "a.x", DEFER), finds("b", "b.x", FORWARD), finds("c", "c.x", BOUNCE)
    )
    assert [v.check for v in decision.verdicts] == ["a", "b", "c"]
    assert [j.finding.code for j in decision.judgements] == ["a.x", "b.x", "c.x"]


def test_rule_2_a_waiver_names_codes_and_spares_only_its_recipients() -> None:
    waiver = Waiver(("a.spam",), "on the list", (ANN,))
    decision = decided(finds("a", "a.spam", QUARANTINE, waivable=True, waivers=(waiver,)))
    assert dispositions(decision) == {ANN: FORWARD, BOB: QUARANTINE}
    assert decision.judgements[0].waived_by == "on the list"
    assert decision.verdicts[0].findings, "the finding itself stays in the record"


def test_rule_2_what_is_not_waivable_stays() -> None:
    waiver = Waiver(("a.forged",), "on the list")
    assert (
        dispositions(decided(finds("a", "a.forged", QUARANTINE, waivers=(waiver,))))[ANN]
        is QUARANTINE
    )


def test_rule_2_a_waiver_works_whatever_the_order_of_steps() -> None:
    listed = finds("w", "w.listed", FORWARD, waivers=(Waiver(("a.spam",), "listed"),))
    spam = finds("a", "a.spam", QUARANTINE, waivable=True)
    assert dispositions(decided(listed, spam)) == dispositions(decided(spam, listed))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_rule_3_the_strongest_wins_and_order_only_chooses_the_reason(
    order: tuple[int, int],
) -> None:
    steps = [finds("a", "a.x", BOUNCE), finds("b", "b.x", BOUNCE)]
    decision = decided(*(steps[n] for n in order), finds("c", "c.x", QUARANTINE))
    assert dispositions(decision) == {ANN: BOUNCE, BOB: BOUNCE}
    assert decision.outcomes[ANN].reasons[0].check == "ab"[order[0]]


def test_rule_3_recipients_are_judged_apart() -> None:
    decision = decided(finds("a", "a.x", BOUNCE, ANN), finds("b", "b.x", QUARANTINE))
    assert dispositions(decision) == {ANN: BOUNCE, BOB: QUARANTINE}


@pytest.mark.parametrize("on_error", [QUARANTINE, DEFER])
def test_rule_4_a_check_that_raises_never_lets_mail_pass(on_error: Disposition) -> None:
    step = PolicyStep(Says("a", RuntimeError("boom")), CheckSettings(), {}, on_error)
    decision = decided(step, finds("b", "b.x", FORWARD))
    assert dispositions(decision) == {ANN: on_error, BOB: on_error}
    assert decision.outcomes[ANN].reasons[0].finding.code == "a.error"
    assert "boom" in decision.verdicts[0].error


def test_rule_4_a_check_that_reports_its_error_is_treated_alike() -> None:
    step = PolicyStep(
        Says("a_b", Verdict("a_b", error="directory down")), CheckSettings(), {}, DEFER
    )
    decision = decided(step)
    assert decision.outcomes[BOB].reasons[0].finding.code == "a-b.error"
    assert dispositions(decision)[BOB] is DEFER


def test_rule_4_an_undeclared_finding_is_taken_for_an_error() -> None:
    step = PolicyStep(Says("a", Verdict("a", (Finding("a.new", "?"),))), CheckSettings(), {}, DEFER)
    assert dispositions(decided(step))[ANN] is DEFER


def test_rule_6_observe_records_and_changes_nothing() -> None:
    edit = ReplaceText("", 0, 0, "x")
    waiver = Waiver(("b.spam",), "listed")
    observed = finds("a", "a.x", DEFER, mode=Mode.OBSERVE, edits=(edit,), waivers=(waiver,))
    decision = decided(observed, finds("b", "b.spam", QUARANTINE, waivable=True))
    assert dispositions(decision) == {ANN: QUARANTINE, BOB: QUARANTINE}
    assert decision.edits == ()
    assert decision.judgements[0].observed
    assert decision.judgements[0].disposition is DEFER


def test_every_recipient_gets_exactly_one_disposition() -> None:
    decision = decided(finds("a", "a.x", BOUNCE, ANN, "stranger@example.org"))
    assert list(decision.outcomes) == [ANN, BOB]


def test_a_finding_about_strangers_alone_concerns_everybody() -> None:
    """It is a defect of the check, and nothing fails open."""
    decision = decided(finds("a", "a.x", BOUNCE, "ANN@example.org"))
    assert dispositions(decision) == {ANN: BOUNCE, BOB: BOUNCE}
    some = decided(finds("a", "a.x", BOUNCE, ANN, "list@example.org"))
    assert dispositions(some) == {ANN: BOUNCE, BOB: FORWARD}
