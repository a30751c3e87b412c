"""`mailguard check` as programs call it: exit codes, fields, %XX, null reverse-path, --batch."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.support.nameserver import nameserver
from tests.support.serving import PROGRAM, ROOT, message
from tests.support.waiting import PATIENCE

FIELDS = {
    *("verdict", "recipients", "spf", "dkim", "arc", "dmarc", "from", "identity", "anomalies"),
    *("parts", "links", "findings", "edits", "notices", "reply", "internal_error"),
    "elapsed_ms",
}
TARA = "tara.olive@example.org"


def call(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [PROGRAM, "check", "--config", ROOT / "config", f"--dns={nameserver()}", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=PATIENCE)


def judged(*arguments: str, raw: bytes) -> dict[str, Any]:
    done = call("--json", "--now=1795600000", "--client-ip=192.0.2.25", *arguments, stdin=raw)
    assert done.returncode == 0, done.stderr.decode()
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_every_fixed_field_is_there() -> None:
    raw = message(body="See http://shop.example.net/a?b=1 please.")
    answer = judged("--mail-from=parent@example.com", f"--rcpt={TARA}", "-", raw=raw)
    assert set(answer) == FIELDS
    assert answer["verdict"] == "forward"
    assert answer["spf"] == {"result": "pass", "domain": "example.com"}
    assert answer["dmarc"] == {"result": "pass", "policy": "none"}
    assert answer["from"] == {"addresses": ["parent@example.com"], "ambiguous": False}
    assert [link["target"] for link in answer["links"]] == ["http://shop.example.net/a?b=1"]
    assert answer["parts"][0]["content_type"] == "text/plain"
    assert set(answer["recipients"][TARA]) == {"disposition", "reason", "rules"}
    assert answer["reply"].startswith("250 2.0.0 Ok")
    assert answer["internal_error"] is None


@pytest.mark.parametrize(
    ("verdict", "arguments", "author"),
    [
        ("bounce", ("--mail-from=tara.olive@example.org", "--auth-user=tolive",
                    "--rcpt=all-staff@example.org"), f"Tara Olive <{TARA}>"),
        ("quarantine", ("--mail-from=s@example.com", f"--rcpt={TARA}"),
         "Sylvia Aspen <s@example.com>"),
        ("forward", ("--mail-from=tara.olive%40example.org", "--auth-user=tolive",
                     "--rcpt=ben.poplar%40example.org"), f"Tara Olive <{TARA}>"),
    ],
)  # fmt: skip
def test_exit_0_whatever_the_verdict(verdict: str, arguments: tuple[str, ...], author: str) -> None:
    assert judged(*arguments, raw=message(sender=author))["verdict"] == verdict


def test_an_empty_mail_from_is_the_null_reverse_path() -> None:
    raw = message(sender="mailer-daemon@example.com", Auto_Submitted="auto-replied")
    answer = judged("--mail-from=", f"--rcpt={TARA}", raw=raw)
    assert answer["notices"] == []


def test_a_path_that_the_session_would_refuse_is_refused() -> None:
    answer = judged("--mail-from=a%00b@example.com", f"--rcpt={TARA}", raw=message())
    assert answer["verdict"] == "bounce"
    assert answer["reply"].startswith(("501 5.1.7", "553 5.1.3", "501 5.1.3", "553 5.1.7"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("--no-such-option",),
        ("--mail-from=a@example.com",),  # no recipient
        (f"--rcpt={TARA}", "--client-ip=nonsense"),
        (f"--rcpt={TARA}", "--listener=nowhere"),
        (f"--rcpt={TARA}", "--now=yesterday"),
        (f"--rcpt={TARA}", "/nonexistent.eml"),
    ],
)
def test_exit_1_for_wrong_usage(arguments: tuple[str, ...]) -> None:
    done = call(*arguments, stdin=message())
    assert done.returncode == 1
    assert done.stderr
    assert b"Traceback" not in done.stderr


def test_exit_2_for_a_wrong_configuration(tmp_path: Path) -> None:
    done = call(f"--rcpt={TARA}", "--config", str(tmp_path), stdin=message())
    assert done.returncode == 2


def test_a_batch_is_answered_line_by_line_in_order() -> None:
    def request(subject: str, **more: Any) -> bytes:
        raw = base64.b64encode(message(subject=subject)).decode()
        return json.dumps({"message_b64": raw, "rcpt": [TARA], **more}).encode() + b"\n"

    spam = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
    gtube = base64.b64encode(message(body=spam)).decode()
    lines = [
        request("one", mail_from="parent@example.com"),
        b"not json\n",
        json.dumps({"message_b64": gtube, "rcpt": TARA, "mail_from": ""}).encode() + b"\n",
        request("three", nonsense=1),
    ]
    done = call("--batch", "--client-ip=192.0.2.25", stdin=b"".join(lines))
    assert done.returncode == 0
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == 4
    assert answers[0]["verdict"] == "forward"
    assert "usage_error" in answers[1]
    assert answers[2]["verdict"] == "quarantine"
    assert "nonsense" in answers[3]["usage_error"]


def test_it_has_no_side_effects(tmp_path: Path) -> None:
    import shutil

    shutil.copytree(ROOT / "config", tmp_path / "config")
    done = call(f"--rcpt={TARA}", "--config", str(tmp_path / "config"), stdin=message())
    assert done.returncode == 0
    assert [p.name for p in tmp_path.iterdir()] == ["config"], "no state directory was made"
