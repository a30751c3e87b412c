"""What differs between two configurations, in a few words for the log.

Must not know how they were read, or who is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from mailguard.config.form.forms import Address, Section
from mailguard.config.load import Loaded
from mailguard.config.settings.schema import Settings
from mailguard.core.decision.policy import Policy


def summary(old: Loaded, new: Loaded) -> list[str]:
    """Each kind of entry with how many came, went and changed: "people +3 -1 ~2"."""
    before, after = old.snapshot, new.snapshot
    said = [
        _counted(name, getattr(before.directory, name), getattr(after.directory, name))
        for name in ("people", "sites", "groups", "accounts", "outside")
    ]
    said.append(_counted("unblocked", before.unblocked, after.unblocked))
    said.append(_counted("notices", before.notices, after.notices))
    said += _policy(before.policy, after.policy)
    if old.calendar != new.calendar:
        said.append("calendar changed")
    changed = differing(old.settings, new.settings)
    if changed:
        said.append(f"settings: {', '.join(changed)}")
    return [word for word in said if word]


def differing(old: Settings, new: Settings) -> list[str]:
    """The settings that differ, by their dotted names."""
    return _differing(old, new, "")


def restarts(old: Settings, new: Settings) -> list[str]:
    """The changed settings that take effect after a restart: all but the district's own."""
    return [name for name in differing(old, new) if name.partition(".")[0] != "district"]


def _differing(old: BaseModel, new: BaseModel, prefix: str) -> list[str]:
    names = []
    for name in type(new).model_fields:
        one, other = getattr(old, name), getattr(new, name)
        if one == other:
            continue
        if isinstance(one, Section) and not isinstance(one, Address):
            names += _differing(one, other, f"{prefix}{name}.")
        else:
            names.append(f"{prefix}{name}")
    return names


def _counted(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    came, went = len(new.keys() - old.keys()), len(old.keys() - new.keys())
    altered = sum(1 for key, value in new.items() if key in old and old[key] != value)
    counts = ((f"+{came}", came), (f"-{went}", went), (f"~{altered}", altered))
    said = " ".join(word for word, count in counts if count)
    return f"{name} {said}" if said else ""


def _policy(old: Policy, new: Policy) -> list[str]:
    if old.digest == new.digest:
        return []
    before = {step.check.name: step for step in old.steps}
    after = {step.check.name: step for step in new.steps}
    said = [f"policy +{name}" for name in after if name not in before]
    said += [f"policy -{name}" for name in before if name not in after]
    for name, step in after.items():
        was = before.get(name)
        if was is not None:
            fields = ("mode", "settings", "on_finding", "on_error", "approvers")
            changed = [f for f in fields if getattr(was, f) != getattr(step, f)]
            if changed:
                said.append(f"policy {name}: {', '.join(changed)}")
    return said or ["policy order"]
