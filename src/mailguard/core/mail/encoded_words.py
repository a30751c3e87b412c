"""Unstructured header text: unfolding and encoded words (RFC 5322 2.2.3, RFC 2047), both ways.

Owns which charset names are understood. Never raises on hostile input, linear in its length.
Must not know what a field means.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64encode
from encodings.aliases import aliases
from typing import Final

MAX_WORDS: Final = 4_000
"""Encoded words decoded in one value; what follows stays as written."""

# Codecs of real mail. A name that is not here is never given to Python's registry: that would
# import modules by a stranger's choice and remember every failure, and holds quadratic codecs.
_CODECS: Final = frozenset(
    re.findall(
        r"\w+",
        """
        ascii latin_1 utf_8 utf_16 utf_16_be utf_16_le utf_32 utf_32_be utf_32_le
        utf_7 iso8859_2 iso8859_3 iso8859_4 iso8859_5 iso8859_6 iso8859_7 iso8859_8
        iso8859_9 iso8859_10 iso8859_11 iso8859_13 iso8859_14 iso8859_15 iso8859_16
        cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 cp437 cp850
        cp852 cp866 cp874 koi8_r koi8_u mac_roman mac_cyrillic big5 big5hkscs cp950
        gb2312 gbk gb18030 hz shift_jis cp932 euc_jp iso2022_jp iso2022_jp_1
        iso2022_jp_2 iso2022_kr euc_kr cp949 johab tis_620
        """,
    )
)
# What every mail client decodes these names with, whatever they say (WHATWG Encoding 4.2).
_AS_READ: Final = {
    "latin_1": "cp1252",
    "iso8859_9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "tis_620": "cp874",
    "iso8859_11": "cp874",
}
_NAMES: Final = {
    **{alias: codec for alias, codec in aliases.items() if codec in _CODECS},
    **{codec: codec for codec in _CODECS},
    "iso_8859_1": "latin_1",
    "unicode_1_1_utf_7": "utf_7",
    "ks_c_5601_1987": "euc_kr",
    "cp_850": "cp850",
    "utf8mb4": "utf_8",
}

_FOLD: Final = re.compile(rb"\r?\n(?=[ \t])")
# Neither class in the word can run over its own delimiter, so that a failed match costs no more
# than the way to the next "?": linear however often "=?" stands there.
_WORD: Final = re.compile(r"=\?([^?\s]{1,80})\?([bBqQ])\?([^?\r\n]*)\?=")
_Q_ESCAPE: Final = re.compile(rb"=([0-9A-Fa-f]{2})")
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/]+")
_PRINTABLE: Final = re.compile(rb"[ -~]*\Z")
_CONTROLS: Final = (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0xD800, 0xE000))
_TO_REPLACEMENT: Final = {**dict.fromkeys(_CONTROLS, "\ufffd"), 0x09: " "}
_TO_NOTHING: Final = {**dict.fromkeys(_CONTROLS, ""), 0x09: " "}


def codec(charset: str) -> str | None:
    """Python's codec for a charset name as mail clients read it; None when it is unknown.

    The codec always decodes text in linear time, and `errors="replace"` always succeeds with it.
    """
    if len(charset) > 80:
        return None
    key = charset.strip(" \t\"'").lower().replace("-", "_").replace(":", "_").replace(" ", "_")
    found = _NAMES.get(key) or _NAMES.get(key.replace("iso_8859", "iso8859"))
    return _AS_READ.get(found, found) if found is not None else None


def decode(value: bytes) -> str:
    """A field's value as a person reads it: unfolded, encoded words decoded, stripped.

    Raw 8-bit octets are UTF-8 where the whole value is valid UTF-8, otherwise Latin-1 (as
    windows-1252). Control characters become U+FFFD and tabs become spaces, so that the text is one
    line whoever writes it.
    """
    value = unfold(value)
    if b"=?" not in value:
        return plain(value)
    return _decode_words(_text(value)).translate(_TO_REPLACEMENT).strip()


def unfold(value: bytes) -> bytes:
    """A field's value on one line (RFC 5322 2.2.3), stripped; a bare CR or LF in it stays."""
    if b"\n" in value:
        value = _FOLD.sub(b"", value)
    return value.strip(b" \t\r\n")


def plain(value: bytes) -> str:
    """Like `decode`, but encoded words stay as written and nothing is unfolded."""
    if _PRINTABLE.match(value):
        return value.decode("ascii").strip()
    return _text(value).translate(_TO_REPLACEMENT).strip()


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("cp1252", "replace")


def _decode_words(text: str) -> str:
    """Decode encoded words; white space between two of them goes (RFC 2047 6.2)."""
    out: list[str] = []
    held: list[
        bytes
    ] = []  # octets of adjacent words in one codec: senders split characters between words
    held_codec = ""
    position = 0
    for count, match in enumerate(_WORD.finditer(text)):
        if count >= MAX_WORDS:
            break
        name, encoding, payload = match.groups()
        between = text[position : match.start()]
        position = match.end()
        # RFC 2231 5: a language may follow the charset after "*".
        python_codec = codec(name.partition("*")[0]) or "ascii"
        adjacent = bool(held_codec) and not between.strip(" \t\r\n")
        if held_codec and not (adjacent and python_codec == held_codec):
            out.append(b"".join(held).decode(held_codec, "replace"))
            held = []
        if not adjacent:
            out.append(between)
        octets = payload.encode("utf-8", "replace")
        held.append(_from_q(octets) if encoding in "qQ" else _from_b(octets))
        held_codec = python_codec
    if held_codec:
        out.append(b"".join(held).decode(held_codec, "replace"))
    out.append(text[position:])
    return "".join(out)


def _from_q(payload: bytes) -> bytes:
    """RFC 2047 4.2."""
    return _Q_ESCAPE.sub(lambda m: bytes((int(m[1], 16),)), payload.replace(b"_", b" "))


def _from_b(payload: bytes) -> bytes:
    """RFC 2047 4.1, lenient: foreign characters skipped, padding supplied."""
    digits = _NOT_BASE64.sub(b"", payload)
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def encode(text: str) -> str:
    """Text as the value of a header field of ours: ASCII as it is, otherwise encoded words.

    Control characters are removed first, so nothing can end the field. Words are at most 75
    octets, parted by single spaces at which the writer may fold (RFC 2047 2).
    """
    text = text.translate(_TO_NOTHING)
    if text.isascii() and "=?" not in text:
        return text
    encoded: list[str] = []
    chunk = bytearray()
    for character in text:
        octets = character.encode("utf-8")
        if len(chunk) + len(octets) > 45:  # 45 octets are 60 of base64, and "=?utf-8?b?" "?=" 12
            encoded.append(f"=?utf-8?b?{b64encode(chunk).decode('ascii')}?=")
            chunk.clear()
        chunk += octets
    encoded.append(f"=?utf-8?b?{b64encode(chunk).decode('ascii')}?=")
    return " ".join(encoded)
