"""From a configuration directory to one Loaded, or every error in it.

Owns the order in which the files are read and the digest of it all. Must not know the forms of
the single files: each has its module.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, TypeVar

from mailguard.config.allowlist import FileEntries, load_allowlist
from mailguard.config.calendar import load_calendar
from mailguard.config.directory.people import load_directory
from mailguard.config.form.errors import ConfigError, ConfigErrors
from mailguard.config.keys import link_keys
from mailguard.config.notices import load_notices
from mailguard.config.policy import canonical, check_approvers, load_policy
from mailguard.config.settings.read import FILE, district_of, load_settings
from mailguard.config.settings.schema import Settings
from mailguard.core.decision.policy import Check, Policy
from mailguard.core.mail.safe_text import quoted
from mailguard.core.mail.transaction import Role
from mailguard.core.people.calendar import Calendar
from mailguard.core.people.directory import Directory
from mailguard.pipeline.snapshot import Snapshot

T = TypeVar("T")


@dataclass(frozen=True)
class Loaded:
    """A configuration that may be put in force."""

    directory: Path
    settings: Settings
    snapshot: Snapshot
    calendar: Calendar
    warnings: tuple[ConfigError, ...] = ()  # odd, and allowed


def default_checks() -> Sequence[Check]:
    """The checks of this release, imported when they are needed: they are heavy."""
    from mailguard.checks import CHECKS

    return CHECKS


def load(
    directory: Path, *, checks: Sequence[Check] | None = None, create_keys: bool = False
) -> Loaded:
    """Read everything below a configuration directory.

    Raises ConfigErrors with all errors of all files. Writes nothing unless `create_keys`, which
    makes the missing `link.keys` in the state directory.
    """
    checks = default_checks() if checks is None else checks
    errors: list[ConfigError] = []

    def attempt(read: Callable[[], T]) -> T | None:
        try:
            return read()
        except ConfigErrors as wrong:
            errors.extend(wrong.errors)
            return None

    if not directory.is_dir():
        problem = "there is no such directory"
        raise ConfigErrors([ConfigError(str(directory), 1, 1, "", problem, "a directory")])
    settings = attempt(lambda: load_settings(directory))
    policy = attempt(lambda: load_policy(directory, checks))
    notices = attempt(lambda: load_notices(directory))
    if settings is None:  # the rest is read with the district's domains and time zone
        raise ConfigErrors(errors)
    district = district_of(settings)
    people = attempt(lambda: load_directory(directory, district))
    unapproved = (
        attempt(lambda: check_approvers(directory, policy[0], people))
        if policy is not None and people is not None
        else None
    )
    unblocked = attempt(lambda: load_allowlist(directory, district.time_zone))
    calendar = attempt(lambda: load_calendar(directory, district.time_zone))
    if errors:  # a configuration that is refused leaves nothing behind
        raise ConfigErrors(errors)
    keys = attempt(lambda: link_keys(settings.storage.state, create=create_keys))
    if (
        policy is None
        or notices is None
        or people is None
        or unblocked is None
        or calendar is None
        or keys is None
    ):
        raise ConfigErrors(errors)
    digest = _digest(policy[0], astuple(district), people, unblocked, notices, (astuple(calendar),))
    snapshot = Snapshot(district, policy[0], people, unblocked, notices, digest, keys, calendar)
    warnings = (*policy[1], *(unapproved or ()), *_odd(settings, directory))
    return Loaded(directory, settings, snapshot, calendar, warnings)


def _odd(settings: Settings, directory: Path) -> Iterable[ConfigError]:
    """What is allowed and probably not meant."""
    file = str(directory / FILE)
    passwords = settings.auth.password_file
    if passwords is not None and not passwords.is_file():
        problem = f"there is no file {quoted(str(passwords))} yet, so nobody can log in"
        yield ConfigError(file, 1, 1, "auth.password_file", problem)
    if settings.auth.insecure_login:
        for listener in settings.listeners:
            if listener.role is Role.SUBMISSION and not _loopback(listener.address.host):
                problem = f"listener {quoted(listener.name)} takes passwords without TLS"
                yield ConfigError(file, 1, 1, "auth.insecure_login", problem)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _digest(
    policy: Policy,
    district: tuple[object, ...],
    people: Directory,
    unblocked: FileEntries,
    notices: Mapping[str, str],
    calendar: tuple[object, ...],
) -> str:
    """SHA-256 over canonical JSON of everything that a decision or a notice depends on."""
    parts: list[Any] = [
        policy.digest,
        district,
        [[_fields(entry) for entry in index.values()] for index in _indexes(people)],
        unblocked.digest,
        notices,
        repr(calendar),
    ]
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(canonical(part) + b"\n")
    return hashed.hexdigest()


def _indexes(people: Directory) -> list[Mapping[Any, Any]]:
    every: list[Mapping[Any, Any]] = [people.people, people.sites, people.groups, people.accounts]
    occasions = (people.units, dict(enumerate(people.events)))
    others = (people.outside,) if people.outside else ()  # without any, the digest is as it was
    return [*every, dict(enumerate(people.delegations)), *occasions, *others]


def _fields(entry: Any) -> list[Any]:
    return [getattr(entry, name) for name in entry.__dataclass_fields__]
