"""From `policy.yaml` to a Policy: which checks run, and what their findings lead to.

Owns the file's form and its digest. Must not know any particular check: they come as a parameter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, TypeAdapter

from mailguard.config.form.errors import ConfigError, ConfigErrors
from mailguard.config.form.forms import Section
from mailguard.config.form.validate import suggest, validate
from mailguard.config.form.yaml import Document, Key, load_file
from mailguard.core.decision import approval
from mailguard.core.decision.approval import ApprovalBy
from mailguard.core.decision.decide import error_code
from mailguard.core.decision.policy import Check, CheckSettings, Mode, Policy, PolicyStep
from mailguard.core.decision.verdict import Disposition
from mailguard.core.mail.safe_text import quoted
from mailguard.core.people.directory import Directory
from mailguard.core.people.rights import ROLES
from mailguard.core.record.formats import Format

FILE = "policy.yaml"
# Of what `policy_json` writes and `restore` reads. Format 1 is the bare list of steps, which has no
# place for its number, and whose digest names the policy; a later one is an object with its number.
POLICY = Format("policy", TypeAdapter(Any))
Word = Literal["forward", "quarantine", "hold", "bounce", "defer"]
# Never forward (nothing fails open), never bounce (our trouble is not the sender's fault).
ErrorWord = Literal["quarantine", "hold", "defer"]


_NAMES = {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True}
_PAIR = {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2}
_APPROVERS: dict[str, Any] = {
    "oneOf": [
        _NAMES,
        {
            "type": "object",
            "properties": {approval.BOTH: _PAIR},
            "required": [approval.BOTH],
            "additionalProperties": False,
        },
    ]
}


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
    approvers: dict[str, Any] = Field(
        default_factory=dict,
        description="Whose yes a held copy needs, by the finding's code; what is not listed needs "
        "what the check says (findings.md). `[human_resources]`: that of anybody of Human "
        "Resources. `[site_administration, technology]`: that of either. `both: [technology, "
        "human_resources]`: one of each, by different people. May be named: `site_administration` "
        "of the sender's site or department, `technology` (the Technology Services Director), "
        "`supervisor` of the sender, any role of the directory, `person:` with an id of the "
        "directory, and `outside:` with an id of `directory/outside.yaml`.",
        json_schema_extra={"additionalProperties": _APPROVERS},
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
    approvers: dict[str, tuple[ApprovalBy, ...]] = {}
    for code, value in step.approvers.items():
        path = (*at, "approvers", code)
        if code not in declared:
            problem = f"is no finding of {check.name}{suggest(code, declared)}"
            errors.append(document.error(path, problem, ", ".join(declared), key=True))
            continue
        try:
            approvers[code] = approval.read(value)
        except ValueError as wrong_form:
            errors.append(document.error(path, "has another form", str(wrong_form)))
            continue
        for where, name in _named(path, value):
            if not approval.is_office(name):
                problem = f"{quoted(name)} approves nothing{_meant(name)}"
                errors.append(document.error(where, problem, _ALLOWED))
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
    on_error = Disposition[step.on_error.upper()]
    return PolicyStep(check, settings, chosen, on_error, step.mode, approvers)


_KNOWN = (*approval.OFFICES, *ROLES)
_ALLOWED = f"{', '.join(_KNOWN)}, person: with an id, outside: with an id (without | and ~)"


def _named(at: Key, value: Any) -> Iterator[tuple[Key, str]]:
    """Every approver that one finding's entry names, with its place."""
    if isinstance(value, dict):
        at, value = (*at, approval.BOTH), value[approval.BOTH]
    yield from (((*at, index), name) for index, name in enumerate(value))


def _meant(name: str) -> str:
    if "@" in name:
        return ": people are named by person: and their id, others by outside: and theirs"
    return suggest(name, _KNOWN)


def check_approvers(directory: Path, policy: Policy, people: Directory) -> tuple[ConfigError, ...]:
    """Hold the people whom `approvers` names to the directory; warnings about roles that nobody
    has. Raises ConfigErrors."""
    if not any(step.approvers for step in policy.steps):
        return ()
    document = load_file(directory / FILE)
    errors: list[ConfigError] = []
    warnings: list[ConfigError] = []
    for index, step in enumerate(document.value["steps"]):
        for code, value in (step.get("approvers") or {}).items():
            for where, name in _named(("steps", index, "approvers", code), value):
                id = name.removeprefix(approval.PERSON)
                if name.startswith(approval.PERSON) and id not in people.people:
                    close = suggest(id, people.people) if len(people.people) <= 5_000 else ""
                    problem = f"{quoted(id)} is nobody in the directory{close}"
                    allowed = "an id of directory/people.csv"
                    errors.append(document.error(where, problem, allowed))
                elif name.startswith(approval.OUTSIDE) and name not in people.outside:
                    problem = f"{quoted(name)} is not registered{suggest(name, people.outside)}"
                    allowed = ", ".join(people.outside) or "an entry of directory/outside.yaml"
                    errors.append(document.error(where, problem, allowed))
                elif name in ROLES and not people.with_role(name, date.min):
                    problem = f"nobody in the directory has the role {quoted(name)}, so nobody is "
                    problem += "asked and the console decides"
                    warnings.append(document.error(where, problem))
    if errors:
        raise ConfigErrors(errors)
    return tuple(warnings)


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
                **_approvers_json(step),
            }
            for step in steps
        ]
    )


def _approvers_json(step: PolicyStep) -> dict[str, Any]:
    """Left out where policy says nothing, so that such a policy's digest is what it always was."""
    said = {code: approval.written(wanted) for code, wanted in step.approvers.items()}
    return {"approvers": said} if said else {}


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
        said = written.get("approvers", {}).items()
        approvers = {code: approval.read(value) for code, value in said}
        mode = Mode(written["mode"])
        steps.append(PolicyStep(check, settings, chosen, on_error, mode, approvers))
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
