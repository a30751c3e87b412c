"""The mails of `html/`, what was written down of their links, and both through the check `links`.

`links.yaml` was written by reading the HTML, never from what the code finds:

    shape: what kind of mail this is
    parts:                          # by the path of each text
      "1.2":
        - a: https://a.test/?x=1&y  # construct, and the address that a click opens
          written: " ht&Tab;tps:…"  # as the source has it, where it is not just that
          unquoted: true            # an attribute without quotes
          stays: why                # it is not to be changed
          visible: why              # it becomes visible text, which no token gives back
    ampersand: "&"                  # the mail writes them bare in attributes
    deceptive: [[text, site]]       # texts that name one site and open another
    left: {amp: address}            # in a part that nobody may edit
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from mailguard.checks.disclaimer.check import Disclaimer, Profile
from mailguard.checks.links.check import Links
from mailguard.core.decision.edit import Edit, ReplaceText
from mailguard.core.decision.facts import Facts
from mailguard.core.decision.verdict import Verdict
from mailguard.core.links import sealed as links
from mailguard.core.mail import mime
from mailguard.core.mail.message import Message
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.notices.policy_texts import V3_DISCLAIMER
from mailguard.core.people.district import District
from mailguard.core.people.model import Person
from mailguard.core.text import reader

HTML = Path(__file__).resolve().parents[1] / "corpus" / "html"
PAGE = "https://links.example.org"
KEYS = (bytes(range(32)),)
DISTRICT = District(
    name="Example Valley Unified School District",
    short_name="EVUSD",
    domains=("example.org",),
    spammail="spammail@example.org",
    postmaster="postmaster@example.org",
    authserv_id="mx.example.org",
    copy_page_url=PAGE,
)
EXEMPT = ("library.example.net",)
OWNER = Person("jane", "Jane Doe", ("jane@example.org",))
DISCLAIMER = V3_DISCLAIMER + " \u2013"  # with a character that not every charset has
INSIDE_A_LINK = "a text"  # the text of a link: no click by itself
SEALED = re.compile(re.escape(PAGE) + r"/l/([A-Za-z0-9_-]+)")


@dataclass(frozen=True)
class Wanted:
    """One link that a reader of the source found."""

    part: str
    construct: str
    target: str
    written: str | None = None
    unquoted: bool = False
    stays: str = ""
    visible: str = ""

    @property
    def sealed(self) -> bool:
        """Whether it is to lead to the copy page."""
        return not (self.stays or self.visible or self.construct == INSIDE_A_LINK)


@dataclass(frozen=True)
class Mail:
    """One mail and what was written down of it."""

    name: str
    shape: str
    raw: bytes
    links: tuple[Wanted, ...]
    ampersand: str
    deceptive: tuple[tuple[str, str], ...]
    left: dict[str, str]


@cache
def mails() -> tuple[Mail, ...]:
    """All of them, by name."""
    return tuple(_mail(folder) for folder in sorted(HTML.iterdir()) if folder.is_dir())


def _mail(folder: Path) -> Mail:
    said = yaml.safe_load((folder / "links.yaml").read_text())
    return Mail(
        name=folder.name,
        shape=said["shape"],
        raw=(folder / "message.eml").read_bytes(),
        links=tuple(_wanted(path, one) for path, found in said["parts"].items() for one in found),
        ampersand=said.get("ampersand", "&amp;"),
        deceptive=tuple((text, site) for text, site in said.get("deceptive", ())),
        left=said.get("left", {}),
    )


def _wanted(path: str, said: dict[str, Any]) -> Wanted:
    more = {k: v for k, v in said.items() if k in ("written", "unquoted", "stays", "visible")}
    ((construct, target),) = ((k, v) for k, v in said.items() if k not in more)
    return Wanted(path, construct, target, **more)


def judged(
    raw: bytes, mode: str = "copy-page", mail_from: str = "rosa@example.com"
) -> tuple[Message, Facts, Verdict]:
    """A mail from outside to one of the district, through the check `links`."""
    message = mime.parse(raw)
    envelope = Envelope(mail_from, ("tara.olive@example.org",))
    transaction = Transaction("01TEST", 0.0, Listener("mx", Role.MX), envelope, message)
    facts = Facts(0.0, DISTRICT, reading=reader.read(message), link_keys=KEYS)
    check = Links()
    settings = check.Settings(inbound=mode, exempt_domains=EXEMPT)
    return message, facts, check.examine(transaction, facts, settings)


def proposed(message: Message, mode: str, everywhere: bool = False) -> tuple[Edit, ...]:
    """What a policy of disclaimers and links would change; `everywhere`: in attached messages too,
    and around signed ones."""
    envelope = Envelope("jane@example.org", ("parent@home.test",), account="jane")
    listener = Listener("submission", Role.SUBMISSION)
    transaction = Transaction("01TEST", 0.0, listener, envelope, message)
    facts = Facts(0.0, DISTRICT, owner=OWNER, reading=reader.read(message), link_keys=KEYS)
    edits: list[Edit] = []
    for check, chosen in (
        (
            Disclaimer(),
            {
                "profiles": (Profile(name="v3", text=DISCLAIMER),),
                "signed": "wrap" if everywhere else "leave",
            },
        ),
        (Links(), {"outbound": mode, "nested": "rewrite" if everywhere else "leave"}),
    ):
        verdict = check.examine(transaction, facts, check.Settings(**chosen))
        assert verdict.error is None, verdict.error
        edits += verdict.edits
    return tuple(edits)


def texts(verdict: Verdict) -> list[ReplaceText]:
    """The verdict's edits of texts."""
    return [edit for edit in verdict.edits if isinstance(edit, ReplaceText)]


def undone(text: str, wanted: list[Wanted], subtype: str, ampersand: str) -> str:
    """A changed text with the address in each token in the place of the page's, coded as the mail
    codes addresses. Where a mail codes one in a way of its own, `wanted` says how."""
    kept: list[str] = []
    at = 0
    sealed = iter([one for one in wanted if one.sealed])
    for found in SEALED.finditer(text):
        target = links.open_(found[1], KEYS)
        one = next(sealed)
        assert target == one.target, (target, one)
        coded = target if subtype == "plain" else target.replace("&", ampersand)
        start, end = found.span()
        if one.construct == "meta":
            start -= len("0; url=")
        if one.unquoted:
            start, end = start - 1, end + 1
        kept += (text[at:start], coded if one.written is None else one.written)
        at = end
    assert next(sealed, None) is None
    kept.append(text[at:])
    return "".join(kept)
