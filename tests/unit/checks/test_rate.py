"""R55: an account's limits by the hour and by the day."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mailguard.checks.rate import Rate
from mailguard.core.decision.facts import AccountVolume
from mailguard.core.decision.verdict import Disposition

CHECK = Rate()
MAIL = "From: jdoe@example.org\nTo: pat@home.test\nSubject: Keys\n\nHello.\n"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (None, []),
        (AccountVolume("jdoe", 10, 20), []),  # as many as may be
        (AccountVolume("jdoe", 11, 20), ["exceeded"]),
        (AccountVolume("jdoe", 1, 21), ["exceeded"]),
        (AccountVolume("jdoe", 11, 21), ["exceeded"]),
        (AccountVolume("students", 500, 500), []),
    ],
)
def test_limits(build, codes, sent, expected) -> None:
    settings = {"an_hour": 10, "a_day": 20, "exempt": frozenset({"Students"})}
    assert codes(CHECK, build(MAIL, sent=sent), **settings) == expected


def test_the_evidence_says_who_how_many_and_how_many_may_be(build) -> None:
    case = build(MAIL, sent=AccountVolume("jdoe", 501, 501))
    (finding,) = CHECK.examine(case.transaction, case.facts, CHECK.Settings()).findings
    assert finding.evidence == "jdoe has written to 501 recipients within an hour; 500 may be"
    assert CHECK.findings[0].default is Disposition.HOLD
    assert not CHECK.findings[0].waivable


def test_no_limit_above_what_is_counted() -> None:
    with pytest.raises(ValidationError):
        CHECK.Settings(a_day=20_001)
