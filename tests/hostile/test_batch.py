"""`check --batch` over hostile messages: every one is judged, quickly, and never by a crash."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from tests.support.hostile import generate
from tests.support.nameserver import nameserver
from tests.support.serving import PROGRAM, ROOT

from mailguard.core.decision.verdict import Disposition

FIELDS = {
    *("verdict", "recipients", "spf", "dkim", "arc", "dmarc", "from", "identity", "anomalies"),
    *("parts", "links", "findings", "edits", "notices", "reply", "internal_error", "elapsed_ms"),
}
LONGEST = 5_000  # times what half of all messages take at most
STRENGTH = {disposition.word: disposition for disposition in Disposition}
Answer = dict[str, Any]


def batch(directory: Path, requests: Iterable[generate.Named]) -> list[Answer]:
    """The answers of one `mailguard check --batch` to these requests."""
    shutil.copytree(ROOT / "config", directory / "config", dirs_exist_ok=True)
    (directory / "state").mkdir(mode=0o700, exist_ok=True)
    asked = directory / "requests"
    with asked.open("wb") as lines:
        for _, request in requests:
            lines.write(json.dumps(request).encode() + b"\n")
    with asked.open("rb") as lines, (directory / "answers").open("wb") as answers:
        command = [PROGRAM, "check", "--batch", "--config", str(directory / "config")]
        command.append(f"--dns={nameserver()}")
        done = subprocess.run(command, stdin=lines, stdout=answers, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr.decode()[-3_000:]
    with (directory / "answers").open("rb") as answers:
        return [json.loads(line) for line in answers]


def judge(name: str, request: generate.Request, answer: Answer, longest: float) -> list[str]:
    """What is wrong with one answer, which may have taken so many milliseconds."""
    if set(answer) != FIELDS:
        return [f"{name}: {answer.get('usage_error') or answer.get('internal_error') or answer}"]
    said = []
    if answer["internal_error"] is not None:
        said.append(f"{name}: {answer['internal_error']}")
    if answer["elapsed_ms"] >= longest:
        said.append(f"{name}: {answer['elapsed_ms']} ms")
    dispositions = [given["disposition"] for given in answer["recipients"].values()]
    if len(dispositions) != len(set(request["rcpt"])):
        said.append(f"{name}: {len(dispositions)} dispositions for {request['rcpt'][:3]}")
    if answer["verdict"] != max(dispositions, key=lambda word: STRENGTH[word]):
        said.append(f"{name}: {answer['verdict']} is not the strongest of {set(dispositions)}")
    if any(finding["code"].endswith(".error") for finding in answer["findings"]):
        said.append(f"{name}: a check failed")
    return said


def ask(directory: Path, count: int, scale: int) -> list[tuple[str, generate.Request, Answer]]:
    """Judge `count` requests; names, requests without their messages, and answers."""
    told = []

    def requests() -> Iterable[generate.Named]:
        for name, request in generate.requests(count, scale):
            told.append((name, {k: v for k, v in request.items() if k != "message_b64"}))
            yield name, request

    answers = batch(directory, requests())
    assert len(answers) == len(told) == count
    return [(name, request, a) for (name, request), a in zip(told, answers, strict=True)]


def check_all(judged: list[tuple[str, generate.Request, Answer]]) -> None:
    longest = LONGEST * median(answer.get("elapsed_ms", 0.0) for _, _, answer in judged)
    wrong = [line for one in judged for line in judge(*one, longest)]
    assert not wrong, f"{len(wrong)} are wrong:\n" + "\n".join(line[:400] for line in wrong[:20])
    verdicts = {answer["verdict"] for _, _, answer in judged}
    assert {"forward", "quarantine", "bounce"} <= verdicts, verdicts  # else nothing was tried


def test_five_hundred_small_ones(tmp_path: Path) -> None:
    check_all(ask(tmp_path, 500, scale=100))


def test_requests_of_the_wrong_form_are_named_so(tmp_path: Path) -> None:
    asked = list(generate.wrong())
    answers = batch(tmp_path, asked)
    assert [
        name for (name, _), a in zip(asked, answers, strict=True) if "usage_error" not in a
    ] == []


def test_the_same_message_is_judged_the_same(tmp_path: Path) -> None:
    asked = list(generate.requests(60, scale=200, seed=3))
    answers = batch(tmp_path, [*asked, *reversed(asked)])
    for (name, _), first, again in zip(asked, answers, reversed(answers), strict=False):
        for answer in (first, again):
            answer.pop("elapsed_ms")
            answer["reply"] = re.sub(r"\b[0-9A-Z]{26}\b", "ID", answer["reply"])
        assert first == again, name


@pytest.mark.slow
def test_ten_thousand(tmp_path: Path) -> None:
    judged = ask(tmp_path, 12_000, scale=1)
    slowest = sorted(((a.get("elapsed_ms", 0), name) for name, _, a in judged), reverse=True)[:10]
    print("slowest:", *(f"{ms:.0f} ms {name}" for ms, name in slowest), sep="\n  ")
    check_all(judged)
