"""Approval by mail through the whole of `serve`, with a real Postfix behind it and swaks before it.

The approvers answer as Outlook and Gmail write, from their own accounts.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from tests.support.mail_programs import Quoted, reply_html, reply_text
from tests.support.peers import require
from tests.support.postfix import Postfix
from tests.support.serving import PASSWORD, Serve, message
from tests.support.waiting import PATIENCE, until

from mailguard.adapters.passwords import hash_password
from mailguard.adapters.state import StateDirectory
from mailguard.casework.approvals.handler import Approvals
from mailguard.casework.engine import Engine
from mailguard.config.load import load
from mailguard.core.notices import policy_texts
from mailguard.server.wiring import deskwork, outfit, replaying

TARA, PAULA, TOMAS = (f"{n}@example.org" for n in ("tara.olive", "paula.pine", "tomas.birch"))
BEN, APPROVALS = "ben.poplar@example.org", "approvals@example.org"
GROUP = "teachers-maple@example.org"
POLICY = """\
steps:
  - check: sender_identity
  - check: group_rights
  - check: disclaimer
    settings:
      profiles:
        - name: v3
          direction: all
          text: {}
"""


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    boxes = (TARA, PAULA, TOMAS, BEN, GROUP, "postmaster@example.org", "spammail@example.org")
    with Postfix.next_hop(boxes) as server:
        yield server


@pytest.fixture(scope="module")
def serve(postfix: Postfix) -> Iterator[Serve]:
    server = Serve(postfix.port, policy=POLICY.format(json.dumps(policy_texts.V3_DISCLAIMER)))
    hashed = hash_password(PASSWORD.encode())
    with (server.state / "passwords").open("a") as file:
        file.writelines(f"{login}:{hashed}\n" for login in ("ppine", "tbirch"))
    with server:
        yield server


def parsed(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)  # type: ignore[return-value]


def found(postfix: Postfix, mailbox: str, subject: str) -> list[EmailMessage]:
    mails = [parsed(raw) for raw in postfix.delivered(mailbox)]
    return [mail for mail in mails if subject in str(mail["Subject"])]


def hold(serve: Serve, postfix: Postfix, subject: str) -> dict[str, EmailMessage]:
    """A teacher writes to another school's teachers; the questions by approver."""
    raw = message(f"Tara Olive <{TARA}>", GROUP, subject, "Dear all,\nplease come on Friday.")
    code, text = serve.send(TARA, [GROUP], raw, "submission", "tolive")
    assert code == 250, text
    wanted = f"Approval needed: {subject}"
    until(lambda: found(postfix, TARA, f"Waiting for approval: {subject}"))
    return {who: until(lambda who=who: found(postfix, who, wanted))[0] for who in (PAULA, TOMAS)}


def swaks(serve: Serve, sender: str, login: str, raw: bytes, path: Path) -> None:
    """An answer by submission; by the mx listener without a login."""
    (path / "answer.eml").write_bytes(raw)
    words = [require("swaks", "swaks"), "--from", sender, "--to", APPROVALS]
    words += ["--server", f"127.0.0.1:{serve.ports['submission' if login else 'mx']}"]
    words += ["--data", f"@{path / 'answer.eml'}"]
    if login:
        words += ["--auth", "PLAIN", "--auth-user", login, "--auth-password", PASSWORD]
    done = subprocess.run(words, capture_output=True, timeout=PATIENCE, text=True)
    assert done.returncode == 0, done.stdout


def answer(question: EmailMessage, program: str, own: str, sender: str = "") -> bytes:
    """What a mail program sends for "Reply": text, HTML, the thread's fields."""
    body = question.get_body(("plain",))
    rich = question.get_body(("html",))
    assert body is not None
    assert rich is not None
    theirs = Quoted(
        "EVUSD Mail",
        APPROVALS,
        "\r\n".join(body.get_content().splitlines()),
        rich.get_content(),
    )
    made = EmailMessage(policy=email.policy.SMTP)
    made["From"] = sender or str(question["To"])
    made["To"] = str(question["Reply-To"])
    made["Subject"] = f"RE: {question['Subject']}"
    made["Date"] = "Mon, 23 Nov 2026 10:00:00 -0800"
    made["Message-ID"] = f"<{time.monotonic_ns()}@desk.example.org>"
    made["In-Reply-To"] = made["References"] = str(question["Message-ID"])
    made.set_content(reply_text(program, "English", own, theirs))
    made.add_alternative(reply_html(program, "English", own, theirs), subtype="html")
    return bytes(made)


def approval(serve: Serve, question: EmailMessage) -> dict[str, Any]:
    number = re.search(r"\[#(\d+)-", str(question["Subject"]))
    assert number
    shown: dict[str, Any] = json.loads(serve.command("approvals", "show", number[1], "--json"))
    return shown


def state(serve: Serve, subject: str) -> str:
    (entry,) = [e for e in serve.ledger() if e["subject"] == subject]
    return str(entry["recipients"][GROUP]["state"])


def test_yes_from_outlook_delivers_the_original_with_its_disclaimer(
    serve: Serve, postfix: Postfix, tmp_path: Path
) -> None:
    questions = hold(serve, postfix, "Picnic on Friday")
    before = len(postfix.delivered(GROUP))
    assert state(serve, "Picnic on Friday") == "held"
    own = "Yes, approved.\r\n\r\nPaula Pine\r\nPrincipal"
    swaks(serve, PAULA, "ppine", answer(questions[PAULA], "Outlook for Windows", own), tmp_path)
    raw = postfix.wait_for(GROUP, before + 1)[-1]
    text = parsed(raw).get_content()
    assert text.startswith("Dear all,\nplease come on Friday.\n")
    assert "".join(policy_texts.V3_DISCLAIMER.split()) in "".join(text.split())
    assert f"From: Tara Olive <{TARA}>\n".encode() in raw
    told = until(lambda: found(postfix, TARA, "Approved: Picnic on Friday"))[0]
    assert told["In-Reply-To"] == parsed(raw)["Message-ID"]
    assert until(lambda: found(postfix, TOMAS, "Decided: Picnic on Friday"))
    until(lambda: state(serve, "Picnic on Friday") == "released")
    history = approval(serve, questions[PAULA])["history"]
    assert [line["what"] for line in history] == ["opened", "granted"]
    assert history[1]["by"] == PAULA
    assert serve.metric("mailguard_letters_unread") == 0


def test_no_from_gmail_is_told_with_the_approvers_words(
    serve: Serve, postfix: Postfix, tmp_path: Path
) -> None:
    questions = hold(serve, postfix, "Old desks")
    before = len(postfix.delivered(GROUP))
    own = "No. Please bring it to the staff meeting."
    swaks(serve, TOMAS, "tbirch", answer(questions[TOMAS], "Gmail", own), tmp_path)
    (told,) = until(lambda: found(postfix, TARA, "Not approved: Old desks"))
    body = told.get_body(("plain",))
    assert body is not None
    assert "staff meeting" in body.get_content()
    assert state(serve, "Old desks") == "discarded"
    assert len(postfix.delivered(GROUP)) == before


def test_an_announcement_takes_two_and_one_denial_ends_it(
    serve: Serve, postfix: Postfix, tmp_path: Path
) -> None:
    questions = hold(serve, postfix, "[FUNDRAISER] Bake sale")
    before = len(postfix.delivered(GROUP))
    swaks(serve, PAULA, "ppine", answer(questions[PAULA], "Gmail", "Yes"), tmp_path)
    until(lambda: approval(serve, questions[PAULA])["history"][-1]["what"] == "yes")
    assert approval(serve, questions[PAULA])["state"] == "waiting"
    swaks(serve, TOMAS, "tbirch", answer(questions[TOMAS], "Apple Mail", "No"), tmp_path)
    until(lambda: found(postfix, TARA, "Not approved: [FUNDRAISER] Bake sale"))
    assert until(lambda: found(postfix, PAULA, "Decided: [FUNDRAISER] Bake sale"))
    assert len(postfix.delivered(GROUP)) == before


def test_both_approvals_deliver_an_announcement(
    serve: Serve, postfix: Postfix, tmp_path: Path
) -> None:
    questions = hold(serve, postfix, "[FUNDRAISER] Book fair")
    before = len(postfix.delivered(GROUP))
    swaks(serve, TOMAS, "tbirch", answer(questions[TOMAS], "Thunderbird", "Yes"), tmp_path)
    swaks(serve, PAULA, "ppine", answer(questions[PAULA], "iPhone", "Approved"), tmp_path)
    postfix.wait_for(GROUP, before + 1)
    assert approval(serve, questions[PAULA])["decided_by"] == "Tomas Birch and Paula Pine"


def test_forged_answers_are_refused(serve: Serve, postfix: Postfix, tmp_path: Path) -> None:
    questions = hold(serve, postfix, "Choir")
    before = len(postfix.delivered(GROUP)), len(postfix.delivered(PAULA))
    forged = answer(questions[PAULA], "Gmail", "Yes")
    # From outside, under an address of the forger's own, as sender_identity stops ours.
    outside = answer(questions[PAULA], "Gmail", "Yes", "Paula Pine <paula.pine@example.net>")
    swaks(serve, "paula.pine@example.net", "", outside, tmp_path)
    until(lambda: approval(serve, questions[PAULA])["history"][-1]["what"] == "refused")
    code, _ = serve.send(PAULA, [APPROVALS], forged)
    assert code == 550
    wrong = answer(questions[PAULA], "Gmail", "Yes", f"Ben Poplar <{BEN}>")
    swaks(serve, BEN, "bpoplar", wrong, tmp_path)
    assert until(lambda: found(postfix, BEN, "Your answer was not counted"))
    shown = approval(serve, questions[PAULA])
    assert [line["what"] for line in shown["history"]] == ["opened", "refused", "refused"]
    assert shown["state"] == "waiting"
    assert (len(postfix.delivered(GROUP)), len(postfix.delivered(PAULA))) == before
    serve.command("approvals", "deny", str(shown["number"]), "--by", "the test")


def test_the_page_of_the_link_takes_the_answer(serve: Serve, postfix: Postfix) -> None:
    question = hold(serve, postfix, "Lost keys")[PAULA]
    before = len(postfix.delivered(GROUP))
    body = question.get_body(("plain",))
    assert body is not None
    link = re.search(r"http://\S+/answer/\S+", body.get_content())
    assert link
    url = f"http://127.0.0.1:{serve.ports['http']}{urllib.parse.urlsplit(link[0]).path}"
    with urllib.request.urlopen(url, timeout=PATIENCE) as page:
        shown = page.read().decode()
    assert "Lost keys" in shown
    assert approval(serve, question)["state"] == "waiting"  # looking decides nothing
    form = urllib.parse.urlencode({"choice": "yes"}).encode()
    urllib.request.urlopen(url, form, timeout=PATIENCE).close()
    postfix.wait_for(GROUP, before + 1)


def test_an_approved_message_survives_a_kill_and_comes_once(
    serve: Serve, postfix: Postfix, tmp_path: Path
) -> None:
    questions = hold(serve, postfix, "Field trip")
    before = len(postfix.delivered(GROUP))
    postfix.pause()
    try:
        swaks(serve, PAULA, "ppine", answer(questions[PAULA], "Gmail", "Yes"), tmp_path)
        until(lambda: approval(serve, questions[PAULA])["state"] == "granted")
        serve.kill()
    finally:
        postfix.resume()
    serve.start()
    postfix.wait_for(GROUP, before + 1)
    until(lambda: state(serve, "Field trip") == "released")
    assert until(lambda: found(postfix, TARA, "Approved: Field trip"))
    time.sleep(1.5)
    assert len(found(postfix, GROUP, "Field trip")) == 1
    assert len(found(postfix, TARA, "Approved: Field trip")) == 1


def test_expiry_waits_for_the_holiday_and_tells_the_sender(serve: Serve, postfix: Postfix) -> None:
    question = hold(serve, postfix, "Swimming")[PAULA]
    serve.stop()
    today = datetime.now(UTC).date()
    days = [today + timedelta(n) for n in range(-1, 10)]
    holidays = "".join(f"  - {{date: {day}, name: Recess}}\n" for day in days)
    (serve.config / "calendar.yaml").write_text(f"holidays:\n{holidays}")
    # Three school days are over without the recess; it was announced after the message came.
    assert asyncio.run(turned(serve, 9)) == ["waits on"]
    assert approval(serve, question)["state"] == "waiting"
    assert asyncio.run(turned(serve, 25)) == ["expired"]
    shown = approval(serve, question)
    assert shown["state"] == "expired"
    serve.start()
    assert until(lambda: found(postfix, TARA, "Not delivered: Swimming"))
    assert found(postfix, GROUP, "Swimming") == []
    assert state(serve, "Swimming") == "discarded"


async def turned(serve: Serve, days: float) -> list[str]:
    """The desk's turn so many days from now, on the state of a server that is stopped; the new
    lines of history."""
    loaded = load(serve.config)
    opened = StateDirectory.open(serve.state)
    later = time.time() + days * 86_400
    try:
        tickets = await opened.tickets.find("approval")
        before = {m.id: len(await opened.tickets.history(m.id)) for m in tickets}
        async with replaying(loaded.settings) as again:
            work, snapshot = deskwork(opened, lambda: later), lambda: loaded.snapshot
            made = outfit(loaded.settings, opened, snapshot, again, work)
            await Engine(Approvals.made(made)).turn(later)
        return [
            line.what
            for m in tickets
            for line in (await opened.tickets.history(m.id))[before[m.id] :]
        ]
    finally:
        opened.close()
