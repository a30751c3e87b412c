"""What is too large for the event loop: one rule, wherever something is done to a message.

Owns the measure, and the way off the loop. A thread is off the loop only as long as no single call
in it holds the interpreter: what runs here goes through large octets in steps (`core.mail.octets`),
and what cannot is done in a process (`adapters.workers.reader_pool`). Must not know what the work
is.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from mailguard.core.mail.transaction import Transaction

P = ParamSpec("P")
Result = TypeVar("Result")

LARGE = 131_072  # octets: a few milliseconds of work
_RECIPIENT = 656  # octets that a recipient weighs: 200 of them are large


def weight(transaction: Transaction) -> int:
    """What a transaction's work is measured by, in octets: its message, or its many recipients."""
    return max(len(transaction.message.raw), _RECIPIENT * len(transaction.envelope.recipients))


async def fingerprint(raw: bytes) -> bytes:
    """What tells a message from all others: its SHA-256. Hashing lets other threads run."""
    return await off_loop_if_large(len(raw), _fingerprint, raw)


def _fingerprint(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


async def off_loop_if_large(
    octets: int, work: Callable[P, Result], *args: P.args, **more: P.kwargs
) -> Result:
    """Do pure work at once, or, on so many octets, in a thread, so that others get their turns.
    Raises what the work raises."""
    if octets < LARGE:
        return work(*args, **more)
    return await asyncio.to_thread(work, *args, **more)
