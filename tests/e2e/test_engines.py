"""Real rspamd, spamd and clamd behind a real `serve`: what they find, and what their silence leads
to (R26, R28); spam from inside and an account's limit (R26, R55)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.engines import EICAR, EICAR_NAME, GTUBE, WORDS, WORDS_NAME, Clamd, Rspamd, Spamd
from tests.support.nameserver import nameserver
from tests.support.postfix import Postfix
from tests.support.serving import Serve, message

pytestmark = pytest.mark.peer

TARA, SPAMMAIL, PARENT = "tara.olive@example.org", "spammail@example.org", "pat@home.test"
ENGINES = """
engines:
  rspamd: {{ url: 'http://127.0.0.1:{rspamd.port}', timeout: 8, on_no_answer: ignore }}
  spamd: {{ address: '127.0.0.1:{spamd.port}', timeout: 15, on_no_answer: quarantine }}
  clamd: {{ address: '127.0.0.1:{clamd.port}', timeout: 15, max_size: 3000000 }}
"""


@dataclass
class Town:
    """Everything that runs."""

    serve: Serve
    postfix: Postfix
    rspamd: Rspamd
    spamd: Spamd
    clamd: Clamd

    def send(self, subject: str, body: str = "Hello.", to: str = TARA) -> tuple[int, str]:
        return self.serve.send(PARENT, [to], message(PARENT, to, subject, body))

    def judged(self, raw: bytes, *options: str) -> dict[str, object]:
        """`check --json` of a message."""
        arguments = ["check", "--json", "--mail-from", PARENT, "--rcpt", TARA, *options, "-"]
        answer: dict[str, object] = json.loads(self.serve.command(*arguments, stdin=raw))
        return answer


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with ExitStack() as stack:
        rspamd, spamd, clamd = Rspamd(), Spamd(), Clamd()
        for daemon in (rspamd, spamd, clamd):
            stack.enter_context(daemon)
        postfix = stack.enter_context(Postfix.next_hop([TARA, SPAMMAIL]))
        serve = Serve(postfix.port)
        settings = serve.config / "mailguard.yaml"
        engines = ENGINES.format(rspamd=rspamd, spamd=spamd, clamd=clamd)
        settings.write_text(settings.read_text() + engines)
        policy = serve.config / "policy.yaml"
        text = policy.read_text()
        assert "an_hour: 500" in text
        policy.write_text(text.replace("an_hour: 500", "an_hour: 5"))
        stack.enter_context(serve)
        yield Town(serve, postfix, rspamd, spamd, clamd)


def with_virus(to: str = TARA, virus: bytes = WORDS) -> bytes:
    return (
        f"From: {PARENT}\r\nTo: {to}\r\nSubject: The plan\r\nMessage-ID: <virus@home.test>\r\n"
        "Date: Fri, 20 Nov 2026 09:30:00 -0800\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n"
        "Please read it.\r\n--b\r\nContent-Type: application/octet-stream; name=plan.txt\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\n"
        f"{base64.b64encode(virus).decode()}\r\n--b--\r\n"
    ).encode()


def findings(answer: dict[str, object]) -> dict[str, str]:
    found = answer["findings"]
    assert isinstance(found, list)
    return {one["code"]: one["evidence"] for one in found}


def engine(answer: dict[str, object], name: str) -> dict[str, object]:
    said = answer["engines"]
    assert isinstance(said, dict)
    one: dict[str, object] = said[name]
    return one


def test_ordinary_mail_passes_all_three(town: Town) -> None:
    code, text = town.send("When is the next meeting?")
    assert code == 250, text
    town.postfix.wait_for(TARA)
    for name in ("rspamd", "spamd", "clamd"):
        assert town.serve.metric("mailguard_engine_answers_total", engine=name, result="clean") == 1


def test_the_test_pattern_is_what_both_engines_say_it_is(town: Town) -> None:
    raw = message(PARENT, TARA, "Pattern", GTUBE)
    answer = town.judged(raw)
    evidence = findings(answer)["spam.blocked"]
    assert "rspamd GTUBE (rspamd +10.0)" in evidence
    assert "(spamd +10.0)" in evidence and "GTUBE" in evidence.partition("; spamd ")[2]
    assert engine(answer, "rspamd")["spam"] is True
    assert engine(answer, "spamd")["score"] > 900  # type: ignore[operator]
    code, text = town.serve.send(PARENT, [TARA], raw)
    assert code == 550
    (entry,) = (one for one in town.serve.everything() if one["id"] in text)
    explained = json.loads(town.serve.command("explain", "--json", entry["id"]))
    assert "rspamd GTUBE (rspamd +10.0)" in findings(explained)["spam.blocked"]


def test_spamd_reads_our_trace_fields(town: Town) -> None:
    symbols = engine(town.judged(message(PARENT, TARA)), "spamd")["symbols"]
    assert isinstance(symbols, list)
    names = {symbol["name"] for symbol in symbols}
    assert names.isdisjoint({"NO_RECEIVED", "NO_RELAYS", "UNPARSEABLE_RELAY"})


def test_rspamd_takes_a_thousand_recipients(town: Town) -> None:
    many = [f"--rcpt=teacher{n}.{'x' * 40}@example.org" for n in range(1_000)]
    said = engine(town.judged(message(PARENT, TARA), *many), "rspamd")
    assert said["spam"] is False, said


@pytest.mark.parametrize("to", [TARA, SPAMMAIL])
def test_malware_reaches_nobody_and_no_mailbox_gets_a_copy(town: Town, to: str) -> None:
    town.postfix.wait_for(TARA)
    before = len(list(town.postfix.mail.rglob("new/*")))
    code, text = town.serve.send(PARENT, [to], with_virus(to))
    assert code == 550
    assert f"clamd found {WORDS_NAME}" in text
    (entry,) = (one for one in town.serve.everything() if one["id"] in text)
    assert {one["state"] for one in entry["recipients"].values()} == {"quarantined"}
    assert town.serve.command("archive", "get", entry["digest"]) == with_virus(to)
    assert town.send("After it")[0] == 250
    town.postfix.wait_for(TARA, 2 if to == TARA else 3)
    assert len(list(town.postfix.mail.rglob("new/*"))) == before + 1
    assert town.serve.metric("mailguard_outbox_messages", kind="copy", state="waiting") == 0


def test_what_is_too_big_for_clamd_is_kept_for_a_person(town: Town) -> None:
    raw = message(PARENT, TARA, "Big", "\n".join(["0123456789" * 7] * 50_000))
    assert len(raw) > 3_000_000
    found = findings(town.judged(raw))
    assert found["malware.unscannable"].startswith("clamd: the message has 36")
    assert "spam.engine-skipped" in found  # spamd takes half a million octets
    code, _ = town.serve.send(PARENT, [TARA], raw)
    assert code == 550


def test_clamds_own_limit_is_told(town: Town) -> None:
    """Above MaxFileSize, which clamd would pass as clean but for AlertExceedsMax."""
    raw = message(PARENT, TARA, "Big", "\n".join(["0123456789" * 7] * 35_000))
    assert 2_200_000 < len(raw) < 3_000_000
    found = findings(town.judged(raw))
    assert found["malware.unscannable"].startswith("clamd: clamd says Heuristics.Limits.Exceeded")


def test_an_engine_that_is_gone_is_told_and_its_setting_followed(town: Town) -> None:
    town.rspamd.stop()  # ignore
    try:
        code, _ = town.send("While rspamd is gone")
        assert code == 250
        found = findings(town.judged(message(PARENT, TARA)))
        assert found["spam.engine-unavailable"].startswith("rspamd: ")
    finally:
        town.rspamd.start()
    town.spamd.stop()  # quarantine
    try:
        code, text = town.send("While spamd is gone")
        assert code == 550
        (entry,) = (one for one in town.serve.everything() if one["id"] in text)
        assert entry["recipients"][TARA]["reason"] == "spam.unscanned"
    finally:
        town.spamd.start()
    town.clamd.stop()  # defer, the default
    try:
        code, text = town.send("While clamd is gone")
        assert code == 451, text
    finally:
        town.clamd.start()
    assert town.send("While clamd is gone")[0] == 250
    for name in ("rspamd", "spamd", "clamd"):
        labels = {"engine": name, "result": "unavailable"}
        assert town.serve.metric("mailguard_engine_answers_total", **labels) == 1


def test_an_engine_that_hangs_holds_a_message_no_longer_than_its_time(town: Town) -> None:
    town.rspamd.freeze()
    try:
        assert town.send("While rspamd hangs")[0] == 250
        found = findings(town.judged(message(PARENT, TARA)))
        assert found["spam.engine-unavailable"] == "rspamd: no answer within 8 seconds"
    finally:
        town.rspamd.thaw()


def test_spam_from_inside_is_held_and_raises_an_alert(town: Town) -> None:
    raw = message(
        TARA,
        PARENT,
        "Your prize",
        "You have won the lottery, claim your prize. Kindly act immediately, dear friend, for the "
        "next of kin.",
    )
    code, text = town.serve.send(TARA, [PARENT], raw, "submission", "tolive")
    assert code == 250, text
    (entry,) = (one for one in town.serve.everything() if one["id"] in text)
    assert entry["recipients"][PARENT] == entry["recipients"][PARENT] | {
        "state": "held",
        "reason": "spam.outbound",
    }
    assert town.serve.metric("mailguard_outbound_spam_alerts_total") == 1
    assert '"finding":"spam.outbound"' in town.serve.log()


def test_an_account_above_its_limit_is_held_and_a_retry_counts_once(town: Town) -> None:
    def submit(n: int) -> str:
        raw = message("ben.poplar@example.org", TARA, f"Number {n}")
        code, text = town.serve.send("ben.poplar@example.org", [TARA], raw, "submission", "bpoplar")
        assert code == 250, text
        return text.rpartition(" ")[2]

    ids = [submit(n) for n in (1, 2, 3, 3, 3, 3, 4, 5, 6)]
    entries = {one["id"]: one for one in town.serve.ledger()}
    assert [entries[i]["recipients"][TARA]["state"] for i in ids] == ["forwarded"] * 8 + ["held"]
    assert town.serve.metric("mailguard_account_rate_alerts_total") == 1


def test_a_list_in_dns_and_clamds_socket(town: Town, tmp_path: Path) -> None:
    """By `check`, with a configuration of its own and the name server of all tests, which knows no
    list: no listing. The socket is Debian's way to clamd."""
    settings = town.serve.config / "mailguard.yaml"
    before = settings.read_text()
    engines = f"  clamd: {{ socket: '{town.clamd.socket}' }}\n  dnsbl: [{{ zone: example.net }}]\n"
    try:
        settings.write_text(before.partition("\nengines:\n  rspamd")[0] + f"\nengines:\n{engines}")
        answer = town.judged(with_virus(virus=EICAR), "--dns", nameserver())
    finally:
        settings.write_text(before)
    assert findings(answer)["malware.found"] == f"clamd found {EICAR_NAME}"
    assert engine(answer, "example.net")["points"] == 0
