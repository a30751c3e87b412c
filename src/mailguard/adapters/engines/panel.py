"""All configured engines at once, each with its deadline: a value for every one of them.

Owns deadlines, the number of questions at a time, metrics, and that an engine which says nothing
is `EngineUnavailable`. Must not know a protocol, or what an answer leads to.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mailguard import metrics
from mailguard.adapters.authentication.dns import Resolver
from mailguard.adapters.engines.engine import NoAnswer, ScanningEngine, words
from mailguard.config.settings.engines import EngineSettings, EnginesSettings, ScannerSettings
from mailguard.core.decision.engines import EngineUnavailable, OnNoAnswer, Scanned
from mailguard.core.decision.facts import Unavailable
from mailguard.core.mail.transaction import Transaction
from mailguard.core.text.reading import Reading

_MARGIN = 0.5  # seconds kept of the deadline for all facts
_DNS_QUESTIONS = 1_000  # messages asked about at once: the resolver has bounds of its own


@dataclass(frozen=True)
class EngineSlot:
    """One engine as configured."""

    engine: ScanningEngine
    timeout: float
    on_no_answer: OnNoAnswer
    turns: asyncio.Semaphore = field(repr=False)


class Panel:
    """Fulfils `ports.Engines`."""

    def __init__(self, slots: Sequence[EngineSlot]) -> None:
        self._slots = tuple(slots)

    async def scan(
        self, transaction: Transaction, reading: Awaitable[Reading | Unavailable]
    ) -> Mapping[str, Scanned | EngineUnavailable]:
        """What each engine says, by its name. Never raises."""
        answers = await asyncio.gather(*(_ask(slot, transaction, reading) for slot in self._slots))
        return {slot.engine.name: said for slot, said in zip(self._slots, answers, strict=True)}


def panel_of(
    settings: EnginesSettings, resolver: Resolver, hostname: str, deadline: float
) -> Panel | None:
    """The panel of the configured engines; None where there is none. `deadline` is that of all
    facts, in seconds. An engine's library is imported only where it is configured."""
    found: list[tuple[ScanningEngine, EngineSettings]] = []
    if settings.rspamd is not None:
        from mailguard.adapters.engines.rspamd import Rspamd

        found.append((Rspamd(settings.rspamd), settings.rspamd))
    if settings.spamd is not None:
        from mailguard.adapters.engines.spamd import Spamd

        found.append((Spamd(settings.spamd, hostname), settings.spamd))
    if settings.clamd is not None:
        from mailguard.adapters.engines.clamd import Clamd

        found.append((Clamd(settings.clamd), settings.clamd))
    if settings.dnsbl:
        from mailguard.adapters.engines.dnsbl import Dnsbl

        found += [(Dnsbl(one, resolver), one) for one in settings.dnsbl]
    longest = max(deadline - _MARGIN, _MARGIN)
    slots = [
        EngineSlot(
            engine,
            min(given.timeout, longest),
            given.on_no_answer,
            asyncio.Semaphore(
                given.connections if isinstance(given, ScannerSettings) else _DNS_QUESTIONS
            ),
        )
        for engine, given in found
    ]
    return Panel(slots) if slots else None


async def _ask(
    slot: EngineSlot, transaction: Transaction, reading: Awaitable[Reading | Unavailable]
) -> Scanned | EngineUnavailable:
    engine = slot.engine
    began = time.perf_counter()
    try:
        async with asyncio.timeout(slot.timeout), slot.turns:
            said = await engine.ask(transaction, reading)
    except TimeoutError:
        reason = f"no answer within {slot.timeout:g} seconds"
    except NoAnswer as error:
        reason = str(error)
    except OSError as error:
        reason = f"it cannot be reached: {words(error.strerror or str(error))}"
    except Exception as error:  # noqa: BLE001 - an engine that trips us up has not answered
        reason = f"{type(error).__name__}: {words(str(error))}"
    else:
        _count(engine.name, _result(said), began)
        return replace(said, target=engine.target)
    _count(engine.name, "unavailable", began)
    return EngineUnavailable(reason, engine.target, slot.on_no_answer)


def _result(said: Scanned) -> str:
    if said.malware:
        return "malware"
    if said.unscannable:
        return "unscannable"
    return "spam" if said.spam else "clean"


def _count(name: str, result: str, began: float) -> None:
    metrics.child(metrics.ENGINE_SECONDS, name).observe(time.perf_counter() - began)
    metrics.child(metrics.ENGINE_ANSWERS, name, result).inc()
