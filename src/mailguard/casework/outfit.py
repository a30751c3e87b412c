"""What a workflow is made from: the store, the clock, settings, and ports to the world.

Owns the types of what single workflows want beyond `Work`. Must not know any workflow.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mailguard.casework.beforehand import GivenBeforehand
from mailguard.casework.workflow import Work
from mailguard.core.sheets.parents import ImportPlan
from mailguard.core.sheets.sheet import Sheet, SheetRejected
from mailguard.pipeline.ports import UnblockedSenders

Teach = Callable[[str, Sequence[str], bool], Awaitable[None]]
"""Teach the filter: a message's digest, its words, whether it is spam. Known ones count once."""

ReadSheet = Callable[[bytes, str], Awaitable[Sheet | SheetRejected]]


class Importing(UnblockedSenders, Protocol):
    """The unblocked list, as a sheet needs it."""

    async def take_in(self, plan: ImportPlan, batch: str, by: str, now: float) -> None: ...


async def teach_nobody(digest: str, words: Sequence[str], spam: bool) -> None:
    """Where nothing is to be learned."""


@dataclass(frozen=True)
class Outfit:
    """Handed to every workflow; each takes what it needs."""

    work: Work
    settings: Any  # as `config.settings.schema` has them: each workflow reads its own section
    beforehand: GivenBeforehand
    teach: Teach
    read_sheet: ReadSheet
    importing: Importing
