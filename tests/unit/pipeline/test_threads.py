"""A thread among several people and mail programs: one disclaimer an author's text, no link twice.

Each answer quotes the copy that was delivered, as its author's program would, and is judged and
rendered anew.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

import pytest
from tests.support.mail_programs import Quoted, reply_html, reply_text
from tests.support.story import Ports, make_world

from mailguard.checks.disclaimer.check import Disclaimer, Profile
from mailguard.checks.links.check import Links
from mailguard.core.decision.facts import Facts
from mailguard.core.decision.policy import Policy, PolicyStep
from mailguard.core.links import sealed
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.notices import policy_texts
from mailguard.core.people.directory import Directory
from mailguard.core.people.district import District
from mailguard.core.people.model import Person
from mailguard.core.render import splice
from mailguard.core.text import reader
from mailguard.core.text.folding import folded
from mailguard.pipeline.judge import decided
from mailguard.pipeline.snapshot import Snapshot

DISTRICT = District(
    name="Example Valley District",
    short_name="EVD",
    domains=("example.org",),
    spammail="spammail@example.org",
    postmaster="postmaster@example.org",
    authserv_id="mx.example.org",
    copy_page_url="https://links.example.org",
)
KEYS = (b"k" * 32,)
V3 = folded(policy_texts.V3_DISCLAIMER)
STATEMENT = Profile(name="v3", text=policy_texts.V3_DISCLAIMER, direction="all")
EVERYWHERE = Links.Settings(inbound="copy-page", internal="copy-page", outbound="copy-page")


@dataclass(frozen=True)
class Writer:
    """Somebody in the thread, with a mail program and its language."""

    name: str
    mail: str
    program: str
    language: str = "English"

    @property
    def staff(self) -> bool:
        return self.mail.endswith("@example.org")


JANE = Writer("Jane Doe", "jane@example.org", "Outlook for Windows")
LAN = Writer("Lan Ruiz", "lan.ruiz@home.test", "Gmail", "Spanish")
TIM = Writer("Tim Moss", "tim@example.org", "Apple Mail")
ANNA = Writer("Anna Berg", "anna@example.org", "Thunderbird")
PHU = Writer("Phu Tran", "phu@home.test", "Yahoo", "Vietnamese")
WEI = Writer("Wei Lin", "wei@example.org", "Outlook on the web", "Chinese")
OMAR = Writer("Omar Sayed", "omar@example.org", "iPhone", "Arabic")
SAM = Writer("Sam Reed", "sam@home.test", "Outlook for phones")
GIL = Writer("Gil Cruz", "gil@example.org", "Gmail")
TESS = Writer("Tess Vu", "tess@example.org", "Samsung")
THREADS = {
    "the usual programs": (JANE, LAN, TIM, ANNA),
    "four languages": (WEI, PHU, OMAR, JANE),
    "phones": (TESS, SAM, OMAR, GIL),
    "all staff": (GIL, ANNA, JANE, WEI),
}


def delivered(raw: bytes, author: Writer, everyone: tuple[Writer, ...]) -> bytes:
    """The one copy that leaves, by the pure part of `serve`."""
    role = Role.SUBMISSION if author.staff else Role.MX
    recipients = tuple(w.mail for w in everyone if w is not author)
    account = author.name if author.staff else None
    envelope = Envelope(author.mail, recipients, "192.0.2.1", "", "h.test", account)
    message = mime.parse(raw)
    transaction = Transaction("0" * 26, 1.0, Listener("l", role), envelope, message)
    owner = Person(author.name, author.name, (author.mail,)) if author.staff else None
    reading = reader.read(message)
    facts = Facts(0.0, DISTRICT, owner=owner, reading=reading, link_keys=KEYS)
    disclaimer = PolicyStep(Disclaimer(), Disclaimer.Settings(profiles=(STATEMENT,)), {})
    steps = (disclaimer, PolicyStep(Links(), EVERYWHERE, {}))
    forward = {kind.code: kind.default for step in steps for kind in step.check.findings}
    policy = Policy(tuple(PolicyStep(s.check, s.settings, forward) for s in steps), "p")
    snapshot = Snapshot(DISTRICT, policy, Directory(), {}, {}, "d", link_keys=KEYS)
    one = decided(transaction, snapshot, make_world(Ports()).terms, facts, "ab")
    (copy,) = set(one.copies(2.0).values())
    return copy.partition(b"\r\nX-Body: ")[2]


def message(author: Writer, number: int, quoted: Quoted | None) -> bytes:
    own = f"Words number {number} of {author.name}.\r\nSee https://site{number}.test/page for more."
    if quoted is None:
        text, html = own, f"<div>{own.replace(chr(13), '<br>')}</div>"
    else:
        text = reply_text(author.program, author.language, own, quoted)
        html = reply_html(author.program, author.language, own, quoted)
    html = re.sub(rf"See (https://site{number}\.test/page)", r'See <a href="\1">our page</a>', html)
    parts = b""
    for kind, body in (("plain", text), ("html", html)):
        data = body.encode()
        if number % 2:
            encoding, data = "quoted-printable", splice.to_quoted_printable(data)
        else:
            encoding, data = "base64", base64.encodebytes(data).replace(b"\n", b"\r\n")
        parts += (
            f"--=_b\r\nContent-Type: text/{kind}; charset=utf-8\r\n"
            f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
        ).encode() + data
        parts += b"\r\n"
    return (
        f"From: {author.name} <{author.mail}>\r\nSubject: Field trip\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/alternative; boundary="=_b"\r\nX-Body: \r\n\r\n'
    ).encode() + (parts + b"--=_b--\r\n")


def parsed(body: bytes) -> tuple[str, str]:
    head = b'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="=_b"\r\n'
    plain, html = reader.read(mime.parse(head + body)).texts
    return plain.text, html.text


@pytest.mark.parametrize("people", THREADS.values(), ids=THREADS)
def test_twelve_answers(people: tuple[Writer, ...]) -> None:
    quoted: Quoted | None = None
    staff = 0
    for number in range(13):
        author = people[number % 4]
        copy = delivered(message(author, number, quoted), author, people)
        text, html = parsed(copy)
        staff += author.staff
        head = b'Content-Type: multipart/alternative; boundary="=_b"\r\n'
        reading = reader.read(mime.parse(head + copy))
        for part in reading.texts:
            # Every author's new text has one, and nobody's is put in twice.
            own = f" {folded(part.author_visible)} "
            assert own.count(f" {V3} ") == int(author.staff), (number, part.subtype)
            assert f" words number {number} of " in own
            assert number == 0 or f" words number {number - 1} " not in own
            assert f" {folded(_unquoted(part.visible))} ".count(f" {V3} ") == staff
            targets = [_opened(link.target) for link in part.links]
            wanted = {f"https://site{n}.test/page" for n in range(number + 1)}
            assert wanted <= set(targets), (number, part.subtype)
            assert not any(target.startswith(DISTRICT.copy_page_url) for target in targets)
        assert reading.texts
        # Taken up a second time, nothing is added.
        again = b"From: " + author.mail.encode() + b"\r\nMIME-Version: 1.0\r\n" + head
        assert delivered(again + b"X-Body: " + copy, author, people) == copy
        inner = re.search(r"<body[^>]*>(.*)</body>", html, re.DOTALL)
        quoted = Quoted(author.name, author.mail, text.strip(), inner[1] if inner else html)
    assert staff >= 6


def _opened(target: str) -> str:
    """The address behind a link to the copy page; it must be one of ours, else as it is."""
    page = f"{DISTRICT.copy_page_url}/l/"
    return sealed.open_(target.removeprefix(page), KEYS) if target.startswith(page) else target


def _unquoted(visible: str) -> str:
    return re.sub(r"(?m)^(?:> ?)+", "", visible)
