"""The unblock case through the whole of `serve`, with a real Postfix behind it: from the blocked
parent and V1 to the delivered original, the entry on the list and both notices (R27 to R38)."""

from __future__ import annotations

import asyncio
import email
import email.policy
import io
import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
import xlsxwriter
from tests.support.mail_programs import Quoted, reply_html, reply_text
from tests.support.postfix import Postfix
from tests.support.serving import PASSWORD, Serve, message
from tests.support.waiting import PATIENCE, until

from mailguard.adapters.passwords import hash_password
from mailguard.adapters.state import StateDirectory
from mailguard.casework.engine import Engine
from mailguard.casework.unblocking.handler import Unblocking
from mailguard.config.load import load
from mailguard.core.notices import policy_texts
from mailguard.core.people.calendar import DAY
from mailguard.server.wiring import deskwork, outfit, replaying

SPAM = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
TARA, BEN, SAM = (f"{n}@example.org" for n in ("tara.olive", "ben.poplar", "sam.juniper"))
WANDA, SPAMMAIL = "wanda.birch@example.org", "spammail@example.org"
LOGINS = {TARA: "tolive", BEN: "bpoplar", SAM: "sjuniper", WANDA: "wbirch"}
PARENTS = [f"parent{n}@example.com" for n in range(12)]
V1 = policy_texts.V1_BLOCK_NOTICE.format(short_name="EVUSD", spammail=SPAMMAIL)
V2 = policy_texts.V2_VERIFICATION.format(
    administrator="E-mail Administrator", short_name="EVUSD", mailbox=SPAMMAIL
)


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    boxes = (*LOGINS, SPAMMAIL, "postmaster@example.org", "tomas.birch@example.org")
    with Postfix.next_hop((*boxes, "gloria.redwood@example.org", *PARENTS)) as server:
        yield server


@pytest.fixture(scope="module")
def serve(postfix: Postfix) -> Iterator[Serve]:
    server = Serve(postfix.port)
    hashed = hash_password(PASSWORD.encode())
    with (server.state / "passwords").open("a") as file:
        file.write(f"sjuniper:{hashed}\n")
    with server:
        yield server


def parsed(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)  # type: ignore[return-value]


def found(postfix: Postfix, mailbox: str, subject: str) -> list[EmailMessage]:
    mails = [parsed(raw) for raw in postfix.delivered(mailbox)]
    return [mail for mail in mails if subject in str(mail["Subject"])]


def originals(postfix: Postfix, mailbox: str, raw: bytes) -> int:
    """How often a mailbox got a message, whole."""
    return sum(r.endswith(raw.replace(b"\r\n", b"\n")) for r in postfix.delivered(mailbox))


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def answer(serve: Serve, question: EmailMessage, own: str, sender: str, program: str) -> str:
    """A mail program's answer by submission; from outside where nobody has that address."""
    body, rich = question.get_body(("plain",)), question.get_body(("html",))
    assert body is not None
    assert rich is not None
    quoted = "\r\n".join(body.get_content().splitlines())
    theirs = Quoted("EVUSD Mail", SPAMMAIL, quoted, rich.get_content())
    made = EmailMessage(policy=email.policy.SMTP)
    made["From"] = sender
    made["To"] = str(question["Reply-To"])
    made["Subject"] = f"RE: {question['Subject']}"
    made["Date"] = "Mon, 23 Nov 2026 10:00:00 -0800"
    made["Message-ID"] = f"<{time.monotonic_ns()}@desk.example.org>"
    made["In-Reply-To"] = made["References"] = str(question["Message-ID"])
    made.set_content(reply_text(program, "English", own, theirs))
    made.add_alternative(reply_html(program, "English", own, theirs), subtype="html")
    login = LOGINS.get(sender, "")
    listener = "submission" if login else "mx"
    code, said = serve.send(sender, [SPAMMAIL], bytes(made), listener, login)
    return f"{code} {said}"


def forward(serve: Serve, sender: str, raw: bytes, own: str = "Please unblock this.") -> None:
    """A blocked message forwarded as an attachment."""
    made = EmailMessage(policy=email.policy.SMTP)
    made["From"], made["To"] = sender, SPAMMAIL
    made["Subject"] = "Fwd: blocked"
    made["Message-ID"] = f"<{time.monotonic_ns()}@home.example.com>"
    made["Date"] = "Mon, 23 Nov 2026 10:00:00 -0800"
    made.set_content(own)
    made.add_attachment(parsed(raw))
    login = LOGINS.get(sender, "")
    listener = "submission" if login else "mx"
    code, said = serve.send(sender, [SPAMMAIL], bytes(made), listener, login)
    assert code == 250, said


def blocked(serve: Serve, parent: str, subject: str, *to: str) -> bytes:
    """A parent writes and hears V1; the octets."""
    raw = message(f"Rosa Alder <{parent}>", ", ".join(to), subject, f"I can drive.\n{SPAM}")
    code, said = serve.send(parent, to, raw)
    assert code == 550
    assert V1 in said
    return raw


def reviewed(serve: Serve, postfix: Postfix, subject: str) -> EmailMessage:
    """The reviewers' question in the shared mailbox, accepted by one of them."""
    (review,) = until(lambda: found(postfix, SPAMMAIL, f"Content review: {subject}"))
    assert answer(serve, review, "Yes", WANDA, "Outlook for Windows").startswith("250")
    return review  # type: ignore[no-any-return]


def verify(serve: Serve, postfix: Postfix, subject: str, *who: str) -> dict[str, EmailMessage]:
    reviewed(serve, postfix, subject)
    wanted = f"A valid sender?: {subject}"
    return {one: until(lambda one=one: found(postfix, one, wanted))[0] for one in who}


def case(serve: Serve, question: EmailMessage) -> dict[str, Any]:
    number = re.search(r"\[#(\d+)-", str(question["Subject"]))
    assert number
    shown: dict[str, Any] = json.loads(serve.command("cases", "show", number[1], "--json"))
    return shown


def listed(serve: Serve) -> dict[str, Any]:
    entries = json.loads(serve.command("allowlist", "list", "--json"))
    return {one["address"]: one for one in entries}


def test_yes_delivers_the_original_once_lists_the_sender_and_tells_both(
    serve: Serve, postfix: Postfix
) -> None:
    parent = PARENTS[0]
    raw = blocked(serve, parent, "Field trip", TARA)
    forward(serve, parent, raw)
    question = verify(serve, postfix, "Field trip", TARA)[TARA]
    assert f"{V2}\n\n{parent}\n\n" in text_of(question)
    assert f"From: Rosa Alder <{parent}>" in text_of(question)
    assert case(serve, question)["state"] == "asked"
    assert parent not in listed(serve)
    answer(serve, question, "Yes, she is a parent.", TARA, "Gmail")
    (told,) = until(lambda: found(postfix, TARA, "Unblocked: Field trip"))
    assert parent in text_of(told)
    (outside,) = until(lambda: found(postfix, parent, "Unblocked: Field trip"))
    assert "has been unblocked by the EVUSD Mail Filtering System" in text_of(outside)
    assert originals(postfix, TARA, raw) == 1
    entry = listed(serve)[parent]
    shown = case(serve, question)
    assert entry["origin"] == f"case {shown['number']}"
    assert entry["site"] == "oak"
    what = [line["what"] for line in shown["history"]]
    assert what == ["opened", "reviewed", "asked", "yes", "approved"]
    assert [line["by"] for line in shown["history"]] == [parent, WANDA, WANDA, TARA, TARA]
    listing = json.loads(serve.command("cases", "list", "--json"))
    assert shown["number"] not in [one["number"] for one in listing]
    assert serve.metric("mailguard_letters_unread") == 0


def test_no_discards_and_the_page_can_say_so(serve: Serve, postfix: Postfix) -> None:
    parent = PARENTS[1]
    raw = blocked(serve, parent, "Win a prize", TARA)
    forward(serve, parent, raw)
    question = verify(serve, postfix, "Win a prize", TARA)[TARA]
    link = re.search(r"http://\S+/answer/\S+", text_of(question))
    assert link
    url = f"http://127.0.0.1:{serve.ports['http']}{urllib.parse.urlsplit(link[0]).path}"
    with urllib.request.urlopen(url, timeout=PATIENCE) as page:
        assert parent in page.read().decode()
    assert case(serve, question)["state"] == "asked"  # looking answers nothing
    form = urllib.parse.urlencode({"choice": "no"}).encode()
    urllib.request.urlopen(url, form, timeout=PATIENCE).close()
    until(lambda: case(serve, question)["state"] == "denied")
    assert parent not in listed(serve)
    until(lambda: found(postfix, parent, "Not unblocked: Win a prize"))
    assert originals(postfix, TARA, raw) == 0


def test_not_sure_brings_the_original_and_a_later_yes_counts(
    serve: Serve, postfix: Postfix
) -> None:
    parent = PARENTS[2]
    raw = blocked(serve, parent, "Who am I", TARA)
    forward(serve, parent, raw)
    question = verify(serve, postfix, "Who am I", TARA)[TARA]
    answer(serve, question, "I am not sure", TARA, "Apple Mail")
    wanted = "A valid sender?: Who am I"
    again = until(lambda: (m := found(postfix, TARA, wanted)) and len(m) > 1 and m[1])
    assert raw.replace(b"\r\n", b"\n").rstrip() in again.as_bytes()
    answer(serve, again, "Yes", TARA, "Apple Mail")
    until(lambda: found(postfix, TARA, "Unblocked: Who am I"))
    assert originals(postfix, TARA, raw) == 1


def test_two_teachers_who_disagree_and_a_forged_yes(serve: Serve, postfix: Postfix) -> None:
    parent = PARENTS[3]
    raw = blocked(serve, parent, "Choir", TARA, BEN)
    forward(serve, parent, raw)
    both = verify(serve, postfix, "Choir", TARA, BEN)
    assert answer(serve, both[TARA], "Yes", BEN, "Gmail").startswith("250")  # hers, by another
    until(lambda: found(postfix, BEN, "Your answer was not counted"))
    assert answer(serve, both[TARA], "Yes", parent, "Gmail").startswith("250")  # by the sender
    until(lambda: [h["what"] for h in case(serve, both[TARA])["history"]].count("refused") == 2)
    outside = message(TARA, SPAMMAIL, f"Re: {both[TARA]['Subject']}", "Yes")
    assert serve.send(TARA, [SPAMMAIL], outside)[0] == 550  # her address, from outside
    answer(serve, both[TARA], "Yes", TARA, "Gmail")
    answer(serve, both[BEN], "No", BEN, "Outlook for phones")
    (decide,) = until(lambda: found(postfix, SPAMMAIL, "Please decide: Choir"))
    assert case(serve, decide)["state"] == "conflict"
    assert parent not in listed(serve)
    answer(serve, decide, "Yes", WANDA, "Outlook for Windows")
    until(lambda: found(postfix, TARA, "Unblocked: Choir"))
    assert parent in listed(serve)
    assert originals(postfix, TARA, raw) == 1
    assert originals(postfix, BEN, raw) == 0


def test_staff_name_addresses(serve: Serve, postfix: Postfix) -> None:
    raw = message(TARA, SPAMMAIL, "Parents", "Please unblock mom@example.net and all of gmail.com")
    assert serve.send(TARA, [SPAMMAIL], raw, "submission", "tolive")[0] == 250
    (told,) = until(lambda: found(postfix, TARA, "Your request to unblock senders"))
    assert "Unblocked, for a year: mom@example.net" in text_of(told)
    assert "Not taken: gmail.com" in text_of(told)
    assert "mom@example.net" in listed(serve)
    parent = PARENTS[4]
    kept = blocked(serve, parent, "Recital", BEN)
    forward(serve, BEN, kept)
    until(lambda: found(postfix, BEN, "Your request to unblock senders"))
    assert parent not in listed(serve)  # the content is looked at first (R32)
    reviewed(serve, postfix, "Recital")
    until(lambda: found(postfix, BEN, "Unblocked: Recital"))
    assert found(postfix, BEN, "A valid sender?: Recital") == []
    assert originals(postfix, BEN, kept) == 1


def test_a_workbook_by_mail(serve: Serve, postfix: Postfix) -> None:
    made = EmailMessage(policy=email.policy.SMTP)
    made["From"], made["To"], made["Subject"] = SAM, SPAMMAIL, "Parents of Oak"
    made["Message-ID"] = "<sheet@desk.example.org>"
    made["Date"] = "Mon, 23 Nov 2026 10:00:00 -0800"
    made.set_content("Here they are.")
    octets = io.BytesIO()
    with xlsxwriter.Workbook(octets) as book:
        sheet = book.add_worksheet()
        rows = (("Name", "E-mail"), ("A", "a.elm@example.com"), ("B", "*@example.net"))
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    made.add_attachment(octets.getvalue(), "application", "octet-stream", filename="parents.xlsx")
    code, said = serve.send(SAM, [SPAMMAIL], bytes(made), "submission", "sjuniper")
    assert code == 250, said
    (report,) = until(lambda: found(postfix, SAM, "Your list of addresses"))
    assert "1 new address put on the list" in text_of(report)
    assert "B3" in text_of(report)
    assert listed(serve)["a.elm@example.com"]["site"] == "oak"


def test_a_kill_between_the_answer_and_the_delivery(serve: Serve, postfix: Postfix) -> None:
    parent = PARENTS[5]
    raw = blocked(serve, parent, "Museum", TARA)
    forward(serve, parent, raw)
    question = verify(serve, postfix, "Museum", TARA)[TARA]
    before = len(postfix.delivered(TARA))
    assert answer(serve, question, "Yes", TARA, "Gmail").startswith("250")
    serve.kill()  # read or not, the letter is durable
    serve.start()
    postfix.wait_for(TARA, before + 2)  # the message, and what came of it
    until(lambda: found(postfix, parent, "Unblocked: Museum"))
    time.sleep(1.5)
    assert originals(postfix, TARA, raw) == 1
    assert len(found(postfix, TARA, "Unblocked: Museum")) == 1
    assert len(found(postfix, parent, "Unblocked: Museum")) == 1
    assert parent in listed(serve)


def test_silence_over_a_long_weekend(serve: Serve, postfix: Postfix) -> None:
    parent = PARENTS[6]
    raw = blocked(serve, parent, "Swimming", TARA)
    forward(serve, parent, raw)
    question = verify(serve, postfix, "Swimming", TARA)[TARA]
    serve.stop()
    today = datetime.now(UTC).date()
    days = [today + timedelta(n) for n in range(-1, 4)]
    holidays = "".join(f"  - {{date: {day}, name: Recess}}\n" for day in days)
    (serve.config / "calendar.yaml").write_text(f"holidays:\n{holidays}")
    calendar, asked = load(serve.config).calendar, time.time()
    assert calendar.after(asked, DAY) > asked + 3 * DAY
    assert asyncio.run(turned(serve, asked + 2 * DAY)) == []
    assert asyncio.run(turned(serve, calendar.after(asked, DAY) + 60)) == ["reminded"]
    assert case(serve, question)["overdue"] is False
    late = asyncio.run(turned(serve, calendar.after(asked, 5 * DAY) + 60))
    assert late == ["time is up", "unanswered"]
    serve.start()
    (again,) = until(lambda: found(postfix, TARA, "Reminder, a valid sender?: Swimming"))
    assert str(again["In-Reply-To"]) == str(question["Message-ID"])
    until(lambda: found(postfix, parent, "Not unblocked: Swimming"))
    answer(serve, question, "Yes", TARA, "Gmail")  # too late
    until(lambda: found(postfix, TARA, "Decided already: Swimming"))
    assert parent not in listed(serve)
    (copy,) = case(serve, question)["copies"]
    assert copy["state"] == "waiting"


async def turned(serve: Serve, now: float) -> list[str]:
    """The desk's turn at that moment, on the state of a server that is stopped; the new lines of
    history."""
    loaded = load(serve.config)
    opened = StateDirectory.open(serve.state)
    try:
        tickets = await opened.tickets.find("case")
        before = {m.id: len(await opened.tickets.history(m.id)) for m in tickets}
        async with replaying(loaded.settings) as again:
            work, snapshot = deskwork(opened, lambda: now), lambda: loaded.snapshot
            made = outfit(loaded.settings, opened, snapshot, again, work)
            await Engine(Unblocking.made(made)).turn(now)
        return [
            line.what
            for m in tickets
            for line in (await opened.tickets.history(m.id))[before[m.id] :]
        ]
    finally:
        opened.close()
