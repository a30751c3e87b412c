"""The example district with some more people and groups, and messages through its rights."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.support.serving import ROOT

from mailguard.adapters.authentication.dns import CachingResolver
from mailguard.adapters.authentication.lookups import SenderAuthentication
from mailguard.cli.checking import Checker
from mailguard.config.load import Loaded, load
from mailguard.config.settings.schema import DnsSettings
from mailguard.core.decision.policy import Policy
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.pipeline.judge import judge
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.ports import Judging
from mailguard.server.wiring import make_terms

RULES = ("group_rights", "mass_mail")
PEOPLE = """\
vwalnut,Vera Walnut,v.walnut@example.org,,,maple,teacher,authorised_by_superintendent,,,,dlinden,
aelder,Arlo Elder,a.elder@example.org,Assistant,,maple,secretary,,dlinden,,,dlinden,
"""
GROUPS = """
everybody@example.org: { name: Everybody, audience: district }
all-technology@example.org: { name: All of Technology, audience: site, sites: [technology] }
all-central@example.org: { name: All of Central, audience: site, sites: [central] }
educators@example.org: { name: Educators, members: [teachers@example.org] }
oak-crew@example.org: { name: Oak Crew, members: [teachers-oak@example.org, crowan] }
chess@example.org: { name: Chess Club, members: [qbuckeye], owner: zlaurel }
cedar-guests@example.org: { name: Cedar Guests, sites: [cedar], members: [avalder] }
news@example.org: { name: News, members: [hmyrtle], senders: [qbuckeye] }
district-events@example.org: { name: District Events, members: [tbirch] }
two-schools@example.org:
  name: Two Schools
  sites: [oak, maple]
  classifications: [teacher]
"""
NOON = datetime(2026, 11, 25, 12, tzinfo=ZoneInfo("America/Los_Angeles"))


def district(folder: Path) -> Loaded:
    """The district, loaded from a copy of `config/`; its policy is the steps about rights alone."""
    shutil.copytree(ROOT / "config", folder)
    for name, more in (("people.csv", PEOPLE), ("groups.yaml", GROUPS)):
        path = folder / "directory" / name
        path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")
    accounts = folder / "directory" / "accounts.csv"
    accounts.write_text(accounts.read_text() + "vwalnut,,vwalnut,,,,,,\naelder,,aelder,,,,,,\n")
    loaded = load(folder)
    steps = tuple(s for s in loaded.snapshot.policy.steps if s.check.name in RULES)
    return replace(loaded, snapshot=replace(loaded.snapshot, policy=Policy(steps, "rights")))


def with_settings(loaded: Loaded, **changed: Any) -> Loaded:
    """The district with other settings; each is one check's."""
    steps = []
    for step in loaded.snapshot.policy.steps:
        own = {n: v for n, v in changed.items() if n in type(step.settings).model_fields}
        settings = type(step.settings).model_validate({**step.settings.model_dump(), **own})
        steps.append(replace(step, settings=settings))
    policy = Policy(tuple(steps), "changed")
    return replace(loaded, snapshot=replace(loaded.snapshot, policy=policy))


class Answering:
    """A ledger that knows of one message, and whom it went on to."""

    def __init__(self, reached: Collection[str] = ()) -> None:
        self.reached = frozenset(reached)

    async def groups_reached(self, message_id: str) -> Collection[str]:
        return self.reached if message_id == "<first@example.org>" else ()


@dataclass(frozen=True)
class Mail:
    """One message as a client hands it over."""

    sender: str  # a login, or an address
    to: tuple[str, ...]
    role: Role = Role.SUBMISSION
    author: str = ""
    subject: str = "Windows"
    text: str = "Please close the windows when you leave."
    fields: tuple[str, ...] = ()
    shown: tuple[str, ...] | None = None  # in To; the recipients where None
    at: float = NOON.timestamp()
    id: str = "0" * 26

    def transaction(self, loaded: Loaded) -> Transaction:
        account, author = None, self.author or self.sender
        if self.role is Role.SUBMISSION:
            account = self.sender
            known = loaded.snapshot.directory.account_for(account)
            assert known is not None, account
            author = self.author or known.addresses[0]
        shown = self.to if self.shown is None else self.shown
        head = [
            f"From: {author}",
            *([f"To: {', '.join(shown)}"] if shown else []),
            f"Subject: {self.subject}",
            "Message-ID: <this@example.org>",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            *self.fields,
        ]
        raw = "\r\n".join([*head, "", self.text, ""]).encode()
        reverse_path = self.sender if account is None else author
        envelope = Envelope(reverse_path, self.to, "192.0.2.9", "", "h.example.net", account)
        listener = Listener(self.role.value, self.role)
        return Transaction(self.id, self.at, listener, envelope, mime.parse(raw))


def judged(
    loaded: Loaded, mails: Sequence[Mail], ledger: Answering | None = None
) -> list[JudgedMessage]:
    """The mails, one after another through one process, by the code that `serve` uses."""

    async def run() -> list[JudgedMessage]:
        async with Checker.open(loaded) as checker:
            nobody = CachingResolver(DnsSettings(servers=["127.0.0.1:9"], lifetime=0.1))
            known = SenderAuthentication(nobody, 0.1, "mx.example.org")
            judging = replace(
                checker.judging(), authenticator=known, earlier=ledger or Answering(), deadline=30.0
            )
            return [await _one(loaded, judging, mail) for mail in mails]

    return asyncio.run(run())


async def _one(loaded: Loaded, judging: Judging, mail: Mail) -> JudgedMessage:
    one, terms = mail.transaction(loaded), make_terms(loaded.settings)
    return await judge(
        one, loaded.snapshot, judging, terms, hashlib.sha256(one.message.raw).hexdigest(), mail.at
    )
