"""HTML as a reader sees it: one linear pass over the tokens, every character with its place.

Owns `Walk`: the flow of visible characters, block by block, and from any place in it the way
back to the source. HTML's offsets count code points after line ends became one character each
(WHATWG HTML 13.2.3.5); `Walk` translates to those of the text as sent. Must not know links'
targets, MIME or policy.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from turbohtml import Token, TokenType, tokenize

_LINE_END = re.compile(r"\r\n|\r|\n")
_NOSCRIPT = re.compile(r"(</?noscrip)t", re.IGNORECASE)
# Where a start tag may hide its content. A hit inside a start tag counts, one elsewhere does not.
# Each begins with a fixed word, which is searched for as such: many times as fast as a pattern.
_HIDING = tuple(
    (word, re.compile(word + rest))
    for word, rest in (
        ("display", r"\s{0,9}:\s{0,9}none"),
        ("visibility", r"\s{0,9}:\s{0,9}hidden"),
        ("mso-hide", r"\s{0,9}:\s{0,9}all"),
        ("font-size", r"\s{0,9}:\s{0,9}0(?![.\d])"),
        ("hidden", r"(?<=\shidden)(?=[\s>=/])"),
    )
)
_TEXT, _START, _END = TokenType.TEXT, TokenType.START_TAG, TokenType.END_TAG
_REFERENCE, _COMMENT = TokenType.CHARACTER_REFERENCE, TokenType.COMMENT
_BLOCK_TAGS = (
    "address article aside blockquote body br caption center dd details dialog dir div dl dt "
    "fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr html legend li main menu "
    "nav ol option p pre section select summary table tbody textarea tfoot thead tr ul xmp "
    "plaintext v:textbox"
)
_VOID_TAGS = "br hr img input meta link area base col embed source track wbr"
_BLOCKS = frozenset(_BLOCK_TAGS.split())
_SPACES = "\t\v\f\r\x1c\x1d\x1e\x1f"  # what str.split() parts ASCII at besides space and line end
_VOID = frozenset(_VOID_TAGS.split())
_CELLS = frozenset(("td", "th"))
# Their text is shown nowhere in the body.
_UNSHOWN = frozenset(("script", "style", "title", "template", "noembed", "noframes", "iframe"))
_RAW = (_UNSHOWN - {"template"}) | {"textarea", "xmp", "plaintext"}
_IMPLIED = frozenset(("p", "li", "td", "th", "tr", "dt", "dd", "option"))  # a second ends the first
_TELLING = _BLOCKS | _CELLS | _UNSHOWN | {"a"}  # what the pass has to look at
# Before these, text would be moved elsewhere by the table or list they are in.
_INNER_TAGS = (
    "html head body tr td th tbody thead tfoot caption colgroup col li dt dd option optgroup frame "
    "frameset"
)
_NO_TEXT_BEFORE = frozenset(_INNER_TAGS.split())


@dataclass(slots=True)
class Walk:
    """One HTML text, read once. Offsets named `source` are those of the text as sent."""

    text: str
    normal: str  # with "\n" for every line end
    lowered: str  # `normal` in lower case
    tags: str  # all tags in lower case: what is not in here is in none of them
    tokens: list[Token]
    rows: list[int]  # where each line starts in `text`
    rows_normal: list[int]  # and in `normal`
    flow: str = ""  # every character that is not markup, shown or hidden
    pieces: list[int] = field(default_factory=list)  # where in `flow` a token's text begins
    piece_tokens: list[int] = field(default_factory=list)  # and which token that is
    runs: list[int] = field(
        default_factory=list
    )  # where in `flow` a run of text without tags begins
    anchored: list[bool] = field(default_factory=list)  # whether that run stands in a link
    hidden: list[tuple[int, int]] = field(default_factory=list)  # spans of `flow`
    comments: list[int] = field(default_factory=list)  # tokens
    body_end: int | None = None  # the token that ends the body
    swallowed: int | None = None  # where in `text` something begins that its end leaves open

    def source(self, normal_offset: int) -> int:
        """An offset of `normal` as one of `text`."""
        row = bisect_right(self.rows_normal, normal_offset) - 1
        return self.rows[row] + normal_offset - self.rows_normal[row]

    def sources(self, places: list[int]) -> list[int]:
        """Offsets of `normal` as ones of `text`; at once where all are of one line, as most are."""
        row = bisect_right(self.rows_normal, min(places)) - 1
        if row + 1 < len(self.rows) and max(places) >= self.rows_normal[row + 1]:
            return [self.source(place) for place in places]
        shift = self.rows[row] - self.rows_normal[row]
        return [place + shift for place in places]

    def start(self, token: int) -> int:
        """Where a token starts in the source."""
        if token >= len(self.tokens):
            return len(self.text)
        at = self.tokens[token]
        return self.rows[at.line - 1] + at.col

    def token_at(self, source: int) -> int:
        """The token that contains a place of the source."""
        low, high = 0, len(self.tokens)
        while low < high:
            middle = (low + high) // 2
            if self.start(middle) <= source:
                low = middle + 1
            else:
                high = middle
        return low - 1

    def flow_at(self, token: int) -> int:
        """How much of the flow stands before a token."""
        piece = bisect_right(self.piece_tokens, token - 1)
        return self.pieces[piece] if piece < len(self.pieces) else len(self.flow)

    def source_of(self, position: int, after: bool = False) -> int:
        """Where a character of the flow stands in the source; `after`: one past it."""
        piece = bisect_right(self.pieces, position) - 1
        if piece < 0:
            return 0
        token = self.piece_tokens[piece]
        at = self.tokens[token]
        if at.type is _REFERENCE:
            return self.start(token) + (len(at.source or "") if after else 0)
        inner = self.rows_normal[at.line - 1] + at.col + position - self.pieces[piece]
        if after:
            # One past a line end is the next line's start; source() would agree, but for the last.
            return self.source(inner) + 1
        return self.source(inner)

    def token_of(self, position: int) -> int:
        """The token that a character of the flow comes from."""
        piece = bisect_right(self.pieces, position) - 1
        return self.piece_tokens[piece] if piece >= 0 else 0

    def visible(self, cuts: list[tuple[int, int]] | None = None) -> str:
        """The flow as lines of words, without what is hidden and without these spans of it."""
        return collapse(without(self.flow, [*self.hidden, *(cuts or ())]))

    def boundary_before(self, token: int) -> int:
        """The source offset of the outermost tag boundary in front of a token where text may stand:
        back over the start tags and white space that only wrap the token."""
        best = token
        at = token - 1
        while at >= 0:
            before = self.tokens[at]
            if before.type is _START:
                tag = before.tag or ""
                if tag in _VOID and tag != "br" and tag != "hr":
                    break
                if tag in ("html", "body", "head"):
                    break
                if tag not in _NO_TEXT_BEFORE:
                    best = at
            elif before.type is not _TEXT or (before.data or "").strip():
                break
            at -= 1
        return self.start(best)

    def insert_at_end(self) -> int:
        """The source offset where text goes at the end of the body."""
        end = len(self.text) if self.body_end is None else self.start(self.body_end)
        return end if self.swallowed is None else min(end, self.swallowed)


def walk(text: str) -> Walk:
    """Read an HTML text once. Never raises."""
    normal, rows, rows_normal = _rows(text)
    # Mail programs run no scripts, so what stands in <noscript> is shown; as another, unknown
    # element of the same length the tokenizer reads its content as markup.
    lowered = lower(normal)
    shown = _NOSCRIPT.sub(r"\1x", normal) if "noscript" in lowered else normal
    tokens = list(tokenize(shown, capture_source=True, resolve_references=False))
    tags = lower("".join([token.source or "" for token in tokens if token.tag is not None]))
    made = Walk(text, normal, lowered, tags, tokens, rows, rows_normal)
    _Reader(made).read()
    return made


def _rows(text: str) -> tuple[str, list[int], list[int]]:
    """A text with "\\n" for every line end; where its lines start in it as sent, and in this."""
    ending = "\r\n" if "\r" in text else "\n"
    longer = len(ending) - 1
    lines = text.split(ending)
    ends = len(lines) - 1
    if text.count("\n") == ends and text.count("\r") == ends * longer:
        rows_normal = [0, *accumulate([len(line) + 1 for line in lines[:-1]])]
        rows = [at + n * longer for n, at in enumerate(rows_normal)]
        return "\n".join(lines), rows, rows_normal
    rows, rows_normal = [0], [0]
    shorter = 0
    for found in _LINE_END.finditer(text):
        shorter += found.end() - found.start() - 1
        rows.append(found.end())
        rows_normal.append(found.end() - shorter)
    return text.replace("\r\n", "\n").replace("\r", "\n"), rows, rows_normal


def lower(text: str) -> str:
    """A text in lower case with every character in its place."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(c.lower() if c.isascii() else c for c in text)


def _hiding_places(made: Walk) -> Iterator[int]:
    """Where something stands that hides content, if it stands in a start tag."""
    lowered = made.lowered
    for word, pattern in _HIDING:
        at = lowered.find(word) if word in made.tags else -1
        while at >= 0:
            if pattern.match(lowered, at):
                yield at
            at = lowered.find(word, at + len(word))


class _Reader:
    """The state of the one pass."""

    def __init__(self, made: Walk) -> None:
        self.made = made
        self.hiding = {made.token_at(made.source(at)) for at in _hiding_places(made)}
        self.hiding.discard(-1)

    def read(self) -> None:
        made = self.made
        out: list[str] = []
        add = out.append
        pieces, piece_tokens = made.pieces, made.piece_tokens
        runs, anchored = made.runs, made.anchored
        position = 0
        new_run = True
        in_anchor = False
        unshown = ""
        opened: int | None = None  # the start tag of raw text that has not ended yet
        preformatted = 0
        hidden_tag, hidden_depth, hidden_from = "", 0, 0
        hiding = self.hiding
        for number, token in enumerate(made.tokens):
            tag = token.tag
            if tag is None:
                kind = token.type
                if kind is not _TEXT and kind is not _REFERENCE:
                    new_run = True
                    if kind is _COMMENT:
                        made.comments.append(number)
                    continue
                if unshown:
                    continue
                data = token.data or ""
                if kind is _TEXT and not preformatted and "\n" in data:
                    data = data.replace("\n", " ")
                if new_run:
                    runs.append(position)
                    anchored.append(in_anchor)
                    new_run = False
                pieces.append(position)
                piece_tokens.append(number)
                add(data)
                position += len(data)
                continue
            new_run = True
            if tag not in _TELLING and not (unshown or hidden_tag or number in hiding):
                continue
            kind = token.type
            if unshown:
                if kind is _END and tag == unshown:
                    unshown, opened = "", None
                continue
            if kind is _START:
                if tag in _RAW:
                    opened = number
                if tag in _UNSHOWN:
                    unshown, opened = tag, number
                    continue
                if tag == "a":
                    in_anchor = token.attr("href") is not None
                elif tag == "pre":
                    preformatted += 1
                if hidden_tag:
                    if tag == hidden_tag:
                        hidden_depth += tag not in _IMPLIED
                        if tag in _IMPLIED:
                            made.hidden.append((hidden_from, position))
                            hidden_tag = ""
                elif hiding and number in hiding and tag not in _VOID:
                    hidden_tag, hidden_depth, hidden_from = tag, 1, position
            else:
                if tag == "a" or tag == "td" or tag == "table":
                    in_anchor = False
                elif tag == "pre":
                    preformatted = max(0, preformatted - 1)
                elif tag == "body" or (tag == "html" and made.body_end is None):
                    made.body_end = number
                if tag in _RAW:
                    opened = None
                if tag == hidden_tag:
                    hidden_depth -= 1
                    if not hidden_depth:
                        made.hidden.append((hidden_from, position))
                        hidden_tag = ""
            if tag in _BLOCKS:
                add("\n")
                position += 1
            elif tag in _CELLS:
                add(" ")
                position += 1
        if hidden_tag:
            made.hidden.append((hidden_from, position))
        made.flow = "".join(out)
        made.swallowed = self._unended() if opened is None else made.start(opened)

    def _unended(self) -> int | None:
        """Where a comment or a tag begins that the text's end leaves open, if one does."""
        made = self.made
        last = len(made.tokens) - 1
        if last < 0:
            return None if "<" not in made.text else made.text.index("<")
        token = made.tokens[last]
        if token.type is _COMMENT:
            source = token.source or ""
            closed = source.endswith(("-->", "--!>") if source.startswith("<!--") else ">")
            return None if closed else made.start(last)
        length = len(token.source if token.source is not None else token.data or "")
        end = made.rows_normal[token.line - 1] + token.col + length
        at = made.normal.find("<", end)  # a tag without its end gives no token
        return made.source(at) if at >= 0 else None


def without(text: str, spans: list[tuple[int, int]]) -> str:
    """A text with these spans left out; they may overlap."""
    if not spans:
        return text
    kept: list[str] = []
    at = 0
    for start, end in sorted(spans):
        if start > at:
            kept.append(text[at:start])
        at = max(at, end)
    kept.append(text[at:])
    return "".join(kept)


def blanked(text: str, spans: list[tuple[int, int]]) -> str:
    """A text of the same length with spaces for these spans, which are in order."""
    kept: list[str] = []
    at = 0
    for start, end in spans:
        kept += (text[at:start], " " * (end - max(at, start)))
        at = max(at, end)
    kept.append(text[at:])
    return "".join(kept)


def collapse(text: str) -> str:
    """Lines of words: white space as HTML shows it, blank lines left out."""
    if "\n" not in text:
        return " ".join(text.split())
    lines = "\n".join([words for row in text.split("\n") if (words := row.strip())])
    if lines.isascii() and "  " not in lines and not any(space in lines for space in _SPACES):
        return lines  # most have one space between words already
    return "\n".join([" ".join(row.split()) for row in lines.split("\n")])


def single_spaced(row: bytes) -> bytes:
    """ASCII without line ends as words with one space between them; most of it is so already."""
    row = row.strip(b" ")
    return b" ".join(row.split()) if b"  " in row else row
