"""R26-R28 and R37: scores of realistic mail, thresholds, the exemption and the unblocked list."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mailguard.checks.spam import GTUBE, Spam
from mailguard.core.decision.edit import AddField
from mailguard.core.decision.engines import EngineUnavailable, OnNoAnswer, Scanned, Symbol, Target
from mailguard.core.decision.facts import Bayes, Dkim, Spf, Unavailable, Unblocked
from mailguard.core.decision.verdict import Disposition
from mailguard.core.mail import address
from mailguard.core.mail.transaction import Role
from mailguard.core.spam.features import FEATURES, Hit, total, weigh
from mailguard.core.spam.phrases import PHRASES
from mailguard.core.spam.tokens import words

CHECK = Spam()
SAMPLES = Path(__file__).parent / "samples"
BLOCKED = {"spam.blocked"}
# Neither what our own filter says of a sender on the list, nor that another one is silent.
WAIVABLE = {
    *("spam.blocked", "spam.suspected", "spam.outbound"),
    *("spam.unscanned", "spam.scan-deferred"),
}
USUAL = (
    "Date: Wed, 25 Nov 2026 10:00:00 +0000",
    "Message-ID: <sample@home.test>",
    "To: tim.moss@example.org",
)


def samples(kind: str) -> Iterator[tuple[str, str, str | None]]:
    """Name, message and reverse-path of each sample; the usual fields are filled in."""
    for piece in (SAMPLES / f"{kind}.txt").read_text(encoding="utf-8").split("%%%% ")[1:]:
        name, _, rest = piece.partition("\n")
        before, mark, html = rest.partition("==html")
        head, _, body = rest.partition("\n\n") if not mark else (before, "", "")
        fields, omitted, reverse_path = [], "", None
        for line in head.strip().split("\n"):
            if line.startswith("Omit:"):
                omitted = line
            elif line.startswith("Reverse-Path:"):
                reverse_path = line.partition(":")[2].strip()
            else:
                fields.append(line)
        fields += [line for line in USUAL if line.partition(":")[0] not in omitted]
        fields.append("MIME-Version: 1.0")
        if not mark:
            fields.append("Content-Type: text/plain; charset=utf-8")
            yield name, "\n".join(fields) + "\n\n" + body, reverse_path
            continue
        kind_of_html, _, html = html.partition("\n")
        if kind_of_html == "-only==":
            fields.append("Content-Type: text/html; charset=utf-8")
            yield name, "\n".join(fields) + "\n\n" + html, reverse_path
        else:
            fields.append('Content-Type: multipart/alternative; boundary="b1"')
            parts = (
                "--b1\nContent-Type: text/plain; charset=utf-8\n\nPlease read this message as HTML"
                f".\n--b1\nContent-Type: text/html; charset=utf-8\n\n{html}\n--b1--\n"
            )
            yield name, "\n".join(fields) + "\n\n" + parts, reverse_path


HAM, SPAM = list(samples("ham")), list(samples("spam"))


def score_of(verdict) -> float:
    for finding in verdict.findings:
        return float(finding.evidence.split(" ")[0])
    return 0.0


def measured(build, message: str, reverse_path: str | None) -> tuple[float, str]:
    case = build(message, reverse_path=reverse_path)
    settings = CHECK.Settings(tag=0.01, block=100)
    verdict = CHECK.examine(case.transaction, case.facts, settings)
    assert verdict.error is None
    return score_of(verdict), "; ".join(f.evidence for f in verdict.findings)


def test_there_are_enough_samples() -> None:
    assert len(HAM) >= 25 and len(SPAM) >= 25


@pytest.mark.parametrize(("name", "message", "reverse_path"), HAM, ids=[s[0] for s in HAM])
def test_ordinary_mail_scores_below_two(build, name, message, reverse_path) -> None:
    score, evidence = measured(build, message, reverse_path)
    assert score < 2, evidence


@pytest.mark.parametrize(("name", "message", "reverse_path"), SPAM, ids=[s[0] for s in SPAM])
def test_spam_is_blocked(build, name, message, reverse_path) -> None:
    score, evidence = measured(build, message, reverse_path)
    assert score >= 6, evidence


NEUTRAL = (
    "From: pat@home.test\nTo: tim.moss@example.org\nSubject: Keys\n"
    "Date: Wed, 25 Nov 2026 10:00:00 +0000\nMessage-ID: <1@home.test>\n\n"
)
BAD = (
    NEUTRAL + "You have won the lottery, claim your prize. Kindly act immediately, "
    "dear friend, for the next of kin.\n"
)


def codes_of(verdict) -> set[str]:
    return {finding.code for finding in verdict.findings}


def test_blocked_names_the_symbols_and_the_points(build) -> None:
    case = build(BAD)
    (finding,) = CHECK.examine(case.transaction, case.facts, CHECK.Settings()).findings
    assert finding.code == "spam.blocked"
    assert (
        "it announces a prize (LOTTERY +4.8: you have won, lottery, claim your prize)"
        in finding.evidence
    )


def test_between_the_thresholds_the_header_is_marked(build) -> None:
    case = build(BAD)
    verdict = CHECK.examine(case.transaction, case.facts, CHECK.Settings(block=50))
    assert codes_of(verdict) == {"spam.suspected"}
    (edit,) = verdict.edits
    assert isinstance(edit, AddField) and edit.name == "X-Mailguard-Spam"
    assert edit.value.startswith("suspected; score=") and edit.value.isascii()
    assert "\r" not in edit.value and "\n" not in edit.value


def test_spammail_is_exempt(build) -> None:
    mixed = build(BAD, recipients=("Spammail@example.org", "tim.moss@example.org"))
    (finding,) = CHECK.examine(mixed.transaction, mixed.facts, CHECK.Settings()).findings
    assert finding.recipients == ("tim.moss@example.org",)
    alone = build(BAD + GTUBE.decode(), recipients=("spammail@example.org",))
    assert not CHECK.examine(alone.transaction, alone.facts, CHECK.Settings()).findings


@pytest.mark.parametrize("encoded", [False, True])
def test_the_test_pattern(build, encoded) -> None:
    if encoded:
        body = base64.b64encode(b"x " + GTUBE + b"\n").decode()
        message = NEUTRAL.replace("\n\n", "\nContent-Transfer-Encoding: base64\n\n") + body + "\n"
    else:
        message = NEUTRAL + GTUBE.decode() + "\n"
    entry = Unblocked("pat@home.test", "allowlist.d/parents.txt:1")
    case = build(message, unblocked=entry)
    verdict = CHECK.examine(case.transaction, case.facts, CHECK.Settings())
    assert "spam.gtube" in codes_of(verdict)
    assert all("spam.gtube" not in waiver.codes for waiver in verdict.waivers)


def test_both_directions(build) -> None:
    message = BAD.replace("pat@home.test", "jdoe@example.org")
    case = build(message, role=Role.SUBMISSION, account="jdoe", recipients=("pat@home.test",))
    (finding,) = CHECK.examine(case.transaction, case.facts, CHECK.Settings()).findings
    assert finding.code == "spam.outbound"
    server = build(message, role=Role.RELAY, recipients=("pat@home.test",))
    assert codes_of(CHECK.examine(server.transaction, server.facts, CHECK.Settings())) == {
        "spam.outbound"
    }


ENTRY = Unblocked("pat@home.test", "allowlist.d/parents.txt:12", "stafford")


@pytest.mark.parametrize(
    ("said", "author", "reverse_path", "entry", "waived"),
    [
        ("same address", "pat@home.test", "pat@home.test", ENTRY, True),
        ("case differs", "Pat <PAT@Home.Test>", "pat@home.test", ENTRY, True),
        ("other reverse-path", "pat@home.test", "x@home.test", ENTRY, False),
        ("null reverse-path", "pat@home.test", "", ENTRY, False),
        ("two authors", "pat@home.test, x@home.test", "pat@home.test", ENTRY, False),
        ("ambiguous", "pat@home.test <pat@home.test> x", "pat@home.test", ENTRY, False),
        ("another entry", "pat@home.test", "pat@home.test", Unblocked("x@home.test", "f:1"), False),
        ("expired", "pat@home.test", "pat@home.test", replace(ENTRY, expires_at=1.0), False),
        (
            "the district's own",
            "x@example.org",
            "x@example.org",
            Unblocked("x@example.org", "f:1"),
            False,
        ),
        ("no entry", "pat@home.test", "pat@home.test", None, False),
    ],
)
@pytest.mark.parametrize("needs", ["authenticated", "same-address"])
def test_the_unblocked_list(build, said, author, reverse_path, entry, waived, needs) -> None:
    message = BAD.replace("pat@home.test", author)
    proof = {"spf": Spf("pass", address.domain_of(reverse_path))}
    if needs == "authenticated" and said == "other reverse-path":
        waived = True  # another mailbox of the domain that SPF proves: bounces@, a list's
    case = build(message, reverse_path=reverse_path, unblocked=entry, dkim=(), **proof)
    verdict = CHECK.examine(case.transaction, case.facts, CHECK.Settings(unblocked_needs=needs))
    assert codes_of(verdict) == BLOCKED  # the check still says what it saw
    assert bool(verdict.waivers) is waived
    if waived:
        assert set(verdict.waivers[0].codes) == WAIVABLE
        assert "allowlist.d/parents.txt:12" in verdict.waivers[0].reason


def test_an_entry_that_somebody_made_count_unproven(build) -> None:
    """R37: a recorded waiver of one entry; the address itself is still asked for, and named."""
    entry = replace(
        ENTRY, waived_by="mmaple", waived_because="the clinic's mail server signs nothing"
    )
    for reverse_path, waived in (("pat@home.test", True), ("x@home.test", False), ("", False)):
        case = build(BAD, reverse_path=reverse_path, unblocked=entry, dkim=(), spf=Spf("none"))
        verdict = CHECK.examine(case.transaction, case.facts, CHECK.Settings())
        assert bool(verdict.waivers) is waived
        if waived:
            assert "mmaple made count unproven: the clinic's" in verdict.waivers[0].reason
    proven = build(BAD, reverse_path="pat@home.test", unblocked=entry, spf=Spf("pass", "home.test"))
    verdict = CHECK.examine(proven.transaction, proven.facts, CHECK.Settings())
    assert "unproven" not in verdict.waivers[0].reason


@pytest.mark.parametrize(
    "proof",
    [
        {},  # nothing was looked up
        {"spf": Spf("fail", "home.test"), "dkim": ()},
        {"spf": Spf("softfail", "home.test"), "dkim": ()},
        {"spf": Spf("temperror", "home.test"), "dkim": ()},
        {"spf": Spf("none"), "dkim": (Dkim("pass", "evil.test"),)},
        {"spf": Spf("none"), "dkim": (Dkim("pass", "home.test", body_length_limited=True),)},
        {"spf": Spf("none"), "dkim": (Dkim("fail", "home.test"),)},
    ],
)
def test_a_forged_parent_does_not_pass(build, proof) -> None:
    case = build(BAD, reverse_path="pat@home.test", unblocked=ENTRY, **proof)
    assert not CHECK.examine(case.transaction, case.facts, CHECK.Settings()).waivers


def test_a_signed_parent_passes_through_a_forwarder(build) -> None:
    proof = {"spf": Spf("fail", "list.test"), "dkim": (Dkim("pass", "home.test"),)}
    case = build(BAD, reverse_path="bounces@list.test", unblocked=ENTRY, **proof)
    assert CHECK.examine(case.transaction, case.facts, CHECK.Settings()).waivers


def test_two_from_fields_are_never_waived(build) -> None:
    message = BAD.replace("From: pat@home.test", "From: pat@home.test\nFrom: pat@home.test")
    case = build(message, reverse_path="pat@home.test", unblocked=ENTRY)
    assert not CHECK.examine(case.transaction, case.facts, CHECK.Settings()).waivers


def test_the_learned_opinion_counts(build) -> None:
    def score(bayes) -> float:
        case = build(BAD, bayes=bayes)
        return score_of(CHECK.examine(case.transaction, case.facts, CHECK.Settings(tag=0.1)))

    none = score(None)
    assert score(Bayes(0.999, 50, 50)) == pytest.approx(none + 4.5)
    assert score(Bayes(0.001, 50, 50)) == pytest.approx(none - 1.5)
    assert score(Bayes(0.5, 50, 50)) == none


def test_the_learned_opinion_names_its_words(build) -> None:
    telling = (("subject:prize", 0.99), ("homework", 0.02), ("\u202egnp.exe", 0.98), ("win", 0.9))
    for probability, seen in ((0.999, "subject:prize, win"), (0.001, "homework")):
        case = build(BAD, bayes=Bayes(probability, 50, 50, telling))
        (finding,) = CHECK.examine(case.transaction, case.facts, CHECK.Settings(tag=0.1)).findings
        assert f": {seen})" in finding.evidence
        assert "\u202e" not in finding.evidence


def test_what_is_unavailable_is_an_error_where_it_could_matter(build) -> None:
    gone = Unavailable("database locked")

    def error(message: str, **facts):
        case = build(message, **facts)
        return CHECK.examine(case.transaction, case.facts, CHECK.Settings()).error

    assert error(BAD, reading=gone) == "reading: database locked"
    assert error(BAD, unblocked=gone) == "unblocked list: database locked"
    assert error(NEUTRAL + "Hello.\n", unblocked=gone) is None
    near = NEUTRAL + "You have won the lottery. Claim your prize.\n"
    assert error(near, bayes=gone) == "learned opinion: database locked"
    assert error(NEUTRAL + "Hello.\n", bayes=gone) is None


def scanned(score: float, *symbols: Symbol, **more: Any) -> Scanned:
    return Scanned(score, score > 5, symbols, points=score, **more)


def test_an_engines_points_join_ours_and_are_explained(build) -> None:
    engines = {
        "rspamd": scanned(7.5, Symbol("FORGED_SENDER", 5.0), Symbol("MISSING_MID", 2.5)),
        "spamd": scanned(1.25, Symbol("TVD_SPACE_RATIO")),
        "zen.example.test": scanned(0.0),
    }
    case = build(NEUTRAL + "Hello.\n", engines=engines)
    (finding,) = CHECK.examine(case.transaction, case.facts, CHECK.Settings()).findings
    assert finding.code == "spam.blocked"
    assert finding.evidence == (
        "8.8 points, of 6.0 allowed: rspamd FORGED_SENDER +5.0, MISSING_MID +2.5 (rspamd +7.5); "
        "spamd TVD_SPACE_RATIO (spamd +1.2)"
    )


def test_an_engine_that_knows_the_sender_takes_points_off(build) -> None:
    case = build(BAD, engines={"rspamd": scanned(-3.0, Symbol("KNOWN", -9.0))})
    alone = build(BAD)

    def score(case) -> float:
        return score_of(CHECK.examine(case.transaction, case.facts, CHECK.Settings(tag=0.1)))

    assert score(case) == pytest.approx(score(alone) - 3.0)


@pytest.mark.parametrize(
    ("says", "follows"),
    [
        (OnNoAnswer.IGNORE, set()),
        (OnNoAnswer.QUARANTINE, {"spam.unscanned"}),
        (OnNoAnswer.DEFER, {"spam.scan-deferred"}),
    ],
)
def test_silence_is_told_and_what_follows_is_the_engines_setting(build, says, follows) -> None:
    silent = {"rspamd": EngineUnavailable("no answer within 10 seconds", Target.SPAM, says)}
    case = build(NEUTRAL + "Hello.\n", engines=silent)
    verdict = CHECK.examine(case.transaction, case.facts, CHECK.Settings())
    assert verdict.error is None
    assert codes_of(verdict) == {"spam.engine-unavailable", *follows}
    for finding in verdict.findings:
        assert finding.evidence == "rspamd: no answer within 10 seconds"


def test_other_engines_silence_is_another_checks(build) -> None:
    silent = {"clamd": EngineUnavailable("it is gone", Target.MALWARE, OnNoAnswer.DEFER)}
    case = build(NEUTRAL + "Hello.\n", engines=silent)
    assert not CHECK.examine(case.transaction, case.facts, CHECK.Settings()).findings


def test_what_an_engine_skipped_is_told(build) -> None:
    case = build(NEUTRAL + "Hello.\n", engines={"spamd": scanned(0, unscannable="too big")})
    (finding,) = CHECK.examine(case.transaction, case.facts, CHECK.Settings()).findings
    assert (finding.code, finding.evidence) == ("spam.engine-skipped", "spamd: too big")


def test_engines_that_were_not_asked_at_all_are_an_error(build) -> None:
    case = build(NEUTRAL + "Hello.\n", engines=Unavailable("no answer within 20 seconds"))
    verdict = CHECK.examine(case.transaction, case.facts, CHECK.Settings())
    assert verdict.error == "engines: no answer within 20 seconds"


def test_points_are_settings(build) -> None:
    case = build(BAD)
    quiet = CHECK.Settings(points={"LOTTERY": 0, "PRESSURE": 0, "ADVANCE_FEE": 0})
    assert not CHECK.examine(case.transaction, case.facts, quiet).findings
    for wrong in ({"LOTERY": 1}, {"LOTTERY": 100}):
        with pytest.raises(ValidationError):
            CHECK.Settings(points=wrong)
    with pytest.raises(ValidationError, match="tag"):
        CHECK.Settings(tag=9, block=6)


def test_the_tables_agree() -> None:
    assert set(PHRASES) <= set(FEATURES)
    for phrase in (p for phrases in PHRASES.values() for p in phrases):
        assert phrase == " ".join(phrase.lower().split())
    assert all(f.words == f.words.rstrip(".") and f.points for f in FEATURES.values())
    capped = weigh([Hit("LOTTERY", 50), Hit("HTML_ONLY", 7)])
    assert total(capped) == FEATURES["LOTTERY"].at_most + FEATURES["HTML_ONLY"].points


def test_defaults() -> None:
    by_code = {kind.code: kind for kind in CHECK.findings}
    assert by_code["spam.blocked"].default is Disposition.QUARANTINE
    assert by_code["spam.blocked"].notice == "blocked"
    assert by_code["spam.outbound"].default is Disposition.HOLD
    assert by_code["spam.scan-deferred"].default is Disposition.DEFER
    assert by_code["spam.unscanned"].default is Disposition.QUARANTINE
    assert {c for c, kind in by_code.items() if kind.waivable} == WAIVABLE


def test_words_are_bounded_unique_and_stable(build) -> None:
    body = " ".join(
        f"word{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}{chr(97 + i // 676)}" for i in range(5000)
    )
    case = build(NEUTRAL + "Hello HELLO hello\n" + body + "\n")
    found = words(case.transaction.message, case.facts.reading)
    assert len(found) == len(set(found)) == 400
    assert found[:3] == ("subject:keys", "author:pat@home.test", "author:home.test")
    assert "hello" in found and found == words(case.transaction.message, case.facts.reading)
