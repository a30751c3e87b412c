"""What every check must be, and that hostile mail makes none of them raise."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from tests.support import cost

from mailguard.checks import CHECKS
from mailguard.checks.group_rights.check import GroupRights
from mailguard.checks.impersonation.check import Impersonation
from mailguard.checks.sender_identity.check import SenderIdentity
from mailguard.checks.spam import Spam
from mailguard.checks.structure import Structure
from mailguard.core.decision.facts import Facts
from mailguard.core.mail.transaction import Role

SAMPLES = Path(__file__).parent / "samples"
JUDGES = (SenderIdentity(), Impersonation(), GroupRights(), Spam(), Structure())


def test_the_names_that_policies_use_are_there() -> None:
    assert {check.name for check in CHECKS} >= {
        "structure",
        "sender_identity",
        "impersonation",
        "group_rights",
        "spam",
        "disclaimer",
        "links",
    }


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_check_is_documented_and_whole(check) -> None:
    assert type(check).__doc__
    assert check.needs <= set(Facts.__dataclass_fields__)
    check.Settings()  # a policy may name the check alone
    for name, setting in check.Settings.model_fields.items():
        assert setting.description, name
    codes = [kind.code for kind in check.findings]
    assert len(codes) == len(set(codes))
    for kind in check.findings:
        assert kind.code.startswith(check.name.replace("_", "-") + ".")
        assert re.fullmatch(r"[a-z-]+\.[a-z-]+", kind.code)
        assert kind.summary and not kind.summary.endswith(".")
        assert all(re.fullmatch(r"R\d+", rule) for rule in kind.rules)
        assert not kind.advice or kind.advice.endswith(".")


def mutations() -> list[bytes]:
    rng = random.Random(11)
    seeds = [
        piece.partition("\n")[2].encode()
        for kind in ("ham", "spam")
        for piece in (SAMPLES / f"{kind}.txt").read_text(encoding="utf-8").split("%%%% ")[1:]
    ]
    spice = [
        b"\x00", b"\r", b"\n", b"\xff\xfe", b"<", b">", b'"', b"(", b"=?utf-8?B?", b"@", b":",
        b"http://[::1", b"http://a@b:c@d:99999999/", b"//", b"\xe2\x80\xae", b"=?x?Q?=ED=A0=80?=",
        b"xn--\xff", b"http://xn--a-\x7f.test", b"Date: \x80", b"From: ", b"Content-Type: ",
    ]  # fmt: skip
    made = []
    for _ in range(600):
        text = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 30)):
            at = rng.randrange(len(text) + 1)
            text[at : at + rng.randrange(8)] = rng.choice(spice)
        made.append(bytes(text))
    made += [rng.randbytes(rng.randrange(2_000)) for _ in range(100)]
    return made


@pytest.mark.parametrize("role", list(Role))
def test_hostile_mail_never_makes_a_check_raise(build, role) -> None:
    groups = ("all-staff@example.org", "tim.moss@example.org")
    account = "jdoe" if role is Role.SUBMISSION else None
    for raw in mutations():
        case = build(raw, role=role, account=account, recipients=groups)
        for check in JUDGES:
            verdict = check.examine(case.transaction, case.facts, check.Settings())
            for finding in verdict.findings:
                assert set(finding.recipients) <= set(groups)


@pytest.mark.parametrize(
    "raw",
    [
        cost.growing(b"a@b.test, ", 8_000, b"From: ", b"\r\n\r\nx\r\n"),
        cost.growing(b"(", 50_000, b"Sender: ", b"\r\nFrom: a@b.test\r\n\r\nx\r\n"),
        cost.Growing(
            lambda n: b"From: a@b.test\r\nSubject: " + b"! " * n + b"\r\n\r\n" + b"!A" * n, 50_000
        ),
        cost.growing(b"http://a.test/ ", 4_000, b"From: a@b.test\r\n\r\n"),
        cost.growing("a\u200bb ".encode(), 20_000, b"From: a@b.test\r\n\r\n"),
        cost.growing(b"1 ", 50_000, b"From: a@b.test\r\nDate: ", b"\r\n\r\nx\r\n"),
    ],
    ids=["authors", "comments", "symbols", "links", "zero-width", "date"],
)
def test_hostile_mail_costs_little(build, raw: cost.Growing[bytes]) -> None:
    def judged(raw: bytes) -> None:
        case = build(raw)  # anew: a message remembers what was asked of it
        for check in JUDGES:
            check.examine(case.transaction, case.facts, check.Settings())

    cost.assert_linear(raw, judged)
