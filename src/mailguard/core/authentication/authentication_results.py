"""Authentication-Results: written, read, and known for ours (RFC 8601).

Owns the field's grammar. A value that came from outside cannot end a result, a comment or a line
in what is written. Reading is linear, bounded, and never raises. Must not know how results came
about, or whom to believe.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mailguard.core.decision.facts import Arc, Dkim, Dmarc, Spf, Unavailable
from mailguard.core.mail import safe_text

MAX_READ: Final = 16_384  # characters; nobody's field is longer, and we do not read it
MAX_VALUE: Final = 320  # of one property: the longest address
MAX_REASON: Final = 160

_PLAIN: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+^_`{|}~-][A-Za-z0-9.!#$%&'*+^_`{|}~-]*+"  # a token or a local part
    r"(?:@[A-Za-z0-9.-]++)?+|@[A-Za-z0-9.-]++"
)
_KEYWORD: Final = re.compile(r"[a-z][a-z0-9-]*+")
_TOKEN: Final = re.compile(
    r'[ \t\r\n]++|"(?P<quoted>(?:[^"\\]|\\.)*+)"'
    r'|(?P<word>[^\x00-\x20()<>,;:\\"\[\]?=\x7f]++)|(?P<sign>.)',
    re.DOTALL,
)
_COMMENT: Final = re.compile(r"[^()\\]++|\\.|[()\\]", re.DOTALL)
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
_NOT_UTF8: Final = "\ufffd"
_SQUEEZED: Final = re.compile(r'[ \t\r\n"\\]++')


@dataclass(frozen=True, slots=True)
class Result:
    """One method's result (RFC 8601 2.2); properties are ("smtp.mailfrom", value) pairs."""

    method: str
    result: str
    reason: str = ""
    properties: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Results:
    """What one field says, and who says it."""

    authserv_id: str  # as written
    results: tuple[Result, ...]


def results_of(
    spf: Spf | Unavailable,
    dkim: tuple[Dkim, ...] | Unavailable,
    arc: Arc | Unavailable,
    dmarc: Dmarc | Unavailable,
    *,
    mailfrom: str = "",
) -> tuple[Result, ...]:
    """The facts as results (RFC 8601 2.7, RFC 8617 10.2). What did not answer is temperror; ARC has
    no such word and is left out. `mailfrom` is the reverse-path, "" for the null one."""
    found = [_spf(spf, mailfrom)]
    if isinstance(dkim, Unavailable):
        found.append(Result("dkim", "temperror", dkim.unavailable))
    elif not dkim:
        found.append(Result("dkim", "none"))
    else:
        found += [_dkim(signature) for signature in dkim]
    if isinstance(arc, Arc):
        found.append(Result("arc", arc.cv, arc.reason))
    if isinstance(dmarc, Unavailable):
        found.append(Result("dmarc", "temperror", dmarc.unavailable))
    else:
        properties = (("header.from", dmarc.domain),) if dmarc.domain else ()
        found.append(Result("dmarc", dmarc.result, "", properties))
    return tuple(found)


def _spf(spf: Spf | Unavailable, mailfrom: str) -> Result:
    mailfrom_property = (("smtp.mailfrom", mailfrom),) if mailfrom else ()
    if isinstance(spf, Unavailable):
        return Result("spf", "temperror", spf.unavailable, mailfrom_property)
    if spf.identity == "helo":
        return Result("spf", spf.result, "", (("smtp.helo", spf.domain),))
    return Result("spf", spf.result, "", mailfrom_property or (("smtp.mailfrom", spf.domain),))


def _dkim(signature: Dkim) -> Result:
    told = (
        ("header.d", signature.domain),
        ("header.s", signature.selector),
        ("header.a", signature.algorithm),
        ("header.b", signature.signature[:8]),  # RFC 6008
    )
    properties = tuple((name, value) for name, value in told if value)
    return Result("dkim", signature.result, signature.reason, properties)


def write(authserv_id: str, results: Sequence[Result]) -> bytes:
    """The field's value, authserv-id first, folded, without a line end at its end."""
    parts = [_value(authserv_id)]
    for result in results:
        text = f"{_keyword(result.method)}={_keyword(result.result)}"
        if result.reason:
            text += f" reason={_quoted(result.reason[:MAX_REASON])}"
        for name, value in result.properties:
            ptype, _, property_name = name.partition(".")
            text += f"\r\n\t {_keyword(ptype)}.{_keyword(property_name)}={_value(value)}"
        parts.append(text)
    return ";\r\n\t".join(parts if results else [*parts, "none"]).encode("ascii")


def field(authserv_id: str, results: Sequence[Result]) -> bytes:
    """The whole field, CRLF included, to be put on top."""
    return b"Authentication-Results: " + write(authserv_id, results) + b"\r\n"


def read(value: bytes | str) -> Results | None:
    """What a value says, comments left out; None where its authserv-id cannot be told for sure.
    A result that is malformed is left out."""
    text = _decoded(value)
    tokens = _tokens(text) if len(text) <= MAX_READ else None
    if not tokens:
        return None
    statements: list[list[tuple[str, str]]] = [[]]
    for token in tokens:
        if token == ("sign", ";"):
            statements.append([])
        else:
            statements[-1].append(token)
    head, *rest = statements
    if not head or head[0][0] == "sign" or len(head) > 2 or _NOT_UTF8 in head[0][1]:
        return None
    if len(head) == 2 and not (head[1][0] == "word" and head[1][1].isdecimal()):
        return None  # only a version may follow
    name = head[0][1]
    if head[0][0] == "word":
        name = name.partition("/")[0].partition("@")[0]
    found = [_result(statement) for statement in rest]
    return Results(name, tuple(result for result in found if result is not None))


def is_ours(value: bytes, authserv_id: str) -> bool:
    """Whether a field that came from outside could be read as ours, and so must go (RFC 8601 5).

    What cannot be read for sure goes where it holds our name at all: to take off another's field
    harms nobody, to leave a forged one does.
    """
    ours = _comparable(authserv_id)
    found = read(value)
    if found is not None:
        return _comparable(found.authserv_id) == ours
    text = _comparable(_decoded(value))
    return ours in text or ours in _SQUEEZED.sub("", text)


def _result(tokens: list[tuple[str, str]]) -> Result | None:
    """method=result, reason=…, properties; None for anything else, "none" included."""
    pairs: list[tuple[str, str]] = []
    position = 0
    while position < len(tokens):
        triple = tokens[position : position + 3]
        if len(triple) < 3 or triple[0][0] != "word" or triple[1] != ("sign", "="):
            return None
        if triple[2][0] == "sign":
            return None
        pairs.append((triple[0][1].lower(), triple[2][1]))
        position += 3
    if not pairs:
        return None
    method, result = pairs[0]
    reason = "".join(value for name, value in pairs[1:2] if name == "reason")
    properties = tuple(pair for pair in pairs[1:] if "." in pair[0])
    return Result(method.partition("/")[0], result.lower(), reason, properties)


def _tokens(text: str) -> list[tuple[str, str]] | None:
    """(kind, text) of words, quoted strings and signs; None where a comment is not closed."""
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        if text[position] == "(":
            position = _comment_end(text, position)
            if position < 0:
                return None
            continue
        match = _TOKEN.match(text, position)
        if match is None:  # cannot be: every character is a sign at least
            return None
        position = match.end()
        if match.lastgroup == "quoted":
            found.append(("quoted", _QUOTED_PAIR.sub(r"\1", match["quoted"])))
        elif match.lastgroup is not None:
            found.append((match.lastgroup, match[0]))
    return found


def _comment_end(text: str, start: int) -> int:
    """Past the comment that begins at `start`, nested ones included; -1 where it has no end."""
    depth = 0
    for match in _COMMENT.finditer(text, start):
        depth += (match[0] == "(") - (match[0] == ")")
        if depth == 0:
            return match.end()
    return -1


def _decoded(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _comparable(name: str) -> str:
    """A name as a lenient reader may compare it."""
    return unicodedata.normalize("NFKC", name).casefold().rstrip(".")


def _keyword(text: str) -> str:
    """A method's, result's or property's name; these are never another's words."""
    lowered = text.lower()
    return lowered if _KEYWORD.fullmatch(lowered) else "unknown"


def _value(text: str) -> str:
    """A property's value: bare where it may be, quoted where it must be (RFC 8601 2.2)."""
    cut = text[:MAX_VALUE]
    return cut if _PLAIN.fullmatch(cut) else _quoted(cut)


def _quoted(text: str) -> str:
    """A quoted string of printable ASCII; all else becomes "?", so that nothing ends a line."""
    return '"' + safe_text.ascii_line(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
