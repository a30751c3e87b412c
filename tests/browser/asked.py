"""People who were asked by mail: a real serve with the example district before a real Postfix.

Shared by the tests and the pictures of the answers' page.
"""

from __future__ import annotations

import email
import email.policy
import html
import json
import re
from email.message import EmailMessage
from types import TracebackType
from typing import Any

from tests.support.postfix import Postfix
from tests.support.serving import Serve, message
from tests.support.waiting import until

CLARA, PAULA, TOMAS, TARA = (
    f"{name}@example.org" for name in ("clara.rowan", "paula.pine", "tomas.birch", "tara.olive")
)
GROUP, SPAMMAIL = "teachers@example.org", "spammail@example.org"
PARENT = "ilex.holly@example.com"
RAFFLE = "You have won: museum raffle"
_PRIZE = """\
Dear Ms. Olive,

your class has won our prize draw! Claim your prize within 24 hours: free tickets to the museum
for every child. Please send the bank details for the transfer of funds, or click here:
http://pictures.example.net/prize

The Parents' Committee"""
_BOXES = (CLARA, PAULA, TOMAS, TARA, GROUP, "postmaster@example.org", SPAMMAIL)
_LINK = re.compile(r"http://\S+/answer/\S+")
_HREF = re.compile(r'<a href="([^"]*/answer/[^"]*)"')


class Question:
    """One mail that asks its reader something."""

    def __init__(self, raw: bytes) -> None:
        self.mail = parsed(raw)

    @property
    def text(self) -> str:
        return _part(self.mail, "plain")

    @property
    def html(self) -> str:
        return _part(self.mail, "html")

    @property
    def link(self) -> str:
        """The page's address. Both parts have it, once each, and it is the same."""
        (written,) = _LINK.findall(self.text)
        (linked,) = _HREF.findall(self.html)
        assert html.unescape(linked) == written
        return str(written)

    @property
    def number(self) -> str:
        return self.link.rpartition("/")[2].partition("-")[0]


class Asking:
    """Server and Postfix; a context."""

    def __init__(self) -> None:
        self.postfix = Postfix.next_hop(_BOXES)
        self.serve = Serve(self.postfix.port)

    def __enter__(self) -> Asking:
        try:
            self.postfix.start()
            self.serve.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.serve.__exit__()
        self.postfix.stop()

    def found(self, mailbox: str, subject: str) -> list[EmailMessage]:
        """The mails in a mailbox whose Subject has these words."""
        mails = [parsed(raw) for raw in self.postfix.delivered(mailbox)]
        return [mail for mail in mails if subject in str(mail["Subject"])]

    def told(self, mailbox: str, subject: str) -> str:
        """The text of the first such mail, once it has come."""
        return _part(until(lambda: self.found(mailbox, subject))[0], "plain")

    def approvers(self, subject: str, body: str = "Please come on Friday.") -> dict[str, Question]:
        """A custodian writes to all teachers; what each approver is asked."""
        raw = message(f"Clara Rowan <{CLARA}>", GROUP, subject, body)
        seen = {who: self.asked_so_far(who) for who in (PAULA, TOMAS)}
        code, text = self.serve.send(CLARA, [GROUP], raw, "submission", "crowan")
        assert code == 250, text
        return {who: self.next_question(who, seen[who]) for who in seen}

    def reviewers(self, sender: str = PARENT) -> Question:
        """A parent's message is blocked, and the parent asks to be unblocked; what the reviewers
        are asked."""
        seen = self.asked_so_far(SPAMMAIL)
        code, text = self.serve.send(sender, [TARA], message(sender, TARA, RAFFLE, _PRIZE))
        assert code == 550, text
        asks = message(sender, SPAMMAIL, "Blocked", "My message was blocked. Please unblock it.")
        code, text = self.serve.send(sender, [SPAMMAIL], asks)
        assert code == 250, text
        return self.next_question(SPAMMAIL, seen)

    def asked_so_far(self, mailbox: str) -> int:
        """How many questions a mailbox has."""
        return len(self._questions(mailbox))

    def next_question(self, mailbox: str, seen: int) -> Question:
        """The mail that asks something after so many others that did."""
        return Question(until(lambda: self._questions(mailbox)[seen:])[0])

    def approval(self, question: Question) -> dict[str, Any]:
        """`approvals show --json`."""
        shown: dict[str, Any] = json.loads(
            self.serve.command("approvals", "show", question.number, "--json")
        )
        return shown

    def case(self, question: Question) -> dict[str, Any]:
        """`cases show --json`."""
        shown: dict[str, Any] = json.loads(
            self.serve.command("cases", "show", question.number, "--json")
        )
        return shown

    def unblocked(self) -> list[str]:
        """The addresses of the unblocked list."""
        listed = json.loads(self.serve.command("allowlist", "list", "--json"))
        return [str(one["address"]) for one in listed]

    def waiting(self) -> list[str]:
        """The numbers that `approvals list --json` has as waiting."""
        listed = json.loads(self.serve.command("approvals", "list", "--json"))
        return [str(one["number"]) for one in listed if one["state"] == "waiting"]

    def _questions(self, mailbox: str) -> list[bytes]:
        return [raw for raw in self.postfix.delivered(mailbox) if b"/answer/" in raw]


def parsed(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)


def _part(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())
