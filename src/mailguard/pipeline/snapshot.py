"""One consistent view of the configuration: a message reads it once and keeps it to the end.

Must not know files; `config.load` makes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailguard.core.decision.facts import Unblocked
from mailguard.core.decision.policy import Policy
from mailguard.core.people.calendar import Calendar
from mailguard.core.people.directory import Directory
from mailguard.core.people.district import District


@dataclass(frozen=True)
class Snapshot:
    """Policy, directory, the list's files and notice texts as of one load."""

    district: District
    policy: Policy
    directory: Directory
    unblocked: Mapping[str, Unblocked]  # from allowlist.d, by lower-case address
    notices: Mapping[str, str]  # template texts by name, "blocked" for notices/blocked.txt
    digest: str  # of all of it
    link_keys: tuple[bytes, ...] = field(default=(), repr=False)  # newest first
    calendar: Calendar = field(default_factory=Calendar)
