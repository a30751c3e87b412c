"""MIME field values with parameters (RFC 2045 5.1, 2231), in every reading clients give them.

Owns how a parameter's value and a file name are read. Linear, never raises; what is odd comes
back as defect codes. Must not know parts or bodies.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from mailguard.core.mail import charset, encoded_words

MAX_PARAMETERS: Final = 200
MAX_OCTETS: Final = 65_536
MAX_READINGS: Final = 32

# The usual case, for speed: no parameter, or one that can be read in one way only.
_USUAL: Final = re.compile(
    rb"""([\w/.+-]++)(?:;[ \t]*+(\w++)=(?:"([\w=+/.:-]++)"|([\w=+/.:-]++));?+)?+""", re.VERBOSE
)
_COMMENT: Final = re.compile(rb"\([^()]{0,200}+\)")
_VALUE: Final = re.compile(rb"[^\s;()\"]*+")
_PARAMETER: Final = re.compile(
    rb"""\s*+;\s*+(?:([^\s=;"()]++)\s*+=\s*+
    (?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|([^\s;"()]*+))(?=\s*+(?:;|\Z)))?+""",
    re.DOTALL | re.VERBOSE,
)
_ODD: Final = re.compile(rb"([^=;]*+)(=?+)((?:[^\";]|\"[^\"]*+(?:\"|\Z))*+)")
_QUOTED_PAIR: Final = re.compile(rb"\\(.)", re.DOTALL)
_SECTION: Final = re.compile(r"([^*]+)(?:\*([0-9]{1,4}))?(\*?)")


@dataclass(frozen=True, slots=True)
class Value:
    """A field's first word and its parameters."""

    token: str  # lower case: "text/plain", "attachment"
    parameters: dict[str, str]  # lower case names; RFC 2231 decoded
    readings: dict[str, tuple[str, ...]]  # every reading of a parameter, most usual first
    boundary: bytes  # the boundary parameter's octets
    defects: tuple[str, ...]


EMPTY: Final = Value("", {}, {}, b"", ())


class _Collected:
    """One parameter's forms: plain, extended, and sections."""

    __slots__ = ("extended", "plain", "sections")

    def __init__(self) -> None:
        self.plain: list[bytes] = []
        self.extended: list[bytes] = []
        self.sections: dict[int, tuple[bytes, bool]] = {}


def parse(raw: bytes) -> Value:
    """Read the raw value of Content-Type or Content-Disposition."""
    value = encoded_words.unfold(raw)
    if usual := _USUAL.fullmatch(value):
        return _from_usual(usual)
    defects: dict[str, None] = {}
    if len(value) > MAX_OCTETS:
        value = value[:MAX_OCTETS]
        defects["parameters-too-many"] = None
    if b"(" in value:
        stripped = _COMMENT.sub(b" ", value)
        if b"=" in value and stripped != value and b'"' in value:
            stripped = value  # a parenthesis within quotes is no comment
        value = stripped
    match = _VALUE.match(value)
    token = match[0] if match else b""
    collected: dict[str, _Collected] = {}
    position = len(token)
    for _ in range(MAX_PARAMETERS):
        if position >= len(value):
            break
        position = _read_one(value, position, collected, defects)
    else:
        defects["parameters-too-many"] = None
    parameters: dict[str, str] = {}
    readings: dict[str, tuple[str, ...]] = {}
    for name, forms in collected.items():
        readings[name] = _readings(name, forms, defects)
        parameters[name] = readings[name][0]
    boundary = b""
    if forms_of_boundary := collected.get("boundary"):
        boundary = _boundary(forms_of_boundary, defects)
    return Value(encoded_words.plain(token).lower(), parameters, readings, boundary, tuple(defects))


def _from_usual(match: re.Match[bytes]) -> Value:
    token, name, quoted, bare = match.groups()
    if name is None:
        return Value(token.decode("ascii").lower(), {}, {}, b"", ())
    octets = bare if quoted is None else quoted
    key, text = name.decode("ascii").lower(), octets.decode("ascii")
    boundary = octets if key == "boundary" else b""
    return Value(token.decode("ascii").lower(), {key: text}, {key: (text,)}, boundary, ())


def filenames(disposition: Value, content_type: Value) -> tuple[str, ...]:
    """Every name a client may show or save by, Content-Disposition's first."""
    if not disposition.readings and not content_type.readings:
        return ()
    found = (*disposition.readings.get("filename", ()), *content_type.readings.get("name", ()))
    return tuple(dict.fromkeys(name for name in found if name))[:MAX_READINGS]


def _read_one(
    value: bytes, position: int, collected: dict[str, _Collected], defects: dict[str, None]
) -> int:
    """One parameter from its semicolon on; where it ends."""
    match = _PARAMETER.match(value, position)
    if match is not None and match[1] is not None:
        octets = match[3] if match[2] is None else match[2]
        _collect(match[1], octets, collected, defects)
        return match.end()
    position = match.end() if match is not None else position
    odd = _ODD.match(value, position)
    if odd is None or odd.end() <= position:
        return position + (match is None)
    name, equals, text = odd.groups()
    if equals:
        _collect(name.strip(), text.strip(b' \t\r\n"'), collected, defects)
        key = name.strip().lower()
        harmless = key.startswith((b"name", b"filename")) and b'"' not in odd[0]
        defects["filename-unquoted" if harmless else "parameter-malformed"] = None
        if harmless and b" " in text:
            _collect(name.strip(), text.split()[0], collected, {})
    elif name.strip():
        defects["parameter-malformed"] = None
    return odd.end()


def _collect(
    name: bytes, octets: bytes, collected: dict[str, _Collected], defects: dict[str, None]
) -> None:
    match = _SECTION.fullmatch(encoded_words.plain(name).lower())
    if match is None:
        defects["parameter-malformed"] = None
        return
    base, section, star = match.groups()
    forms = collected.setdefault(base, _Collected())
    if section is not None:
        if int(section) in forms.sections:
            defects["parameter-repeated"] = None
        forms.sections.setdefault(int(section), (octets, bool(star)))
        return
    known = forms.extended if star else forms.plain
    if known:
        defects["boundary-repeated" if base == "boundary" else "parameter-repeated"] = None
    known.append(octets)


def _readings(name: str, forms: _Collected, defects: dict[str, None]) -> tuple[str, ...]:
    if not forms.extended and not forms.sections and len(forms.plain) == 1:
        octets = forms.plain[0]
        if b"\\" not in octets and b"=?" not in octets:
            return (encoded_words.plain(octets),)
    found: list[str] = []
    found += [_extended(octets, True) for octets in forms.extended]
    if forms.sections:
        joined, starred = _join(forms.sections, defects)
        found.append(_extended(joined, starred))
        if starred:
            found.append(encoded_words.plain(joined))
    for octets in forms.plain:
        unescaped = _QUOTED_PAIR.sub(rb"\1", octets)
        found += [encoded_words.decode(unescaped), encoded_words.plain(unescaped)]
        if unescaped != octets:
            found.append(encoded_words.plain(octets))  # Windows clients take backslashes literally
    if (forms.extended or forms.sections) and name in ("boundary", "charset"):
        defects["parameter-extended"] = None
    return tuple(dict.fromkeys(found))[:MAX_READINGS]


def _join(sections: dict[int, tuple[bytes, bool]], defects: dict[str, None]) -> tuple[bytes, bool]:
    """Sections in order (RFC 2231 3); the octets, percent-encoded where any section was."""
    numbers = sorted(sections)
    if numbers != list(range(len(numbers))):
        defects["parameter-sections"] = None
    starred = any(star for _, star in sections.values())
    pieces = []
    for number in numbers:
        octets, star = sections[number]
        if starred and not star:
            octets = octets.replace(b"%", b"%25")
        pieces.append(octets)
    if starred and not sections[numbers[0]][1]:
        pieces.insert(0, b"''")
    return b"".join(pieces), starred


def _extended(octets: bytes, encoded: bool) -> str:
    """charset'language'value (RFC 2231 4)."""
    if not encoded:
        return encoded_words.decode(_QUOTED_PAIR.sub(rb"\1", octets))
    label, quote, rest = octets.partition(b"'")
    language, second, text = rest.partition(b"'")
    if not quote or not second or len(language) > 40:
        label, text = b"", octets
    decoded = unquote_to_bytes(text)
    known = charset.named(label.decode("latin-1"))
    if known is None:
        return encoded_words.plain(decoded)
    return encoded_words.plain(decoded.decode(known.header, "replace").encode("utf-8", "replace"))


def _boundary(forms: _Collected, defects: dict[str, None]) -> bytes:
    """What delimits: the plain form, as mail clients read it, before RFC 2231's."""
    if forms.plain and (forms.extended or forms.sections):
        defects["boundary-repeated"] = None
    if forms.plain:
        return _QUOTED_PAIR.sub(rb"\1", forms.plain[0])
    if forms.extended:
        return unquote_to_bytes(forms.extended[0].rpartition(b"'")[2])
    joined, starred = _join(forms.sections, {})
    return unquote_to_bytes(joined.rpartition(b"'")[2]) if starred else joined
