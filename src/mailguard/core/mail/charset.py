"""Octets to text and back, exactly, so that an edit of the text finds its octets.

Owns which charsets are trusted and what happens when a declaration is wrong. A reading is `exact`
when encoding the text gives the same octets again. Must not know MIME structure or policy.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from functools import lru_cache

# Python calls these text encodings, but they are no charsets that mail is written in.
_NOT_CHARSETS = frozenset(
    ("unicode-escape", "raw-unicode-escape", "punycode", "idna", "undefined", "mbcs", "oem")
)
_STATEFUL = ("iso2022", "utf-7", "hz")  # an octet's meaning depends on what came before
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UTF16 = {"utf-16": "utf-16-be", "utf-32": "utf-32-be"}  # RFC 2781 4.3: big-endian without a mark


@dataclass(frozen=True, slots=True)
class Decoded:
    """A part's text and what it was decoded with."""

    text: str
    codec: str  # Python's name
    obstacle: str = ""  # why an edit could not be written back exactly; empty when it can

    @property
    def stateful(self) -> bool:
        """Whether a change of one place may change the octets after it."""
        return self.codec.startswith(_STATEFUL)


@lru_cache(maxsize=256)
def codec_named(charset: str) -> str | None:
    """Python's name of a charset, or None where it is not one that mail may use."""
    try:
        info = codecs.lookup(charset.strip().strip("'\""))
    except (LookupError, ValueError):
        return None
    name = info.name.lower()
    if not info._is_text_encoding or name.replace("_", "-") in _NOT_CHARSETS:
        return None
    return name.replace("_", "-")


def decode(data: bytes, charset: str) -> Decoded:
    """The text of a body under its declared charset; never raises.

    Where the declaration does not fit, the text is read as clients do: UTF-8 if it is valid,
    else Windows-1252, else Latin-1, which always gives the octets back.
    """
    for mark, marked in _BOMS:
        if data.startswith(mark):
            # Half a character at the end of UTF-16: what is added could complete it.
            why = "" if marked == "utf-8" else f"it is not valid {marked}"
            return _strict(data, marked) or Decoded(data.decode("latin-1"), "iso8859-1", why)
    codec = codec_named(charset)
    if codec is None:
        return Decoded(data.decode("latin-1"), "iso8859-1", "its charset is unknown")
    if codec in ("ascii", "utf-8", "iso8859-1", "cp1252") and data.isascii():
        return Decoded(data.decode("ascii"), codec)
    codec = _UTF16.get(codec, codec)
    if codec == "iso8859-1":
        codec = "cp1252"  # the Encoding Standard: what every client shows for iso-8859-1
    found = _strict(data, codec)
    if found is not None:
        return found
    if codec.startswith(("utf-16", "utf-32", *_STATEFUL)):
        return Decoded(data.decode("latin-1"), "iso8859-1", f"it is not valid {codec}")
    for fallback in ("utf-8", "cp1252"):
        found = _strict(data, fallback)
        if found is not None:
            return found
    return Decoded(data.decode("latin-1"), "iso8859-1")


def _strict(data: bytes, codec: str) -> Decoded | None:
    try:
        text = data.decode(codec)
        if codec == "utf-8" or text.encode(codec) == data:
            return Decoded(text, codec)
    except (UnicodeError, ValueError):
        return None
    if codec.startswith(_STATEFUL):  # several spellings of one text: written anew when edited
        return Decoded(text, codec)
    return None


def encode(text: str, codec: str) -> bytes | None:
    """The octets of a text, or None where the charset has no way to write it."""
    try:
        return text.encode(codec)
    except (UnicodeError, ValueError):
        return None
