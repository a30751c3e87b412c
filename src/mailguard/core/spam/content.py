"""Signs of spam in what a message shows: its build, its texts and its links.

Owns what is looked at there. Texts are looked at to a bound, in linear time.
Must not know weights (`features`) or policy.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import re2

from mailguard.core.mail.message import Message, Part
from mailguard.core.people import names
from mailguard.core.people.district import District
from mailguard.core.spam.features import Hit
from mailguard.core.text import html
from mailguard.core.text.reading import Link, Reading

LONGEST = 20_000  # visible characters that are looked at
_LINKS = 200
_INVISIBLE = re.compile("[a-z][\u00ad\u200b-\u200d\u2060\ufeff][a-z]")
_MIXED = re.compile("[a-z][\u0370-\u03ff\u0400-\u04ff]|[\u0370-\u03ff\u0400-\u04ff][a-z]")
# Comments inside words: "via<!-- x -->gra". The comment is short, so that the search is linear.
_COMMENTED = re.compile(r"<![^<>]{0,60}>[A-Za-z]")
_LOUD = re.compile(r"""<(?:font|FONT)[^<>]{1,80}?(?:size|SIZE)\s?=\s?["']?\+?[5-9]""")
_UNSEEN = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
# UTF-8 lead octets of Greek and Cyrillic: whether there is any is known at the speed of memory.
_LEAD_OCTETS = bytes(range(0xCD, 0xD4))
_CAPITALS = string.ascii_uppercase.encode()
_SMALL = string.ascii_lowercase.encode()
# ASCII in lower case, with a space for everything that str.split() parts at.
_FOLDED = bytes.maketrans(
    _CAPITALS + string.whitespace.encode() + b"\x1c\x1d\x1e\x1f", _SMALL + b" " * 10
)
# What the source of HTML is searched for, all at once: images, comments, letters' sizes, and ways
# of hiding that newsletters' preview lines use as well, hence a light weight.
_IMAGE, _COMMENT, _FONT, _HIDING = range(4)
_MARKS = (
    "<(?:img|IMG)",
    "<!",
    "<(?:font|FONT)",
    "font-size: ?(?:0|1px)|visibility:hidden",
)
_PROGRAMS = (
    *(".exe", ".scr", ".pif", ".com", ".bat", ".cmd", ".js", ".jse", ".vbs", ".vbe", ".wsf"),
    *(".hta", ".lnk", ".iso", ".img", ".jar", ".msi", ".ps1", ".one", ".cpl"),
)
_SHORTENER_HOSTS = (
    "bit.ly tinyurl.com goo.gl t.co is.gd ow.ly buff.ly cutt.ly rb.gy rebrand.ly shorturl.at "
    "t.ly tiny.cc v.gd s.id qrco.de lnkd.in"
)
_SHORTENERS = frozenset(_SHORTENER_HOSTS.split())
_CHEAP = (
    *(".zip", ".top", ".xyz", ".click", ".icu", ".cyou", ".cfd", ".sbs", ".buzz", ".rest"),
    *(".tk", ".ml", ".ga", ".cf", ".gq", ".quest", ".monster", ".loan", ".bid", ".win", ".bond"),
)
_SIGN_IN = re.compile("(?:log-?in|sign-?in|verify|webmail|owa|password|secure)(?![a-z])")
_NUMERIC = re.compile(r"(?:\d{1,10}|0x[0-9a-f]{1,8}|\d{1,3}(?:\.\d{1,3}){1,3})\Z")
# A link's text that a reader takes for an address: "www.example.org/x", "https://example.org".
_SHOWN = re.compile(r"(?:https?://|www\.)([a-z0-9.-]{4,200})", re.IGNORECASE)


def _automaton() -> re2.Set:
    every = re2.Set.SearchSet()
    for mark in _MARKS:
        every.Add(mark)
    every.Compile()
    return every


_SOURCE = _automaton()


@dataclass(frozen=True, slots=True)
class Shown:
    """The visible text of a message, bounded, in the form that phrases are searched in."""

    text: str  # as shown
    folded: str  # lower case, single spaces, invisible characters out


def shown(message: Message, reading: Reading) -> Shown:
    """Subject and visible texts, alternatives one after another, at most 20,000 characters."""
    pieces, left = [message.value("Subject")[:500]], LONGEST
    for text in reading.texts:
        pieces.append(text.visible[:left])
        left -= len(pieces[-1])
        if left <= 0:
            break
    whole = "\n".join(pieces)
    if whole.isascii():  # the same at the speed of memory
        rows = (html.single_spaced(piece.encode().translate(_FOLDED)) for piece in pieces)
        return Shown(whole, b" ".join(filter(None, rows)).decode("ascii"))
    folded = whole
    if not unicodedata.is_normalized("NFKC", folded):
        folded = unicodedata.normalize("NFKC", folded)
    for unseen in _UNSEEN:
        folded = folded.replace(unseen, "")
    return Shown(whole, " ".join(folded.replace("’", "'").lower().split()))


def content_hits(message: Message, reading: Reading, seen: Shown) -> Iterator[Hit]:
    """Signs in the parts and in the text."""
    yield from _texts(message, reading)
    yield from _attachments(message)
    text, octets = seen.text, seen.text.encode("utf-8", "replace")
    if len(octets) > len(text):
        if sum(map(text.count, _UNSEEN)) >= 3 and _at_least(3, _INVISIBLE, text.lower()):
            yield Hit("SPLIT_LETTERS")
        foreign = len(octets) - len(octets.translate(None, _LEAD_OCTETS))
        if foreign >= 3 and _at_least(3, _MIXED, text.lower()):
            yield Hit("MIXED_ALPHABETS")
    marks = text.count("!")
    if marks >= 5 and marks * 120 > len(text):
        yield Hit("EXCLAMATIONS")
    capitals = len(octets) - len(octets.translate(None, _CAPITALS))
    if capitals > 60 and capitals > len(octets) - len(octets.translate(None, _SMALL)):
        yield Hit("SHOUTING")


def _at_least(count: int, pattern: re.Pattern[str], text: str) -> bool:
    return sum(1 for _ in islice(pattern.finditer(text), count)) == count


def _texts(message: Message, reading: Reading) -> Iterator[Hit]:
    kinds = {text.subtype for text in reading.texts}
    if kinds == {"html"}:
        yield Hit("HTML_ONLY")
    words = sum(len(text.visible.strip()) for text in reading.texts)
    images = any(part.content_type.startswith("image/") for part in message.parts)
    hidden = loud = split = False
    for text in reading.texts:
        if text.subtype == "html":
            source = text.text[:100_000]
            marks = _SOURCE.Match(source.encode("utf-8", "replace")) or ()
            images = images or _IMAGE in marks
            hidden = hidden or _HIDING in marks
            loud = loud or (_FONT in marks and _LOUD.search(source) is not None)
            split = split or (_COMMENT in marks and _comments_in_words(source) >= 3)
    if hidden:
        yield Hit("HIDDEN_TEXT")
    if loud:
        yield Hit("FONT_LOUD")
    if split:
        yield Hit("SPLIT_LETTERS", detail="by comments")
    linked = any(link.target[:4].lower() == "http" for link in reading.links)
    if reading.texts and images and words < 30:
        yield Hit("IMAGE_ONLY")
    elif linked and words < 120:
        yield Hit("LINK_ONLY")
    by_path = {text.path: text for text in reading.texts}
    for part in message.parts:
        if part.transfer_encoding == "base64" and part.path in by_path:
            text = by_path[part.path]
            if text.text.isascii() and len(text.text) > 40:
                yield Hit("ENCODED_WITHOUT_NEED")
                break


def _comments_in_words(source: str) -> int:
    return sum(
        1 for m in _COMMENTED.finditer(source) if source[m.start() - 1 : m.start()].isalpha()
    )


def _attachments(message: Message) -> Iterator[Hit]:
    """By name and declared type only; what is inside is another check's (R40)."""
    program = page = ""
    for part in message.parts[:200]:
        for name in part.filenames[:4]:
            lower = name[-80:].lower().rstrip(". ")
            if lower.endswith(_PROGRAMS) and not _is_message(part):
                program = program or name[:80]
            elif lower.endswith((".htm", ".html", ".shtml", ".xhtml", ".svg")):
                page = page or name[:80]
    if program:
        yield Hit("PROGRAM_ATTACHED", detail=program)
    if page:
        yield Hit("HTML_ATTACHED", detail=page)


def _is_message(part: Part) -> bool:
    return part.content_type.startswith("message/")


def link_hits(reading: Reading, district: District) -> Iterator[Hit]:
    """Signs in the links; each kind once, with the first host that shows it."""
    found: dict[str, str] = {}
    sites: dict[str, tuple[str, bool]] = {}  # by authority: its host, and whether it is ours
    for link in reading.links[:_LINKS]:
        scheme, authority, rest = _split(link.target)
        if link.construct == "form":
            found.setdefault("FORM_INSIDE", authority)
        if scheme in ("javascript", "data", "vbscript", "file"):
            found.setdefault("LINK_ODD_SCHEME", scheme)
        if scheme not in ("http", "https") or not authority:
            continue
        if authority not in sites:  # most links of a message go to few sites
            host = _host(authority)
            ours = district.owns_domain(host)
            sites[authority] = host, ours
            for symbol in _site_signs(authority, host, ours, district):
                found.setdefault(symbol, authority[:80])
        host, ours = sites[authority]
        for symbol in _link_signs(host, ours, rest, link):
            found.setdefault(symbol, authority[:80])
    if len(sites) > 12:
        found["LINK_MANY_HOSTS"] = f"{len(sites)} sites"
    for symbol, detail in found.items():
        yield Hit(symbol, detail=detail)


def _split(target: str) -> tuple[str, str, str]:
    """Scheme, authority without the port's default, and the rest; both of the first lower case."""
    scheme, colon, rest = target[:2000].strip().partition(":")
    if not colon:
        return "", "", target[:2000]
    authority, slash, path = rest.replace("\\", "/").lstrip("/").partition("/")
    for mark in "?#":
        authority, found, after = authority.partition(mark)
        if found:
            path = after
    return scheme.lower(), authority.lower(), f"{slash}{path}"


def _host(authority: str) -> str:
    """Without the name before it and the port; an IPv6 address keeps its brackets."""
    if "@" not in authority and ":" not in authority:
        return authority.rstrip(".")
    host = authority.rpartition("@")[2]
    return host if host.startswith("[") else host.partition(":")[0].rstrip(".")


def _site_signs(authority: str, host: str, ours: bool, district: District) -> Iterator[str]:
    if "@" in authority:
        yield "LINK_USERINFO"
    if host.startswith("["):
        yield "LINK_NUMERIC_HOST"
        return
    if ":" in authority and authority.rpartition(":")[2] not in ("", "80", "443"):
        yield "LINK_PORT"
    if "%" in host:
        yield "LINK_HOST_ENCODED"
    if _NUMERIC.match(host):
        yield "LINK_NUMERIC_HOST"
    if "xn--" in host or not host.isascii():
        yield "LINK_PUNYCODE"
    if host in _SHORTENERS:
        yield "LINK_SHORTENED"
    if host.endswith(_CHEAP):
        yield "LINK_CHEAP_DOMAIN"
    if not ours and looks_like_district(host, district):
        yield "LINK_LOOKALIKE"


def _link_signs(host: str, ours: bool, rest: str, link: Link) -> Iterator[str]:
    where = f"{host} {rest[:300].lower()}"
    if "remove" in where:
        yield "LINK_REMOVE"
    if not ours and _SIGN_IN.search(where) and _asks_to_sign_in(where):
        yield "LINK_SIGN_IN"
    said = _SHOWN.search(link.text[:300]) if link.text and "." in link.text else None
    if said is not None and _site(said.group(1).lower()) != _site(host):
        yield "LINK_MISMATCH"


def _asks_to_sign_in(where: str) -> bool:
    """The words as such: "owa" is no part of "iowa"."""
    text = f" {where}"
    return any(not text[m.start() - 1].isalpha() for m in _SIGN_IN.finditer(text))


def looks_like_district(host: str, district: District) -> bool:
    """Whether a reader would take this host, which is not the district's, for one of its own."""
    skeleton = names.domain_skeleton(host)
    for domain in district.domains:
        likeness = names.domain_skeleton(domain)
        # "examp1e.org" itself, below it, or the district's name put before another domain.
        if skeleton == likeness or skeleton.endswith("." + likeness):
            return True
        if skeleton.startswith(likeness + ".") or f".{likeness}." in skeleton:
            return True
    return False


def _site(host: str) -> str:
    """The last two labels: near enough to "the same site" for a sign."""
    return ".".join(host.rstrip(".").split(".")[-2:])
