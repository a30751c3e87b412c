"""dkimpy as the second opinion on DKIM: asked beside us, never in our place (RFC 6376).

Owns which messages it sees, what it may cost, and what counts as a disagreement. Our own verdict is
in force whatever it says; where the two differ, people are to hear of it. Must not know policy, nor
dkimpy itself (`dkim_second_child`).

Its hazards stay outside: no message above a size and none with a long run of white space reaches it
(its patterns are quadratic in those), keys come from our resolver, and it runs in a child process
that is killed after some seconds. A thread would hold the interpreter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import structlog

from mailguard import metrics
from mailguard.adapters.authentication import dkim_second_child
from mailguard.adapters.authentication.dkim_keys import MAX_RECORD, Keys, fetch_keys
from mailguard.adapters.authentication.dkim_second_child import AHEAD, PASS, UNREAD
from mailguard.adapters.authentication.dns import Records, Resolver
from mailguard.adapters.workers.reader_pool import Child, Overrun
from mailguard.core.decision.facts import Dkim, Unavailable
from mailguard.core.mail.transaction import Transaction

log = structlog.get_logger("mailguard.dkim")

MAX_SIZE: Final = 100_000  # octets of a message
MAX_WHITE: Final = 256  # octets of white space in a row
SECONDS: Final = 5.0  # for one message, on a busy machine
_MEMORY: Final = 536_870_912  # octets of address space of the child
_WHITE: Final = bytes.maketrans(b"\t\n\v\f\r", b"     ")
_LONG_RUN: Final = b" " * (MAX_WHITE + 1)
_RSA: Final = "rsa-sha256"  # dkimpy wants PyNaCl for the other

# Where we are stricter on purpose and dkimpy passes: besides these, whatever is "policy", as l=, a
# singleton field that stands more often than it was signed, a bare LF, a signature out of its time.
STRICTER: Final = frozenset(
    (
        "From is not signed",  # RFC 6376 6.1.1
        "i= must have the very domain that signs",  # t=s, RFC 6376 3.6.1
        "the key is not for sha256",
        "the key record is not of version DKIM1",  # v= that does not come first
    )
)


class Verdict(StrEnum):
    """What the two opinions are together, the weightiest first."""

    DISAGREED = "disagreed"
    BY_DESIGN = "by_design"
    UNREAD = "unread"  # dkimpy has no opinion
    AGREED = "agreed"


class Ask(Protocol):
    """How a question is put to dkimpy, from a thread: the answer's words. Raises Overrun."""

    def __call__(self, question: bytes, seconds: float) -> object: ...


@dataclass(frozen=True, slots=True)
class Opinion:
    """Both words on one signature."""

    number: int  # from 0, topmost first
    ours: Dkim
    theirs: str
    verdict: Verdict

    @property
    def why(self) -> str:
        """Why the two must differ; "" where they need not."""
        if self.verdict is not Verdict.BY_DESIGN:
            return ""
        return self.ours.reason or "dkimpy allows clocks less than we do"


def dkimpy_child() -> Child:
    """The process that runs dkimpy; it starts when it is asked first."""
    return Child(dkim_second_child.work, _MEMORY, "mailguard-dkimpy")


def unfit(raw: bytes) -> str:
    """Why a message may not reach dkimpy, as a metric's label; "" when it may. Linear."""
    if len(raw) > MAX_SIZE:
        return "too_large"
    header = raw.partition(b"\r\n\r\n")[0]
    if b"\v" in header or b"\f" in header:  # which it strips: RFC 6376 2.8 knows space and tab
        return "white_space"
    return "white_space" if _LONG_RUN in raw.translate(_WHITE) else ""


def key_record(answer: object) -> bytes | None:
    """The record to hand over: where there are several, dkimpy would not know which."""
    if isinstance(answer, Records) and len(answer.values) == 1:
        return answer.values[0] if len(answer.values[0]) <= MAX_RECORD else None
    return None


def key_name(signature: Dkim) -> str:
    """Where the key is; "" for a signature that is not read so far, or not one for dkimpy."""
    if not signature.domain or signature.algorithm != _RSA or signature.result == "temperror":
        return ""
    return f"{signature.selector}._domainkey.{signature.domain}"


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


def together(ours: Dkim, theirs: str) -> Verdict:
    """Whether two words on one signature differ, and whether they must. That both refuse is
    agreement, whatever their reasons."""
    if theirs == UNREAD:
        return Verdict.UNREAD
    if (ours.result == "pass") == (theirs == PASS):
        return Verdict.AGREED
    design = stricter(ours.result, ours.reason) or theirs == AHEAD
    return Verdict.BY_DESIGN if design else Verdict.DISAGREED


def stricter(result: str, reason: str) -> bool:
    """Whether our refusal is one that dkimpy does not know."""
    return result == "policy" or reason in STRICTER


def sampled(digest: str, fraction: float) -> bool:
    """Whether a message is one of the share that is looked at: by its digest (hex), so that the
    same message is always, or never."""
    return int(digest[:8], 16) < fraction * 0x1_0000_0000


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
        _count(next((v.value for v in Verdict if v in verdicts), "no_key"))
        for one in found:
            if one.verdict is Verdict.DISAGREED:
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
