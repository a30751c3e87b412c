"""From `policy.yaml` to a Policy: which checks run, and what their findings lead to.

Owns the file's form and its digest. Must not know any particular check: they come as a parameter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, TypeAdapter

from mailguard.config.form.errors import ConfigError, ConfigErrors
from mailguard.config.form.forms import Section
from mailguard.config.form.validate import suggest, validate
from mailguard.config.form.yaml import Document, Key, load_file
from mailguard.core.decision.decide import error_code
from mailguard.core.decision.policy import Check, CheckSettings, Mode, Policy, PolicyStep
from mailguard.core.decision.verdict import Disposition
from mailguard.core.mail.safe_text import quoted
from mailguard.core.record.formats import Format

FILE = "policy.yaml"
# Of what `policy_json` writes and `restore` reads. Format 1 is the bare list of steps, which has no
# place for its number, and whose digest names the policy; a later one is an object with its number.
POLICY = Format("policy", TypeAdapter(Any))
Word = Literal["forward", "quarantine", "hold", "bounce", "defer"]
# Never forward (nothing fails open), never bounce (our trouble is not the sender's fault).
ErrorWord = Literal["quarantine", "hold", "defer"]


class StepFile(Section):
    """One step of `policy.yaml`."""

    check: str = Field(description="The check's name.")
    mode: Mode = Field(
        Mode.ENFORCE,
        description="`enforce`, or `observe`: record what would have been done, change nothing.",
    )
    on_error: ErrorWord = Field(
        "quarantine", description="What happens to a message that the check failed on."
    )
    on_finding: dict[str, Word] = Field(
        default_factory=dict,
        description="What a finding leads to, by its code; the check's own default otherwise.",
    )
    settings: dict[str, Any] = Field(default_factory=dict, description="The check's own settings.")


class PolicyFile(Section):
    """`policy.yaml`."""

    steps: tuple[StepFile, ...] = Field(
        min_length=1,
        description="Every check that runs. The order is the one in which reasons are shown.",
    )


def load_policy(directory: Path, checks: Sequence[Check]) -> tuple[Policy, tuple[ConfigError, ...]]:
    """Read `policy.yaml`; the policy, and warnings about checks that it leaves out.

    Raises ConfigErrors.
    """
    document = load_file(directory / FILE)
    written = validate(PolicyFile, document.value, document)
    by_name = {check.name: check for check in checks}
    errors: list[ConfigError] = []
    steps: list[PolicyStep] = []
    first: dict[str, int] = {}
    for index, step in enumerate(written.steps):
        at: Key = ("steps", index)
        check = by_name.get(step.check)
        if check is None:
            problem = f"{quoted(step.check)} is no check{suggest(step.check, by_name)}"
            errors.append(document.error((*at, "check"), problem, ", ".join(by_name)))
        elif first.setdefault(step.check, index) != index:
            problem = f"{quoted(step.check)} is steps[{first[step.check]}] already"
            errors.append(document.error((*at, "check"), problem, "each check once"))
        else:
            try:
                steps.append(_step(check, step, document, at))
            except ConfigErrors as wrong:
                errors += wrong.errors
    if errors:
        raise ConfigErrors(errors)
    missing = [name for name in by_name if name not in first]
    warnings = tuple(
        document.error(("steps",), f"the check {quoted(name)} is not listed, so it does not run")
        for name in missing
    )
    return Policy(tuple(steps), digest_of(steps)), warnings


def _step(check: Check, step: StepFile, document: Document, at: Key) -> PolicyStep:
    errors: list[ConfigError] = []
    declared = {kind.code: kind.default for kind in check.findings}
    for code in step.on_finding:
        if code not in declared:
            problem = f"is no finding of {check.name}{suggest(code, declared)}"
            if code == error_code(check.name):
                problem = "the check's own failure has a key of its own: on_error"
            path = (*at, "on_finding", code)
            errors.append(document.error(path, problem, ", ".join(declared), key=True))
    settings: CheckSettings | None = None
    try:
        settings = validate(check.Settings, step.settings, document, (*at, "settings"))
    except ConfigErrors as wrong:
        errors += wrong.errors
    if errors or settings is None:
        raise ConfigErrors(errors)
    chosen = {
        code: Disposition[step.on_finding[code].upper()] if code in step.on_finding else default
        for code, default in declared.items()
    }
    return PolicyStep(check, settings, chosen, Disposition[step.on_error.upper()], step.mode)


def digest_of(steps: Sequence[PolicyStep]) -> str:
    """SHA-256 of everything the policy says."""
    return hashlib.sha256(policy_json(steps)).hexdigest()


def policy_json(steps: Sequence[PolicyStep]) -> bytes:
    """Everything the policy says, defaults written out, as canonical JSON; see `restore`."""
    return canonical(
        [
            {
                "check": step.check.name,
                "mode": step.mode.value,
                "on_error": step.on_error.word,
                "on_finding": {c: d.word for c, d in step.on_finding.items()},
                "settings": step.settings.model_dump(),
            }
            for step in steps
        ]
    )


def restore(stored: bytes, checks: Sequence[Check]) -> Policy:
    """A policy of the past from its `policy_json`, for `explain`.

    Raises NewerFormat, or KeyError or ValueError when this version has no such check or setting
    any more.
    """
    by_name = {check.name: check for check in checks}
    steps = []
    for written in POLICY.document(stored):
        check = by_name[written["check"]]
        chosen = {c: Disposition[w.upper()] for c, w in written["on_finding"].items()}
        settings = check.Settings.model_validate(written["settings"])
        on_error = Disposition[written["on_error"].upper()]
        steps.append(PolicyStep(check, settings, chosen, on_error, Mode(written["mode"])))
    return Policy(tuple(steps), hashlib.sha256(stored).hexdigest())


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: equal values, equal octets."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_plain
    ).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)
