"""Every place in an HTML body that a mail client makes clickable (R39).

Owns which constructs count and how a written address becomes the one a browser opens (WHATWG URL
4.4: white space dropped, entities resolved, backslashes as slashes, `base` applied). The constructs
come from the parsed tree, which is what a client builds, so that nothing hides from them in markup
that a tokenizer reads differently. Must not know policy, or how a link is changed.
"""

from __future__ import annotations

import re
from urllib.parse import urljoin

from turbohtml import Document, Element, Namespace, parse

from mailguard.core.text import plain_text
from mailguard.core.text.html import Walk, collapse, lower
from mailguard.core.text.reading import Link

_SELECT = "[href],[action],[formaction],[xlink\\:href],meta[http-equiv]"
_TRIM = "".join(map(chr, range(0x21)))
_DROPPED = re.compile(r"[\t\n\r]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_USUAL = re.compile(r"https?://[^/\\]")  # that which needs no change
_SLASHES = re.compile(r"(https?):[/\\]*", re.IGNORECASE)
_REFRESH = re.compile(r"[\s\d.;,]*url\s*=\s*[\"']?([^\"']*)", re.IGNORECASE)
# Followed by no click, or by one that opens no web page.
_HARMLESS = frozenset(("mailto", "tel", "sms", "callto", "cid", "mid", "data", "about", "geo"))
_CONDITIONAL = re.compile(r"\[if\b", re.IGNORECASE)
_HOLDS_LINK = re.compile(r"href|action|http-equiv", re.IGNORECASE)
_LONGEST_TEXT = 500
_MOST_TEXT = 50_000_000  # characters read for the texts of links: nested ones share theirs
_REOPENED = re.compile(r"<(?=(?:html|body)[\s/])", re.IGNORECASE)
_MOST_REOPENED = 100


def target_of(written: str, base: str = "") -> str:
    """The address that a client opens for an attribute's value, entities already resolved.

    "" where a click opens nothing from the web: an anchor, mailto, a relative address without base.
    """
    address = written.strip(_TRIM)
    if not address.isprintable():
        address = _DROPPED.sub("", address)
    if not address:
        return ""
    if _USUAL.match(address):
        return address
    scheme = _SCHEME.match(address)
    if scheme is not None and address[:4].lower() != "www.":
        name = scheme[1].lower()
        if name in _HARMLESS:
            return ""
        if name in ("http", "https"):
            return _SLASHES.sub(r"\1://", address, count=1)
        return address
    if address[0] in "/\\" and address[1:2] in ("/", "\\"):
        return "https://" + address.lstrip("/\\")
    if base:
        try:
            return urljoin(base, address.replace("\\", "/"))
        except ValueError:
            return base
    if address[:4].lower() == "www.":
        return "http://" + address
    return ""


def links(part: str, made: Walk, most: int) -> tuple[tuple[Link, ...], bool]:
    """The links of an HTML body in the order of the source, and whether there were over `most`."""
    document, many = _parse(made.normal, made.lowered)
    base_at = document.find("base")
    base = target_of(base_at.attr("href") or "") if base_at is not None else ""
    found: list[Link] = []
    room = _constructs(part, document, made, 0, base, False, found, most, _MOST_TEXT)
    for number in made.comments:
        body = made.tokens[number].data or ""
        if len(found) > most or room < 0:
            break
        if _CONDITIONAL.match(body.lstrip()) and _HOLDS_LINK.search(body):
            opening = body.find(">") + 1  # of "[if mso]>"
            offset = _normal_start(made, number) + 4 + opening
            inner, more = _parse(body[opening:], body[opening:].lower())
            many = many or more
            room = _constructs(part, inner, made, offset, base, True, found, most, room)
    _in_text(part, made, found, most)
    found.sort(key=lambda link: link.start)
    return tuple(found[:most]), many or room < 0 or len(found) > most


def _parse(text: str, lowered: str) -> tuple[Document, bool]:
    """The tree of a text, and whether it is not the whole one: every further <html> or <body> gives
    its attributes to the first, which costs the parser the square of their number."""
    if lowered.count("<html") + lowered.count("<body") <= _MOST_REOPENED:
        return parse(text, source_locations=True), False
    tags = [found.start() for found in _REOPENED.finditer(text)]
    if len(tags) <= _MOST_REOPENED:
        return parse(text, source_locations=True), False
    at = tags[_MOST_REOPENED]
    text = text[:at] + _REOPENED.sub(">", text[at:])
    return parse(text, source_locations=True), True


def _normal_start(made: Walk, number: int) -> int:
    token = made.tokens[number]
    return made.rows_normal[token.line - 1] + token.col


def _constructs(
    part: str,
    document: Document,
    made: Walk,
    offset: int,
    base: str,
    commented: bool,
    found: list[Link],
    most: int,
    room: int,
) -> int:
    """Add the constructs of one tree; the room for texts that is left, negative when it ended."""
    for element in document.select(_SELECT):
        location = element.source_location
        outer = None if location is None else location.start_tag
        if location is None or outer is None:
            continue  # the parser's copy of an element that it met before
        for name, construct, target in _targets(element, base):
            span = location.attrs.get(name)
            if span is None:
                continue
            text = element.text if construct != "base" else ""
            room -= len(text)
            if len(found) > most or room < 0:
                return room
            start, end = span.start_offset + offset, span.end_offset + offset
            start, end = _value(made.normal, start, end)
            places = [start, end, outer.start_offset + offset, outer.end_offset + offset]
            close = location.end_tag
            if close is not None:
                places += (close.start_offset + offset, close.end_offset + offset)
            start, end, *tags = made.sources(places)
            kind = f"comment {construct}" if commented else construct
            shown = collapse(text[:_LONGEST_TEXT])
            found.append(Link(part, kind, start, end, target, shown, *tags))
    return room


def _targets(element: Element, base: str) -> list[tuple[str, str, str]]:
    """Attribute, construct and target of what an element opens."""
    tag = element.tag
    attributes = element.attrs
    if tag == "a" and "xlink:href" not in attributes and element.namespace is Namespace.HTML:
        value = attributes.get("href")  # nearly all are
        target = target_of(value, base) if isinstance(value, str) else ""
        return [("href", "a", target)] if target else []
    found: list[tuple[str, str, str]] = []

    def add(attribute: str, construct: str, resolve: str) -> None:
        value = attributes.get(attribute)
        if isinstance(value, str):
            target = target_of(value, resolve)
            if target:
                found.append((attribute, construct, target))

    if element.namespace is Namespace.MATHML:  # MathML 3, 6.4.3: on any element
        add("href", "math", base)
        add("xlink:href", "math", base)
    elif tag in ("a", "area"):
        add("href", tag if element.namespace is Namespace.HTML else "svg a", base)
        add("xlink:href", "svg a", base)
    elif tag == "form":
        add("action", "form", base)
    elif tag in ("button", "input"):
        add("formaction", tag, base)
    elif tag == "base":
        add("href", "base", "")
    elif tag.startswith("v:"):
        add("href", tag, base)
    elif tag == "meta" and str(attributes.get("http-equiv", "")).strip().lower() == "refresh":
        refresh = _REFRESH.match(str(attributes.get("content", "")))
        target = target_of(refresh[1], base) if refresh else ""
        if target:
            found.append(("content", "meta", target))
    return found


def _value(normal: str, start: int, end: int) -> tuple[int, int]:
    """The span of an attribute's value, quotes excluded, from that of name and value."""
    equals = normal.find("=", start + 1, end)
    if equals < 0:
        return end, end
    start = equals + 1
    while start < end and normal[start] in " \t\n\f":
        start += 1
    if start < end and normal[start] in "\"'":
        return start + 1, end - 1 if normal[end - 1] == normal[start] and end - 1 > start else end
    return start, end


def _in_text(part: str, made: Walk, found: list[Link], most: int) -> None:
    """Bare addresses, which many clients make clickable; each within one text node.

    Within a link they are "a text": not clickable by themselves unless the link is taken away.
    """
    lowered = lower(made.flow)
    if not plain_text.may_have_addresses(lowered):
        return
    ends = [*made.runs[1:], len(made.flow)]
    for begin, finish, anchored in zip(made.runs, ends, made.anchored, strict=True):
        if not plain_text.may_have_addresses(lowered[begin:finish]):
            continue
        for start, end in plain_text.addresses(made.flow[begin:finish]):
            if len(found) > most:
                return
            start, end = begin + start, begin + end
            written = made.flow[start:end]
            first, last = made.source_of(start), made.source_of(end - 1, after=True)
            construct = "a text" if anchored else "text"
            found.append(Link(part, construct, first, last, plain_text.target_of(written), written))
