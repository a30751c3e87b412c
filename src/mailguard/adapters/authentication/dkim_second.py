"""dkimpy as the second opinion on DKIM: asked beside us, never in our place (RFC 6376).

Owns how it is asked and what that may cost. Our own verdict is in force whatever it says; where the
two differ, people are to hear of it. Must not know policy, what counts as a disagreement
(`core.authentication.dkim_opinions`), nor dkimpy itself (`dkim_second_child`).

Its hazards stay outside: no message above a size and none with a long run of white space reaches it
(its patterns are quadratic in those), keys come from our resolver, and it runs in a child process
that is killed after some seconds. A thread would hold the interpreter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

import structlog

from mailguard import metrics
from mailguard.adapters.authentication import dkim_second_child
from mailguard.adapters.authentication.dkim_keys import fetch_keys
from mailguard.adapters.authentication.dns import Resolver
from mailguard.adapters.workers.reader_pool import Child, Overrun
from mailguard.core.authentication.dkim_opinions import (
    Agreement,
    Opinion,
    key_name,
    key_record,
    sampled,
    together,
    unfit,
)
from mailguard.core.authentication.key_records import Keys
from mailguard.core.decision.facts import Dkim, Unavailable
from mailguard.core.mail.transaction import Transaction

log = structlog.get_logger("mailguard.dkim")

SECONDS: Final = 5.0  # for one message, on a busy machine
_MEMORY: Final = 536_870_912  # octets of address space of the child


class Ask(Protocol):
    """How a question is put to dkimpy, from a thread: the answer's words. Raises Overrun."""

    def __call__(self, question: bytes, seconds: float) -> object: ...


def dkimpy_child() -> Child:
    """The process that runs dkimpy; it starts when it is asked first."""
    return Child(dkim_second_child.work, _MEMORY, "mailguard-dkimpy")


def opinions(
    ask: Ask, raw: bytes, results: Sequence[Dkim], keys: Keys, seconds: float = SECONDS
) -> tuple[Opinion, ...]:
    """dkimpy's word beside ours, of every signature whose one key is at hand. `raw` is fit. Blocks;
    raises Overrun."""
    records: dict[str, bytes] = {}
    asked: list[int] = []
    for number, one in enumerate(results):
        name = key_name(one)
        record = key_record(keys.get(name))
        if record is not None:
            records[name] = record
            asked.append(number)
    if not asked:
        return ()
    said = ask(dkim_second_child.question(raw, records, asked), seconds)
    if not isinstance(said, list) or len(said) != len(asked):
        raise Overrun("answer")
    return tuple(
        Opinion(number, results[number], str(word), together(results[number], str(word)))
        for number, word in zip(asked, said, strict=True)
    )


class DkimSecondOpinion:
    """Fulfils `ports.SecondOpinion`: one message at a time; what comes meanwhile is let go."""

    def __init__(
        self, resolver: Resolver, fraction: float, lifetime: float, ask: Ask | None = None
    ) -> None:
        self._resolver = resolver
        self._fraction = fraction
        self._lifetime = lifetime
        self._child = dkimpy_child()
        self._ask = ask or self._child.ask
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="dkimpy")
        self._task: asyncio.Task[None] | None = None

    def consider(
        self, transaction: Transaction, digest: str, dkim: tuple[Dkim, ...] | Unavailable
    ) -> None:
        """Take a message up for later, when it is in the share and nothing speaks against it."""
        if isinstance(dkim, Unavailable) or not sampled(digest, self._fraction):
            return
        if not any(map(key_name, dkim)):
            return
        raw = transaction.message.raw
        refused = "busy" if self._task is not None else unfit(raw)
        if refused:
            _count(refused)
            return
        self._task = asyncio.create_task(self._compare(transaction.id, raw, dkim))
        self._task.add_done_callback(self._free)

    async def settle(self) -> None:
        """Wait for the one under way."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    async def close(self) -> None:
        """Give up the one under way."""
        if self._task is not None:
            self._task.cancel()
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        self._child.kill()  # which the thread sees, and is done
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._child.kill()  # one that was just being started

    def _free(self, task: asyncio.Task[None]) -> None:
        self._task = None

    async def _compare(self, transaction_id: str, raw: bytes, results: tuple[Dkim, ...]) -> None:
        try:
            keys = await self._keys(results)
            found = await asyncio.get_running_loop().run_in_executor(
                self._thread, opinions, self._ask, raw, results, keys
            )
        except Overrun:
            _count("killed")
            return
        except Exception:  # a defect of ours: nobody but this comparison is to feel it
            log.exception("dkim_second_opinion_failed", id=transaction_id)
            _count("failed")
            return
        verdicts = {one.verdict for one in found}
        _count(next((v.value for v in Agreement if v in verdicts), "no_key"))
        for one in found:
            if one.verdict is Agreement.DISAGREED:
                log.warning(
                    "dkim_opinions_differ",
                    id=transaction_id,
                    signature=one.number + 1,
                    ours=one.ours.result,
                    dkimpy=one.theirs,
                )

    async def _keys(self, results: Sequence[Dkim]) -> Keys:
        """Out of our resolver's cache, where they are from the verification."""
        names: Mapping[str, None] = dict.fromkeys(filter(None, map(key_name, results)))
        deadline = asyncio.get_running_loop().time() + self._lifetime
        return await fetch_keys(self._resolver, tuple(names), deadline)


def _count(result: str) -> None:
    metrics.child(metrics.DKIM_SECOND_OPINIONS, result).inc()
