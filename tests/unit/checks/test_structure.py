"""What is ambiguous or unread does not pass; what is merely malformed is recorded."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from mailguard.checks.structure import Structure
from mailguard.core.decision.facts import Unavailable

CHECK = Structure()

PLAIN = "From: a@home.test\nSubject: x\n\nHello.\n"
TWO_BOUNDARIES = (
    "From: a@home.test\nMIME-Version: 1.0\n"
    'Content-Type: multipart/mixed; boundary="a"; boundary="b"\n'
    "\n--a\n\nHello.\n--a--\n"
)
UNCLOSED = (
    'From: a@home.test\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="a"\n'
    "\n--a\n\nHello.\n"
)
TWO_SUBJECTS = "From: a@home.test\nSubject: x\nSubject: y\n\nHello.\n"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (PLAIN, []),
        (TWO_BOUNDARIES, ["ambiguous"]),
        (TWO_SUBJECTS, ["ambiguous"]),
        (UNCLOSED, ["malformed"]),
    ],
)
def test_defects(build, codes, message, expected) -> None:
    assert codes(CHECK, build(message)) == expected


def test_a_tolerated_defect_is_recorded_only(build, codes) -> None:
    assert codes(CHECK, build(TWO_SUBJECTS), tolerated=("field-duplicated",)) == ["malformed"]


def test_tolerating_an_unknown_code_is_refused() -> None:
    with pytest.raises(ValidationError, match="no defect"):
        CHECK.Settings(tolerated=("field-duplicatd",))


def test_what_was_not_read_is_a_finding(build, codes) -> None:
    case = build(PLAIN)
    gone = replace(case, facts=replace(case.facts, reading=Unavailable("killed after 10 s")))
    assert codes(CHECK, gone) == ["unscannable"]
    cut = replace(case.facts.reading, truncated=True)
    assert codes(CHECK, replace(case, facts=replace(case.facts, reading=cut))) == ["unscannable"]


def test_evidence_is_short_whatever_the_number_of_defects(build) -> None:
    many = "From: a@home.test\n" + "".join(f"odd line {i}\n" for i in range(200)) + "\nHello.\n"
    case = build(many)
    findings = CHECK.examine(case.transaction, case.facts, CHECK.Settings()).findings
    assert findings and all(len(f.evidence) < 1500 for f in findings)


def test_nothing_is_waivable() -> None:
    assert not [kind.code for kind in CHECK.findings if kind.waivable]
