"""Every workflow there is. A further one is a folder beside the others, and a line here.

Inbox, metrics, notices' texts and the reference take them from this list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import Gauge

from mailguard import metrics
from mailguard.casework.approvals.handler import Approvals
from mailguard.casework.approvals.texts import APPROVAL_TEXTS
from mailguard.casework.engine import Engine
from mailguard.casework.grants.handler import Grants
from mailguard.casework.unblocking.handler import Unblocking
from mailguard.casework.unblocking.texts import CASE_TEXTS
from mailguard.casework.workflow import Outfit, Workflow
from mailguard.core.notices.template import NoticeTexts

_NO_TEXTS = NoticeTexts({}, {})


@dataclass(frozen=True)
class Registration:
    """One workflow: how it is made, what it tells people, and where its open tickets are counted
    (how many, the oldest's age, how many overdue) beside `mailguard_tickets_*`."""

    kind: str
    make: Callable[[Outfit], Workflow[Any]]
    texts: NoticeTexts = _NO_TEXTS
    gauges: tuple[Gauge, Gauge, Gauge] | None = None


WORKFLOWS: Sequence[Registration] = (
    Registration(Approvals.kind, Approvals.made, APPROVAL_TEXTS, metrics.APPROVALS_GAUGES),
    Registration(Grants.kind, Grants.made),
    Registration(Unblocking.kind, Unblocking.made, CASE_TEXTS, metrics.CASES_GAUGES),
)


def engines(outfit: Outfit, workflows: Sequence[Registration]) -> Sequence[Engine[Any]]:
    """The handlers of their tickets and letters. Raises ValueError where two claim the same."""
    made = [Engine(one.make(outfit)) for one in workflows]
    for names in ([one.kind for one in made], [one.desk for one in made if one.desk]):
        if len(set(names)) < len(names):
            raise ValueError(f"declared twice: {', '.join(names)}")
    return made
