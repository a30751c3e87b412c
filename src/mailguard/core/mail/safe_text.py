"""What strangers wrote, made harmless for the place where it is shown: one function a place.

Owns what of Unicode is unseen, and what each place does with it. Every function is linear in what
it reads, never raises, and changes nothing that it has made safe before. `most` bounds the result
in characters: of what is longer, a beginning stays, and "…", which counts among them, says so. No
more than four times as much is read, so that nobody is shown text from far behind what is hidden.
Must not know who shows what, nor how mail is encoded.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from html import escape
from typing import Any, Final

# Unicode's general categories of what draws nothing, yet acts on what is drawn: controls, formats
# (marks and overrides of direction, joiners, tags), private use, surrogates, and what parts lines.
UNSEEN: Final = frozenset(("Cc", "Cf", "Co", "Cs", "Zl", "Zp"))
# Where every octet counts, as in an address to copy, also what is not assigned, and every space.
_DOUBTFUL: Final = UNSEEN | {"Cn", "Zs"}
# Letters and marks by category that are drawn as nothing: fillers, joiners, variation selectors.
_BLANK: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
# Formats that words are written with: Persian and Indic words and emoji need the joiners; the
# others are drawn, as a sign before or around a number. None of them turns or hides what follows.
JOINERS: Final = "\u200c\u200d"
_WRITTEN: Final = frozenset(
    JOINERS
    + "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
_RUNNING: Final = frozenset(f"{JOINERS}\u00ad\t")
# What ends a line, and the tab: words stay apart where they were.
_PARTS: Final = frozenset("\r\n\t\u2028\u2029")
_INSTEAD: Final = "\ufffd"
_MORE: Final = "…"
_NOT_ASCII_TEXT: Final = re.compile(r"[^\x20-\x7e]")
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")
_FORMULA: Final = frozenset("=+-@|%\t\r\n＝＋－＠")
_FILE_NAME: Final = (38, 40)  # characters of a long name: its beginning, and its end that counts
_TURNS: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_BREAKS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_URL: Final = re.compile(r"(?:https?|ftp)://([^\s/<>\"')\]]{1,253})[^\s<>\"]*+", re.IGNORECASE)
_SCHEME: Final = re.compile(r"(?<!\[)://|://(?!\])")
_DOT: Final = re.compile(r"(?<=[^\W_])\.(?=[^\W\d_]{2})")


def line(text: str, most: int | None = None) -> str:
    """One line of plain text, as in a mail's text or a record: stripped, no control, no end of a
    line (nothing `str.splitlines` would cut), nothing that turns or hides what follows it. Line
    ends and tabs become spaces; half a character and one of private use U+FFFD. Joiners stay."""
    return _bounded(text, most, _one_line)


def lines(text: str, rows: int, most: int) -> str:
    """The first lines that show something, each as of `line`: at most `rows`, and `most`
    characters. Where something was left out, one more line, "…", says so."""
    found = [row for written in text[: 4 * most].splitlines() if (row := _one_line(written))]
    cut = found[-1:] == [_MORE]  # was cut before
    if cut:
        found.pop()
    joined = "\n".join(found[:rows])
    shown = joined[:most].rstrip()
    cut = cut or len(found) > rows or len(joined) > most or len(text) > 4 * most
    return "\n".join(filter(None, (shown, _MORE if cut else "")))


def unlinked(text: str) -> str:
    """Plain text in which mail programs find nothing to make a link of, but mail addresses' local
    parts. Safe in no other respect than it was before."""
    return _SCHEME.sub("[://]", _DOT.sub("[.]", _URL.sub(r"[link to \1]", text)))


def terminal(text: str, most: int | None = None) -> str:
    """One line for a terminal or an error message: whatever is not printable, and so every control,
    ESC and C1, bidi mark, joiner and odd space, is spelt out (`\\x1b`, `\\u202e`)."""
    return _bounded(text, most, _spelt_out)


def quoted(value: Any, most: int = 60) -> str:
    """A value between quotation marks, as an error message names it, as of `terminal`. A yes-or-no
    value as YAML writes it. `most` characters of it, then "…" outside the bound."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{_spelt_out(text[:most])}{_MORE if len(text) > most else ''}'"


def header(text: str, most: int | None = None) -> str:
    """The value of an unstructured header field of ours (RFC 5322 2.2), not encoded yet: as of
    `line`, and no encoded word (RFC 2047) stands in it that a reader would decode once more."""
    return _bounded(text, most, lambda read: _one_line(read).replace("=?", "= ?"))


def display_name(text: str, most: int | None = None) -> str:
    """What stands inside the quotation marks of a display name (RFC 5322 3.4), as of `header`."""
    return _bounded(text, most, lambda read: header(read.replace('"', "").replace("\\", "")))


def html(text: str, *, running: bool = False) -> str:
    """Text between tags or in a quoted attribute: no markup comes of it, and whatever is unseen,
    line feeds alone excepted, is U+FFFD. In `running` text, as of a letter of our own that quotes
    what `line` or `lines` made safe, joiners, soft hyphens and tabs stay."""
    return escape(replaced(text, running=running))


def replaced(text: str, *, running: bool = False) -> str:
    """As of `html`, for a writer that escapes by itself (a template)."""
    if text.isprintable():
        return text

    def instead(found: re.Match[str]) -> str:
        c = found[0]
        if c == "\n" or (running and c in _RUNNING) or unicodedata.category(c) not in UNSEEN:
            return c
        return _INSTEAD

    return _NOT_ASCII_TEXT.sub(instead, text)


def hides(c: str) -> bool:
    """Whether a character beyond ASCII cannot be seen, or looks like a space, or turns the rest."""
    return not c.isascii() and (unicodedata.category(c) in _DOUBTFUL or c in _BLANK)


def named(text: str) -> Iterator[tuple[str, str]]:
    """The pieces of a text that is shown as it is, each with "" or, where it is one character that
    hides, its name ("U+202E"), by which a page can show it."""
    at = 0
    for found in _NOT_ASCII.finditer(text):
        if hides(found[0]):
            if at < found.start():
                yield text[at : found.start()], ""
            yield found[0], f"U+{ord(found[0]):04X}"
            at = found.end()
    if at < len(text):
        yield text[at:], ""


def csv_cell(text: str, most: int | None = None) -> str:
    """A cell of a CSV file, before the writer quotes it: as of `line`, and no spreadsheet takes it
    for a formula: where it would begin as one, an apostrophe stands before it."""
    said = line(text, most)
    begins = next((c for c in said if not (c.isspace() or c in _WRITTEN or c in _BLANK)), "")
    return line(f"'{said}", most) if begins in _FORMULA else said


def log_value(text: str, most: int = 4_000) -> str:
    """A value in a line of the log that is written for people, as of `terminal`."""
    return terminal(text, most)


def evidence(text: str, most: int | None = None) -> str:
    """Words of a message within the sentence of a finding: what is not printable is U+FFFD. Cut
    without a mark, since recorded decisions are compared with what is decided again."""
    return _printable(text if most is None else text[:most], _INSTEAD)


def file_name(name: str) -> str:
    """A file's name within the sentence of a finding: one line, at most 80 characters of it, the
    end, which a computer goes by, among them; what turns letters round is spelt out."""
    head, tail = _FILE_NAME
    name = name if len(name) <= 80 else f"{name[:head]}{_MORE}{name[-tail:]}"
    return _TURNS.sub(lambda found: f"[U+{ord(found[0]):04X}]", _BREAKS.sub(_INSTEAD, name))


def reply_line(text: str) -> str:
    """A line of an SMTP reply (RFC 5321 4.2): what is not printable is a space."""
    return _printable(text, " ")


def ascii_line(text: str, most: int | None = None, instead: str = "?") -> str:
    """Printable ASCII alone, `instead` for every other character; cut without a mark. For
    replies, trace fields (RFC 8601) and what engines and resolvers say."""
    return _NOT_ASCII_TEXT.sub(instead, text if most is None else text[:most])


def _bounded(text: str, most: int | None, make: Callable[[str], str]) -> str:
    if most is None:
        return make(text)
    if most <= 0:
        return ""
    made = make(text[: 4 * most])
    if len(made) <= most and len(text) <= 4 * most:
        return made
    return f"{made[: most - 1]}{_MORE}"


def _one_line(text: str) -> str:
    if text.isprintable():
        return text.strip()
    kept = []
    for c in text:
        if c in _PARTS:
            kept.append(" ")
        elif c.isprintable() or c in _WRITTEN:
            kept.append(c)
        else:
            category = unicodedata.category(c)
            if category in ("Cs", "Co"):
                kept.append(_INSTEAD)
            elif category not in UNSEEN:
                kept.append(c)
    return "".join(kept).strip()


def _spelt_out(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _printable(text: str, instead: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else instead for c in text)
