"""YAML as administrators mean it: plain values, each with its place.

Owns the accepted subset. Only `true` and `false` are booleans (`no` is Norway, `on` a word);
`12:30`, dates and numbers with leading zeros stay text; a key may not come twice; anchors, tags
and several documents are refused; depth and size are bounded. Read from the parser's events, so
that nothing here recurses. Must not know what the values mean.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mailguard.config.form.errors import ConfigError, ConfigErrors
from mailguard.core.mail.safe_text import quoted

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML without libyaml: slower, the same events
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]  # an equal interface

MAX_OCTETS = 16_777_216  # 16 MiB: people.yaml of a large district
MAX_DEPTH = 20
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,20})?(?:[eE][-+]?[0-9]{1,3})?")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
# Control characters, and the line separators that an editor does not count as lines.
_UNWANTED = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202f-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)

Key = tuple[str | int, ...]
Place = tuple[int, int]


@dataclass(slots=True)
class Document:
    """A file's values, and where each began."""

    file: str
    value: Any  # dict, list, str, bool, int, float or None
    places: dict[Key, Place] = field(default_factory=dict)  # of values
    keys: dict[Key, Place] = field(default_factory=dict)  # of the keys of mappings

    def place(self, path: Key) -> Place:
        """Where a value is; of something missing, where what should hold it is."""
        for end in range(len(path), -1, -1):
            for known in (self.places, self.keys):
                if path[:end] in known:
                    return known[path[:end]]
        return (1, 1)

    def error(
        self, path: Key, problem: str, allowed: str = "", *, key: bool = False
    ) -> ConfigError:
        """An error about the value at `path`, or about its key."""
        place = self.keys.get(path) if key else None
        line, column = place or self.place(path)
        return ConfigError(self.file, line, column, dotted(path), problem, allowed)


def dotted(path: Key) -> str:
    """A path as people write it: `listeners[1].address`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


def read_text(path: Path, limit: int = MAX_OCTETS) -> str:
    """A configuration file's text, decoded from UTF-8 with or without a byte order mark.

    Raises ConfigErrors: unreadable, too large, not UTF-8, control characters.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        raise ConfigErrors([ConfigError(str(path), 1, 1, "", problem)]) from None
    if len(raw) > limit:
        problem = "is too large"
        raise ConfigErrors([ConfigError(str(path), 1, 1, "", problem, f"{limit} octets")])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        start = raw.rfind(b"\n", 0, error.start) + 1
        line = raw.count(b"\n", 0, error.start) + 1
        column = len(raw[start : error.start].decode("utf-8", "replace")) + 1
        wrong = ConfigError(str(path), line, column, "", "is not UTF-8 text", "UTF-8")
        raise ConfigErrors([wrong]) from None
    unwanted = _UNWANTED.search(text)
    if unwanted:
        line, column = place_at(text, unwanted.start())
        problem = f"the invisible character U+{ord(unwanted[0]):04X}"
        raise ConfigErrors([ConfigError(str(path), line, column, "", problem, "printable text")])
    return text


def place_at(text: str, index: int) -> Place:
    """Line and column, from 1, of an index into a text."""
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)


def load_file(path: Path) -> Document:
    """Read one YAML file. Raises ConfigErrors."""
    return parse(read_text(path), str(path))


def parse(text: str, file: str) -> Document:
    """Read a YAML text; an empty one is None. Raises ConfigErrors with everything found."""
    builder = _Builder(file)
    try:
        for event in _events(text):
            builder.take(event)
    except _Stop:
        pass
    except yaml.MarkedYAMLError as error:
        builder.errors.append(_syntax_error(error, text, file))
    except yaml.YAMLError as error:
        builder.errors.append(ConfigError(file, 1, 1, "", f"is not YAML: {error}"))
    if builder.errors:
        raise ConfigErrors(builder.errors)
    return builder.document


class _Stop(Exception):
    """Reading on makes no sense."""


def _events(text: str) -> Iterator[Any]:
    events: Iterator[Any] = yaml.parse(text, Loader=_Loader)
    return events


@dataclass(slots=True)
class _Open:
    """A mapping or sequence whose end has not come yet."""

    value: Any
    path: Key
    key: str | None = None  # of a mapping: the key whose value comes next
    waiting: bool = True  # of a mapping: whether a key comes next


class _Builder:
    """Makes values of events, with a stack of its own."""

    def __init__(self, file: str) -> None:
        self.document = Document(file, None)
        self.errors: list[ConfigError] = []
        self._stack: list[_Open] = []
        self._documents = 0

    def take(self, event: Any) -> None:
        place = (event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._refuse(place, "a second document", "one document a file")
                raise _Stop
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._stack.pop()
        elif isinstance(event, yaml.AliasEvent):
            self._refuse(place, f"the alias *{event.anchor}", "the value written out")
            self._put(None, place)
        elif isinstance(event, yaml.NodeEvent):
            if event.anchor:
                self._refuse(place, f"the anchor &{event.anchor}", "the value written out")
            tag = getattr(event, "tag", None)
            if tag:
                self._refuse(place, f"the tag {tag}", "plain values without tags")
            self._node(event, place)

    def _node(self, event: Any, place: Place) -> None:
        if isinstance(event, yaml.ScalarEvent):
            holder = self._stack[-1] if self._stack else None
            if holder is not None and isinstance(holder.value, dict) and holder.waiting:
                self._key(holder, event.value, place)
            else:
                plain = event.style is None or event.style == ""
                self._put(self._scalar(event.value, place) if plain else event.value, place)
            return
        if self._stack and isinstance(self._stack[-1].value, dict) and self._stack[-1].waiting:
            self._refuse(place, "a list or mapping as a key", "a word as a key")
            raise _Stop
        if len(self._stack) >= MAX_DEPTH:
            self._refuse(place, "is nested too deeply", f"{MAX_DEPTH} levels")
            raise _Stop
        value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        path = self._put(value, place)
        self._stack.append(_Open(value, path))

    def _key(self, holder: _Open, key: str, place: Place) -> None:
        path = (*holder.path, key)
        first = self.document.keys.get(path)
        if first is not None:
            self.errors.append(
                ConfigError(
                    self.document.file,
                    *place,
                    dotted(path),
                    f"comes twice; it is in line {first[0]} already",
                    "each key once",
                )
            )
        else:
            self.document.keys[path] = place
        holder.key, holder.waiting = key, False

    def _put(self, value: Any, place: Place) -> Key:
        if not self._stack:
            self.document.value = value
            self.document.places[()] = place
            return ()
        holder = self._stack[-1]
        if isinstance(holder.value, dict):
            if holder.waiting or holder.key is None:  # an alias as a key
                raise _Stop
            path: Key = (*holder.path, holder.key)
            holder.value[holder.key] = value
            holder.waiting = True
        else:
            path = (*holder.path, len(holder.value))
            holder.value.append(value)
        self.document.places[path] = place
        return path

    def _scalar(self, text: str, place: Place) -> Any:
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            number = float(text)
            if math.isfinite(number):
                return number
            self._refuse(place, f"{quoted(text)} is too large a number")
        return text

    def _refuse(self, place: Place, problem: str, allowed: str = "") -> None:
        path = ""
        if self._stack:
            holder = self._stack[-1]
            step = holder.key if isinstance(holder.value, dict) else len(holder.value)
            path = dotted(holder.path if step is None else (*holder.path, step))
        self.errors.append(ConfigError(self.document.file, *place, path, problem, allowed))


def _syntax_error(error: yaml.MarkedYAMLError, text: str, file: str) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = text.split("\n")
    shown = lines[line - 1] if line <= len(lines) else ""
    if "\t" in shown[: len(shown) - len(shown.lstrip())] or shown[column - 1 : column] == "\t":
        return ConfigError(file, line, column, "", "a tab in the indentation", "spaces")
    if shown[column - 1 : column] in ("@", "`", "%"):
        problem = f"a value that begins with {shown[column - 1]}"
        return ConfigError(file, line, column, "", problem, "such a value in quotes")
    problem = error.problem or "is not YAML"
    if error.context:
        problem = f"{problem} ({error.context})"
    return ConfigError(file, line, column, "", f"is not YAML: {problem}")
