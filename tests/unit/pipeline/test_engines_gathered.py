"""Engines are asked while everything else is looked up, only for a policy that needs them; what
they said, and what was counted of an account, is stored with the message."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Any

from tests.support.nameserver import nameserver
from tests.support.serving import ROOT, message

from mailguard.cli.checking import Checker
from mailguard.config.load import Loaded, load
from mailguard.core.decision.engines import EngineUnavailable, OnNoAnswer, Scanned, Symbol, Target
from mailguard.core.decision.facts import AccountVolume, Facts, Unavailable
from mailguard.core.decision.policy import Policy
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.record.stored import facts_from_json, facts_json
from mailguard.core.text.reading import Reading
from mailguard.pipeline.gather import gather
from mailguard.pipeline.snapshot import Snapshot

TARA = "tara.olive@example.org"
SAID: Mapping[str, Scanned | EngineUnavailable] = {
    "rspamd": Scanned(3.5, False, (Symbol("MISSING_MID", 2.5),), points=3.5),
    "clamd": Scanned(0.0, False, malware="Eicar", unscannable="", target=Target.MALWARE),
    "spamd": EngineUnavailable("no answer within 10 seconds", Target.SPAM, OnNoAnswer.QUARANTINE),
    "unavailable": EngineUnavailable("a zone may be named so", Target.SPAM, OnNoAnswer.IGNORE),
}


class Engines:
    """Answers once the message was read, and remembers that it was asked."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.asked = 0
        self._seconds = seconds

    async def scan(
        self, transaction: Transaction, reading: Awaitable[Reading | Unavailable]
    ) -> Mapping[str, Scanned | EngineUnavailable]:
        self.asked += 1
        assert isinstance(await reading, Reading)
        await asyncio.sleep(self._seconds)
        return SAID


def without(snapshot: Snapshot, *checks: str) -> Snapshot:
    steps = tuple(s for s in snapshot.policy.steps if s.check.name not in checks)
    return replace(snapshot, policy=Policy(steps, "digest"))


async def gathered(loaded: Loaded, snapshot: Snapshot, engines: Engines, **changes: Any) -> Facts:
    envelope = Envelope(TARA, ("pat@home.test",), "192.0.2.1", account="tolive")
    transaction = Transaction(
        "01TEST",
        1_795_600_000.0,
        Listener("submission", Role.SUBMISSION),
        envelope,
        mime.parse(message(TARA, "pat@home.test")),
    )
    async with Checker.open(loaded) as checker:
        here = replace(checker.judging(nameserver()), engines=engines, **changes)
        return await gather(transaction, snapshot, here, "d", 1_795_600_000.0)


async def test_answers_are_facts_and_stored_as_such() -> None:
    loaded, engines = load(ROOT / "config"), Engines()
    facts = await gathered(loaded, loaded.snapshot, engines)
    assert facts.engines == SAID
    assert facts.sent == AccountVolume("tolive", 1, 1)
    again = facts_from_json(facts_json(facts), facts.reading, facts.link_keys)
    assert again == facts
    gone = replace(facts, engines=Unavailable("no answer within 20 seconds"))
    assert facts_from_json(facts_json(gone), facts.reading, facts.link_keys) == gone


async def test_nobody_is_asked_for_a_policy_that_needs_no_engine() -> None:
    loaded, engines = load(ROOT / "config"), Engines()
    facts = await gathered(loaded, without(loaded.snapshot, "spam", "malware", "rate"), engines)
    assert (facts.engines, facts.sent, engines.asked) == ({}, None, 0)


async def test_the_deadline_of_all_facts_holds_for_engines_too() -> None:
    loaded = load(ROOT / "config")
    facts = await gathered(loaded, loaded.snapshot, Engines(seconds=60), deadline=0.5)
    assert facts.engines == Unavailable("no answer within 0.5 seconds")
