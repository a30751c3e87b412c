"""Every case folder: the dispositions written from the rules, and the outputs as reviewed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cases.harness import FOLDERS, all_judged, outputs, words_of

WITHOUT = b"/l/"  # a sealed link: its key is the machine's own


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_case(folder: Path) -> None:
    case = all_judged()[folder]
    outcomes = case.message.decision.outcomes
    assert set(case.wanted["recipients"]) == set(outcomes)
    for recipient, wanted in case.wanted["recipients"].items():
        outcome = outcomes[recipient]
        why = [(j.finding.code, j.finding.evidence) for j in case.message.decision.judgements]
        assert outcome.disposition.word == wanted["disposition"], why
        if "reason" in wanted:
            assert outcome.reasons[0].finding.code == wanted["reason"], why
        if "rules" in wanted:
            code = outcome.reasons[0].finding
            kind = case.message.snapshot.policy.finding_type(code.code)
            assert list(code.rules or (kind.rules if kind else ())) == wanted["rules"]
    going = {r: v.redirected for v in case.message.plan.variants for r in v.recipients}
    redirected = {recipient: to for recipient, to in going.items() if to}
    assert redirected == (case.wanted.get("mailboxes") or {})
    copies = case.copies()
    for recipient, wanted in (case.wanted.get("copies") or {}).items():
        copy = copies[recipient]
        if wanted.get("unchanged"):
            assert copy.endswith(case.raw)
            ours = copy.removesuffix(case.raw)  # trace fields on top: where a notice could not go
            assert all(line.startswith(b"X-Mailguard-") for line in ours.splitlines())
        text = words_of(copy)
        assert all(" ".join(w.split()) in text for w in wanted.get("contains", ()))
        assert not any(" ".join(w.split()) in text for w in wanted.get("lacks", ()))
        some = wanted.get("contains_any")
        assert not some or any(" ".join(w.split()) in text for w in some)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_outputs_are_as_reviewed(folder: Path) -> None:
    """`make cases` rewrites them; what differs is reviewed as a diff."""
    made = outputs(all_judged()[folder])
    kept = {
        str(p.relative_to(folder)): p.read_bytes()
        for p in (folder / "reply.txt", *folder.glob("out/*.eml"))
        if p.exists()
    }
    assert set(made) == set(kept)
    for name, octets in made.items():
        if WITHOUT not in octets:
            assert octets == kept[name], name


def test_there_are_cases() -> None:
    assert len(FOLDERS) >= 25
