"""What a link becomes: an address of another page, or visible text that nothing can click (R39).

Owns the form of the edits, construct by construct. Must not know which links are changed, nor why.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from mailguard.core.decision.edit import Phase, ReplaceText
from mailguard.core.text.reading import Link, TextPart

_PIECES = re.compile(r"[^:.@]+|[:.@]")
_HARMLESS = "about:blank"  # opens nothing, wherever it stands
_NO_ROOM = frozenset(("base", "meta", "svg a", "math"))  # constructs beside which no text can stand


def pointed(text: TextPart, link: Link, page: str, recipients: tuple[str, ...]) -> ReplaceText:
    """The link with another address, that of a page of ours."""
    if text.subtype == "html":
        page = html.escape(page)
        if link.construct.endswith("meta"):
            page = f"0; url={page}"
    return _replace(text, link.start, link.end, _quoted(text, link, page), recipients)


def unlinked(text: TextPart, link: Link, recipients: tuple[str, ...]) -> Iterator[ReplaceText]:
    """HTML with the real address as visible text and nothing to click."""
    address = unclickable(link.target)
    # In a piece of its own, so that the bracket does not grow onto an address in front of it.
    bracketed = f"<span>[</span>{address}<span>]</span>"
    if link.construct in ("text", "a text"):
        yield _replace(text, link.start, link.end, address, recipients)
    elif link.construct == "a":
        if link.close_end > link.close_start:
            tail = "</span>" if link.text == link.target else f" {bracketed}</span>"
            yield _replace(text, link.outer_start, link.outer_end, "<span>", recipients)
            yield _replace(text, link.close_start, link.close_end, tail, recipients)
        else:
            yield _replace(text, link.outer_start, link.outer_end, f"{bracketed} ", recipients)
    else:
        harmless = _quoted(text, link, _HARMLESS)
        yield _replace(text, link.start, link.end, harmless, recipients)
        if link.construct in _NO_ROOM or link.construct.startswith(("comment", "v:")):
            return
        if link.close_end > link.close_start:
            yield _replace(text, link.close_start, link.close_start, f" {bracketed}", recipients)
        else:
            yield _replace(text, link.outer_end, link.outer_end, f" {bracketed}", recipients)


def unclickable(target: str) -> str:
    """An address as HTML that reads and copies exactly, but that no mail program makes clickable.

    They look for an address within one piece of text, so a tag goes around each colon and dot.
    """
    return "".join(f"<span>{html.escape(piece)}</span>" for piece in _PIECES.findall(target))


def _quoted(text: TextPart, link: Link, value: str) -> str:
    """A value for the place of another; in quotes where the old one had none."""
    if text.subtype != "html" or link.construct == "text":
        return value
    if text.text[link.start - 1 : link.start] in ("'", '"'):
        return value
    return f'"{value}"'


def _replace(
    text: TextPart, start: int, end: int, replacement: str, recipients: tuple[str, ...]
) -> ReplaceText:
    return ReplaceText(text.path, start, end, replacement, Phase.CONTENT, recipients)
