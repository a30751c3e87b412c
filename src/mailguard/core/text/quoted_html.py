"""Where an HTML body's author ends: the containers that mail programs put around a quote (R10).

Owns the table of containers. What they write as text above it is `quote`'s. Must not know policy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from turbohtml import TokenType

from mailguard.core.text import quote
from mailguard.core.text.html import Walk, blanked

_MOST = 1_000  # containers looked at in one text
_ATTRIBUTION = 400  # characters of flow in front of a container


@dataclass(frozen=True, slots=True)
class Container:
    """How one mail program marks a quote, searched for in lower case inside start tags."""

    program: str
    pattern: re.Pattern[str]
    word: str  # that stands in every match
    rest: bool = False  # everything after it is quote, not only what it encloses
    block: bool = False  # counts only when a header block follows


CONTAINERS = (
    Container("Gmail", re.compile("gmail_quote"), "gmail_quote"),
    Container("Apple Mail, Thunderbird", re.compile(r"type\s{0,3}=\s{0,3}[\"']?cite"), "cite"),
    Container("Thunderbird's attribution", re.compile("moz-cite-prefix"), "moz-cite-prefix"),
    Container(
        "Thunderbird's forward",
        re.compile("moz-forward-container"),
        "moz-forward-container",
        rest=True,
    ),
    Container("Yahoo", re.compile("yahoo_quoted"), "yahoo_quoted"),
    Container("Proton", re.compile("protonmail_quote"), "protonmail_quote"),
    Container("Zoho", re.compile("zmail_extra"), "zmail_extra"),
    Container("Outlook", re.compile("divrplyfwdmsg"), "divrplyfwdmsg", rest=True),
    Container("Outlook for phones", re.compile("appendonsend"), "appendonsend", rest=True),
    Container(
        "Outlook for phones",
        re.compile("mail-editor-reference-message-container"),
        "mail-editor-reference-message-container",
        rest=True,
    ),
    Container(
        "Outlook for phones",
        re.compile("ms-outlook-mobile-reference-message"),
        "ms-outlook-mobile-reference-message",
        rest=True,
    ),
    Container(
        "Outlook for Windows",
        re.compile(r"border-top:\s{0,3}solid\s{0,3}#(?:e1e1e1|b5c4df)"),
        "border-top:",
        rest=True,
        block=True,
    ),
)


@dataclass(slots=True)
class _Quotes:
    closed: list[tuple[int, int]]  # spans of flow, in order, apart
    starts: list[int]  # the token that opens each of them
    rest: int | None  # where in flow everything begins to be somebody else's
    rest_token: int = 0


def author(made: Walk, visible: str) -> tuple[int, str, int]:
    """`author_end`, the author's own words of all that is `visible`, and where a disclaimer goes:
    see `plain_text.author`."""
    quotes = _containers(made)
    _text_marks(made, quotes)
    if quotes.rest is None and not quotes.closed:
        at = made.insert_at_end()
        return at, visible, at
    end = len(made.flow) if quotes.rest is None else quotes.rest
    visible = made.visible([*quotes.closed, (end, len(made.flow))])
    at = _place(made, quotes, end)
    return at, visible, at


def _place(made: Walk, quotes: _Quotes, end: int) -> int:
    """Where the author's words end: above the first quote where there are some, else before the
    quote that follows the last of them, else at the end of the body."""
    shown = blanked(made.flow, made.hidden)
    words: int | None = None  # the quote in front of which the author last wrote
    behind = 0
    for number, (start, stop) in enumerate(quotes.closed):
        if words != 0 and shown[behind:start].strip():
            words = number
        behind = max(behind, stop)
    at_end = made.insert_at_end()
    if words != 0 and (shown[behind:end].strip() or not quotes.closed):
        if quotes.rest is None:
            return at_end
        return min(made.boundary_before(quotes.rest_token), at_end)
    return min(made.boundary_before(quotes.starts[words or 0]), at_end)


def _containers(made: Walk) -> _Quotes:
    lowered = made.lowered
    hits: list[tuple[int, Container]] = []
    for container in CONTAINERS:
        if container.word not in made.tags:  # many times as fast as the pattern
            continue
        for found in container.pattern.finditer(lowered):
            hits.append((made.token_at(made.source(found.start())), container))
            if len(hits) > _MOST:
                break
    quotes = _Quotes([], [], None)
    behind = -1  # the last token of the container before
    for token, container in sorted(hits, key=lambda hit: hit[0]):
        if token <= behind or made.tokens[token].type is not TokenType.START_TAG:
            continue
        start = made.flow_at(token)
        if container.rest:
            if container.block and not quote.begins_block(made.flow[start : start + 2_000]):
                continue
            quotes.rest, quotes.rest_token = start, token
            break
        behind = _closing(made, token)
        # An empty one counts too: nothing is to be put into it.
        quotes.closed.append((start, made.flow_at(behind + 1)))
        quotes.starts.append(token)
    return quotes


def _closing(made: Walk, opening: int) -> int:
    """The token that ends an element, by counting its own kind; the last one where none does."""
    tag = made.tokens[opening].tag
    depth = 0
    for at in range(opening, len(made.tokens)):
        token = made.tokens[at]
        if token.tag == tag:
            depth += 1 if token.type is TokenType.START_TAG else -1
            if depth == 0:
                return at
    return len(made.tokens) - 1


def _text_marks(made: Walk, quotes: _Quotes) -> None:
    """Add what only the text tells: separators, header blocks, attributions above a container."""
    rows = quote.lines(made.flow if quotes.rest is None else made.flow[: quotes.rest])
    inside = 0
    first = 0
    while True:
        at = quote.rest_start(rows, first)
        if at is None:
            break
        start = rows[at].start
        while inside < len(quotes.closed) and quotes.closed[inside][1] <= start:
            inside += 1
        if inside < len(quotes.closed) and quotes.closed[inside][0] <= start:
            end = quotes.closed[inside][1]
            first = next((n for n in range(at + 1, len(rows)) if rows[n].start >= end), len(rows))
            continue
        quotes.rest, quotes.rest_token = start, _token_of_line(made, start)
        kept = [n for n, span in enumerate(quotes.closed) if span[0] < start]
        quotes.closed = [quotes.closed[n] for n in kept]
        quotes.starts = [quotes.starts[n] for n in kept]
        break
    for n, (start, end) in enumerate(quotes.closed[:_MOST]):
        before = quotes.closed[n - 1][1] if n else 0
        window = max(before, start - _ATTRIBUTION)
        above = quote.lines(made.flow[window:start])
        if above:
            opened = quote.attribution_start(above, len(above) - 1)
            if opened is not None:
                line = window + above[opened].start
                quotes.closed[n] = (line, end)
                quotes.starts[n] = _token_of_line(made, line)
    if not quotes.closed and quotes.rest is None:
        _bare(made, rows, quotes)


def _bare(made: Walk, rows: list[quote.Line], quotes: _Quotes) -> None:
    tries = _MOST // 2
    for at, row in enumerate(rows):
        if tries and row.text.endswith((":", "\uff1a")):
            tries -= 1
            opened = quote.attribution_start(rows, at)
            if opened is not None:
                quotes.rest = rows[opened].start
                quotes.rest_token = _token_of_line(made, quotes.rest)
                return


def _token_of_line(made: Walk, position: int) -> int:
    """The token of a line's first character that is not white space."""
    flow = made.flow
    while position < len(flow) - 1 and flow[position].isspace():
        position += 1
    return made.token_of(position)
