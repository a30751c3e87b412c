"""What must hold of `decide` for any findings whatever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from hypothesis import given
from hypothesis import strategies as st

from mailguard.core.decision.decide import Decision, decide
from mailguard.core.decision.facts import Facts
from mailguard.core.decision.plan import make_plan
from mailguard.core.decision.policy import CheckSettings, FindingType, Mode, Policy, PolicyStep
from mailguard.core.decision.verdict import Disposition, Finding, Verdict, Waiver
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.people.district import District

RECIPIENTS = ("a@example.org", "b@example.org", "c@example.com")
DISTRICT = District("District", "D", ("example.org",), "s@example.org", "p@example.org", "mx")
CODES = ("one.x", "one.y", "two.x", "three.x")
some_recipients = st.lists(st.sampled_from(RECIPIENTS), unique=True).map(tuple)
findings = st.builds(
    Finding, code=st.sampled_from(CODES), evidence=st.just("e"), recipients=some_recipients
)
waivers = st.builds(
    Waiver,
    codes=st.lists(st.sampled_from(CODES), max_size=2).map(tuple),
    reason=st.just("listed"),
    recipients=some_recipients,
)


@dataclass(frozen=True)
class Says:
    name: str
    verdict: Verdict
    findings: tuple[FindingType, ...]
    Settings: ClassVar[type[CheckSettings]] = CheckSettings
    needs: ClassVar[frozenset[str]] = frozenset()

    def examine(self, transaction: Transaction, facts: Facts, settings: Any) -> Verdict:
        return self.verdict


@st.composite
def steps(draw: st.DrawFn) -> list[PolicyStep]:
    made = []
    for n in range(draw(st.integers(0, 4))):
        said = tuple(draw(st.lists(findings, max_size=4)))
        error = draw(st.sampled_from([None, None, "boom"]))
        verdict = Verdict(f"check{n}", said, (), tuple(draw(st.lists(waivers, max_size=2))), error)
        kinds = tuple(
            FindingType(c, "s", (), Disposition.FORWARD, waivable=draw(st.booleans()))
            for c in CODES
        )
        actions = {c: draw(st.sampled_from(Disposition)) for c in CODES}
        on_error = draw(st.sampled_from([Disposition.QUARANTINE, Disposition.DEFER]))
        mode = draw(st.sampled_from(Mode))
        made.append(
            PolicyStep(
                Says(verdict.check, verdict, kinds), CheckSettings(), actions, on_error, mode
            )
        )
    return made


def decided(chosen: list[PolicyStep]) -> Decision:
    transaction = Transaction(
        "0" * 26,
        0.0,
        Listener("mx", Role.MX),
        Envelope("x@example.com", RECIPIENTS),
        mime.parse(b"From: x@example.com\r\n\r\n"),
    )
    return decide(transaction, Facts(0.0, DISTRICT), Policy(tuple(chosen), "digest"))


def dispositions(decision: Decision) -> dict[str, Disposition]:
    return {r: o.disposition for r, o in decision.outcomes.items()}


@given(steps())
def test_each_recipient_gets_exactly_one_disposition(chosen: list[PolicyStep]) -> None:
    assert tuple(decided(chosen).outcomes) == RECIPIENTS


@given(steps(), st.randoms(use_true_random=False))
def test_permuting_steps_keeps_dispositions(chosen: list[PolicyStep], dice: Any) -> None:
    shuffled = list(chosen)
    dice.shuffle(shuffled)
    assert dispositions(decided(shuffled)) == dispositions(decided(chosen))


@given(steps(), findings, st.sampled_from(Disposition))
def test_adding_a_finding_never_weakens_one(
    chosen: list[PolicyStep], more: Finding, action: Disposition
) -> None:
    kind = FindingType(more.code, "s", (), action)
    extra = PolicyStep(
        Says("extra", Verdict("extra", (more,)), (kind,)), CheckSettings(), {more.code: action}
    )
    before, after = dispositions(decided(chosen)), dispositions(decided([*chosen, extra]))
    assert all(after[r] >= before[r] for r in RECIPIENTS)


@given(steps())
def test_observing_everything_forwards_everything(chosen: list[PolicyStep]) -> None:
    watched = [
        PolicyStep(s.check, s.settings, s.on_finding, s.on_error, Mode.OBSERVE) for s in chosen
    ]
    assert set(dispositions(decided(watched)).values()) == {Disposition.FORWARD}


@given(steps())
def test_the_same_input_decides_the_same(chosen: list[PolicyStep]) -> None:
    assert decided(chosen) == decided(chosen)


@given(steps(), st.booleans(), st.booleans())
def test_a_plan_names_every_copy_once_or_defers_them_all(
    chosen: list[PolicyStep], answerable: bool, tell: bool
) -> None:
    decision = decided(chosen)
    plan = make_plan(decision, answerable=answerable, tell_quarantine=tell)
    named = [*plan.forwarded, *(h.recipient for h in plan.holds), *plan.refused]
    if plan.deferral is not None:
        assert named == []
        assert decision.strongest is Disposition.DEFER
    else:
        assert sorted(named) == sorted(RECIPIENTS)
