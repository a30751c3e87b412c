"""The unblocked list as administrators write it in `allowlist.d/*.txt` (R37).

Owns the form of a line and the entries of the files in memory. Every address passes
`core.mail.mailbox.single_address`. Must not know what an entry waives.

A line is an address and what is known of it; one that begins with `defaults:` says it for all
lines below it in that file. An entry without `added=` is as old as its file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from mailguard.config.form.errors import ConfigError, ConfigErrors
from mailguard.config.form.yaml import read_text
from mailguard.core.decision.facts import Unblocked
from mailguard.core.mail.mailbox import single_address
from mailguard.core.mail.safe_text import quoted

FOLDER = "allowlist.d"
_DEFAULTS = "defaults:"
_KEYS = ("expires", "site", "by", "added", "waived_by")
_LAST = "because="  # its value is the rest of the line
_LINES = 1 << 24  # more than a file's limit in octets


@dataclass(frozen=True, slots=True)
class AllowlistLine:
    """One address on the list, with what was said about it."""

    address: str  # lower case
    expires: date | None = None  # the last day on which it counts
    site: str = ""
    by: str = ""  # who entered it
    added: date | None = None
    waived_by: str = ""  # who decided that it counts for mail that nothing proves
    because: str = ""


class FileEntries(Mapping[str, Unblocked]):
    """The entries of all files by address, a million in little room: what lines of a file share is
    kept once, and the line's number beside it."""

    def __init__(self) -> None:
        self.digest = ""  # of everything in it that a decision depends on
        self._shared: list[Unblocked] = []
        self._places: dict[str, int] = {}  # index into _shared * _LINES + line

    def __getitem__(self, address: str) -> Unblocked:
        group, line = divmod(self._places[address], _LINES)
        shared = self._shared[group]
        return Unblocked(
            address,
            f"{shared.origin}:{line}",
            shared.site,
            shared.expires_at,
            shared.added_at,
            shared.waived_by,
            shared.waived_because,
        )

    def get(self, address: str, default: object = None) -> Unblocked | None:  # type: ignore[override]  # no default is ever wanted
        return self[address] if address in self._places else None

    def __contains__(self, address: object) -> bool:
        return address in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def share(self, particulars: Unblocked) -> int:
        """The number of what lines have in common; its address is not looked at."""
        self._shared.append(particulars)
        return len(self._shared) - 1

    def put(self, address: str, group: int, line: int) -> None:
        """An address that comes again is kept with the later end: two schools may list it."""
        before = self._places.get(address)
        if before is None or _later(self._shared[group], self._shared[before // _LINES]):
            self._places[address] = group * _LINES + line


def load_allowlist(directory: Path, time_zone: str) -> FileEntries:
    """Every entry of `allowlist.d/*.txt` by address. A line is an address, then any of
    `expires=2027-06-30 site=oak by=jdoe added=2026-09-01`, and at the end `waived_by=jdoe
    because=words up to the end of the line`; a line `defaults:` holds for those below it. Raises
    ConfigErrors with all that is wrong; the problem gives R37's reason where it applies."""
    found = FileEntries()
    errors: list[ConfigError] = []
    hashed = hashlib.sha256()
    folder = directory / FOLDER
    for path in sorted(folder.glob("*.txt")) if folder.is_dir() else ():
        if path.name.startswith("."):
            continue
        try:
            text = read_text(path)
            saved_at = path.stat().st_mtime
        except ConfigErrors as wrong:
            errors += wrong.errors
            continue
        hashed.update(f"{path.name}\n".encode("utf-8", "surrogateescape"))
        defaults = AllowlistLine("")
        groups: dict[str, int] = {}  # by what stands after the address
        for number, line in enumerate(text.splitlines(), 1):
            written = _without_comment(line)
            words = written.split(maxsplit=1)
            if not words:
                continue
            hashed.update(written.encode())
            after = words[1] if len(words) > 1 else ""
            try:
                if words[0] == _DEFAULTS:
                    defaults, groups = _particulars(after, AllowlistLine("")), {}
                    continue
                address = single_address(words[0])
                group = groups.get(after)
                if group is None:
                    entry = _particulars(after, defaults)
                    shared = _shared(entry, f"{FOLDER}/{path.name}", saved_at, time_zone)
                    group = groups[after] = found.share(shared)
            except ValueError as error:
                problem, _, allowed = str(error).partition("; allowed: ")
                column = len(line) - len(line.lstrip()) + 1
                errors.append(ConfigError(str(path), number, column, "", problem, allowed))
                continue
            found.put(address, group, number)
    if errors:
        raise ConfigErrors(errors)
    found.digest = hashed.hexdigest()
    return found


def expires_at(last: date | None, time_zone: str) -> float | None:
    """The moment after an entry's last day, in the district's time zone; None without an end."""
    return None if last is None else _midnight(last + timedelta(days=1), time_zone)


def day(text: str) -> date:
    """A date as people write it here. Raises ValueError with `problem; allowed: …`."""
    try:
        if len(text) != 10:
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{quoted(text)} is no date; allowed: YYYY-MM-DD") from None


def _shared(entry: AllowlistLine, origin: str, saved_at: float, time_zone: str) -> Unblocked:
    added_at = saved_at if entry.added is None else _midnight(entry.added, time_zone)
    until = expires_at(entry.expires, time_zone)
    return Unblocked("", origin, entry.site, until, added_at, entry.waived_by, entry.because)


def _midnight(of: date, time_zone: str) -> float:
    return datetime.combine(of, time(), ZoneInfo(time_zone)).timestamp()


def _particulars(text: str, defaults: AllowlistLine) -> AllowlistLine:
    """What a line says after the address, beside what holds without it."""
    before, last, because = f" {text}".partition(f" {_LAST}")
    given: dict[str, str] = {}
    for word in before.split():
        key, equals, value = word.partition("=")
        if not equals or key not in _KEYS or not value:
            allowed = ", ".join(f"{key}=…" for key in _KEYS)
            raise ValueError(
                f"{quoted(word)} is not understood after the address; allowed: {allowed}, and last "
                f"{_LAST}…; one address a line"
            )
        if key in given:
            raise ValueError(f"{quoted(key)} comes twice; allowed: each once")
        given[key] = value
    entry = replace(
        defaults,
        expires=day(given["expires"]) if "expires" in given else defaults.expires,
        site=given.get("site", defaults.site),
        by=given.get("by", defaults.by),
        added=day(given["added"]) if "added" in given else defaults.added,
        waived_by=given.get("waived_by", defaults.waived_by),
        because=" ".join(because.split()) if last else defaults.because,
    )
    if bool(entry.waived_by) != bool(entry.because):
        raise ValueError(
            f"a waiver needs who decided it and why; allowed: waived_by=… and last {_LAST}…"
        )
    return entry


def _without_comment(line: str) -> str:
    """A `#` begins a comment at the start of a line or after a space; addresses may hold one."""
    if "#" not in line:
        return line
    for index, character in enumerate(line):
        if character == "#" and (index == 0 or line[index - 1].isspace()):
            return line[:index]
    return line


def _later(one: Unblocked, other: Unblocked) -> bool:
    if one.expires_at is None or other.expires_at is None:
        return one.expires_at is None and other.expires_at is not None
    return one.expires_at > other.expires_at
