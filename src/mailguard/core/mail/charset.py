"""Octets to text and back, exactly, so that an edit of the text finds its octets.

Owns which charsets are known, by which labels, and what happens when a declaration is wrong. A
reading is `exact` when encoding the text gives the same octets again. A label that a stranger wrote
is looked up in one closed table and nowhere else: Python's registry of codecs would import modules
by its choice, remember every name it does not know, and holds codecs that are no charsets or take
quadratic time. Must not know MIME structure or policy.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Final

# Python's codec and the labels that name it, folded: those of the Encoding Standard (4.2), Python's
# aliases, and what mail programs write besides.
_LABELS: Final = {
    "utf-8": (
        "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8 u8 utf "
        "utf8-ucs2 utf8-ucs4 cp65001 utf8mb4 utf-8-sig"
    ),
    "cp866": "866 cp866 csibm866 ibm866",
    "iso8859-2": "csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso-8859-2-1987 l2 latin2",
    "iso8859-3": "csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso-8859-3-1988 l3 latin3",
    "iso8859-4": "csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso-8859-4-1988 l4 latin4",
    "iso8859-5": (
        "csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso-8859-5-1988"
    ),
    "iso8859-6": (
        "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 "
        "iso-8859-6-e iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso-8859-6-1987"
    ),
    "iso8859-7": (
        "csisolatingreek ecma-118 elot-928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 "
        "iso88597 iso-8859-7-1987 sun-eu-greek"
    ),
    "iso8859-8": (
        "csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 iso8859-8 "
        "iso88598 iso-8859-8-1988 visual csiso88598i iso-8859-8-i logical"
    ),
    "iso8859-10": (
        "csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6 iso-8859-10-1992"
    ),
    "iso8859-13": "iso-8859-13 iso8859-13 iso885913 l7 latin7",
    "iso8859-14": (
        "iso-8859-14 iso8859-14 iso885914 iso-8859-14-1998 iso-celtic iso-ir-199 l8 latin8"
    ),
    "iso8859-15": "csisolatin9 iso-8859-15 iso8859-15 iso885915 l9 latin9",
    "iso8859-16": "iso-8859-16 iso8859-16 iso-8859-16-2001 iso-ir-226 l10 latin10",
    "koi8-r": "cskoi8r koi koi8 koi8-r",
    "koi8-u": "koi8-ru koi8-u",
    "mac-roman": "csmacintosh mac macintosh x-mac-roman mac-roman macroman",
    "cp874": "dos-874 windows-874 cp874",
    "iso8859-11": "iso-8859-11 iso8859-11 iso885911 thai iso-8859-11-2001",
    "tis-620": "tis-620 tis620 tis-620-0 tis-620-2529-0 tis-620-2529-1 iso-ir-166",
    "cp1250": "cp1250 windows-1250 x-cp1250 1250",
    "cp1251": "cp1251 windows-1251 x-cp1251 1251",
    "ascii": (
        "ansi-x3.4-1968 ascii us-ascii 646 ansi-x3-4-1968 ansi-x3.4-1986 cp367 csascii ibm367 "
        "iso646-us iso-646.irv-1991 iso-ir-6 us"
    ),
    "cp1252": "cp1252 windows-1252 x-cp1252 1252",
    "iso8859-1": (
        "cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso-8859-1-1987 l1 "
        "latin1 latin-1 8859 iso8859 latin"
    ),
    "cp1253": "cp1253 windows-1253 x-cp1253 1253",
    "cp1254": "cp1254 windows-1254 x-cp1254 1254",
    "iso8859-9": "csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso-8859-9-1989 l5 latin5",
    "cp1255": "cp1255 windows-1255 x-cp1255 1255",
    "cp1256": "cp1256 windows-1256 x-cp1256 1256",
    "cp1257": "cp1257 windows-1257 x-cp1257 1257",
    "cp1258": "cp1258 windows-1258 x-cp1258 1258",
    "mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian mac-cyrillic maccyrillic",
    "gb2312": (
        "chinese csgb2312 csiso58gb231280 gb2312 gb-2312 gb-2312-80 iso-ir-58 euc-cn euccn "
        "eucgb2312-cn gb2312-1980 gb2312-80 x-mac-simp-chinese"
    ),
    "gbk": "gbk x-gbk 936 cp936 ms936 windows-936",
    "gb18030": "gb18030 gb18030-2000",
    "big5": "big5 cn-big5 csbig5 x-x-big5 big5-tw x-mac-trad-chinese",
    "big5hkscs": "big5-hkscs big5hkscs hkscs",
    "euc-jp": "cseucpkdfmtjapanese euc-jp x-euc-jp eucjp ujis u-jis",
    "iso2022-jp": "csiso2022jp iso-2022-jp iso2022-jp iso2022jp",
    "shift-jis": "csshiftjis shift-jis sjis x-sjis shiftjis s-jis x-mac-japanese",
    "cp932": "ms932 ms-kanji windows-31j cp932 932 mskanji windows-932",
    "euc-kr": (
        "cseuckr csksc56011987 euc-kr iso-ir-149 korean ks-c-5601-1987 ks-c-5601-1989 ksc5601 "
        "ksc-5601 euckr ks-c-5601 ksx1001 ks-x-1001 x-mac-korean"
    ),
    "cp949": "windows-949 cp949 949 ms949 uhc",
    "utf-16-be": "unicodefffe utf-16be utf-16-be unicodebigunmarked",
    "utf-16-le": (
        "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16le utf-16-le "
        "unicodelittleunmarked"
    ),
    "utf-16": "utf-16 u16 utf16",
    "cp1006": "cp1006",
    "cp1125": "cp1125 1125 ibm1125 cp866u ruscii",
    "cp437": "cp437 437 cspc8codepage437 ibm437",
    "cp720": "cp720",
    "cp737": "cp737",
    "cp775": "cp775 775 cspc775baltic ibm775",
    "cp850": "cp850 850 cspc850multilingual ibm850 cp-850",
    "cp852": "cp852 852 cspcp852 ibm852",
    "cp855": "cp855 855 csibm855 ibm855",
    "cp856": "cp856",
    "cp857": "cp857 857 csibm857 ibm857",
    "cp858": "cp858 858 csibm858 ibm858 ibm00858 cp00858",
    "cp860": "cp860 860 csibm860 ibm860",
    "cp861": "cp861 861 cp-is csibm861 ibm861",
    "cp862": "cp862 862 cspc862latinhebrew ibm862",
    "cp863": "cp863 863 csibm863 ibm863",
    "cp864": "cp864 864 csibm864 ibm864",
    "cp865": "cp865 865 csibm865 ibm865",
    "cp869": "cp869 869 cp-gr csibm869 ibm869",
    "cp037": (
        "cp037 037 csibm037 ebcdic-cp-ca ebcdic-cp-nl ebcdic-cp-us ebcdic-cp-wt ibm037 ibm039"
    ),
    "cp273": "cp273 273 ibm273 csibm273",
    "cp424": "cp424 424 csibm424 ebcdic-cp-he ibm424",
    "cp500": "cp500 500 csibm500 ebcdic-cp-be ebcdic-cp-ch ibm500",
    "cp875": "cp875",
    "cp1026": "cp1026 1026 csibm1026 ibm1026",
    "cp1140": "cp1140 1140 ibm1140",
    "cp950": "cp950 950 ms950 windows-950",
    "euc-jis-2004": "euc-jis-2004 jisx0213 eucjis2004 euc-jis2004",
    "euc-jisx0213": "euc-jisx0213 eucjisx0213",
    "hp-roman8": "hp-roman8 roman8 r8 cp1051 ibm1051",
    "hz": "hz hzgb hz-gb hz-gb-2312",
    "iso2022-jp-1": "iso2022-jp-1 iso2022jp-1 iso-2022-jp-1",
    "iso2022-jp-2": "iso2022-jp-2 iso2022jp-2 iso-2022-jp-2",
    "iso2022-jp-2004": "iso2022-jp-2004 iso-2022-jp-2004 iso2022jp-2004",
    "iso2022-jp-3": "iso2022-jp-3 iso2022jp-3 iso-2022-jp-3",
    "iso2022-jp-ext": "iso2022-jp-ext iso2022jp-ext iso-2022-jp-ext",
    "iso2022-kr": "iso2022-kr csiso2022kr iso2022kr iso-2022-kr",
    "johab": "johab cp1361 ms1361",
    "koi8-t": "koi8-t",
    "kz1048": "kz1048 kz-1048 rk1048 strk1048-2002",
    "mac-arabic": "mac-arabic x-mac-arabic",
    "mac-croatian": "mac-croatian x-mac-croatian",
    "mac-farsi": "mac-farsi",
    "mac-greek": "mac-greek macgreek x-mac-greek",
    "mac-iceland": "mac-iceland maciceland x-mac-icelandic",
    "mac-latin2": (
        "mac-latin2 maccentraleurope mac-centeuro maclatin2 x-mac-ce x-mac-centraleurroman"
    ),
    "mac-romanian": "mac-romanian x-mac-romanian",
    "mac-turkish": "mac-turkish macturkish x-mac-turkish",
    "palmos": "palmos",
    "ptcp154": "ptcp154 csptcp154 pt154 cp154 cyrillic-asian",
    "shift-jis-2004": "shift-jis-2004 shiftjis2004 sjis-2004 s-jis-2004",
    "shift-jisx0213": "shift-jisx0213 shiftjisx0213 sjisx0213 s-jisx0213",
    "utf-32": "utf-32 u32 utf32",
    "utf-32-be": "utf-32-be utf-32be",
    "utf-32-le": "utf-32-le utf-32le",
    "utf-7": "utf-7 u7 utf7 unicode-1-1-utf-7",
}
_EBCDIC: Final = ("cp037", "cp273", "cp424", "cp500", "cp875", "cp1026", "cp1140")
# With what a body is read where its codec is not the first or not the only one. What the name
# promises is asked first, since an edit is written in it. What clients read, who take a name for
# its vendor's superset (Encoding Standard 4.2), is asked of what is not UTF-8 under a wrong name.
_BODIES: Final = {
    "iso8859-1": ("cp1252",),
    "iso8859-9": ("iso8859-9", "cp1254"),
    "iso8859-11": ("iso8859-11", "cp874"),
    "tis-620": ("tis-620", "cp874"),
    "gb2312": ("gb2312", "utf-8", "gb18030"),
    "gbk": ("gbk", "utf-8", "gb18030"),
    "shift-jis": ("shift-jis", "utf-8", "cp932"),
    "euc-kr": ("euc-kr", "utf-8", "cp949"),
    "big5": ("big5", "utf-8", "cp950", "big5hkscs"),
    "utf-16": ("utf-16-be",),  # RFC 2781 4.3: big-endian without a mark
    "utf-32": ("utf-32-be",),
    # Most clients know no EBCDIC page and show what is ASCII or UTF-8: it must not hide from us.
    **{codec: ("utf-8", codec) for codec in _EBCDIC},
}
# With what an encoded word is shown where that is not its codec.
_HEADERS: Final = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift-jis": "cp932",
    "euc-kr": "cp949",
    **dict.fromkeys(_EBCDIC, "utf-8"),
}
_BETWEEN: Final = re.compile(r"[^A-Za-z0-9.]+")
_C1: Final = re.compile("[\x80-\x9f]")
_WITH_C1: Final = ("iso8859-9", "iso8859-11", "tis-620")  # where their supersets have letters

_STATEFUL = ("iso2022", "utf-7", "hz")  # an octet's meaning depends on what came before
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True, slots=True)
class Charset:
    """How octets under one label are read. The names are Python's, each of a codec that decodes in
    linear time and, with `errors="replace"`, always."""

    codec: str  # what its name promises: what an edit may be written in
    body: tuple[str, ...]  # asked in this order to read a body exactly
    header: str  # what clients show an encoded word with (RFC 2047)


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


def named(label: str) -> Charset | None:
    """The charset that a label names, or None where it is not one that mail is written in.

    Letter case and what stands around the name do not matter (Encoding Standard 4.2, "get an
    encoding"), nor do the signs between its words, which mail programs write as they like.
    """
    return _NAMED.get(label) or _NAMED.get(_folded(label))


def codec_named(label: str) -> str | None:
    """Python's name of the codec that a label promises, or None where the label is unknown."""
    found = named(label)
    return found.codec if found is not None else None


def _folded(label: str) -> str:
    return _BETWEEN.sub("-", label).strip("-").lower()


_NAMED: Final = {
    label: charset
    for codec, labels in _LABELS.items()
    for charset in (Charset(codec, _BODIES.get(codec, (codec,)), _HEADERS.get(codec, codec)),)
    for label in labels.split()
}


def decode(data: bytes, label: str) -> Decoded:
    """The text of a body under its declared charset; never raises.

    Where the declaration does not fit, the text is read as clients do: UTF-8 if it is valid,
    else Windows-1252, else Latin-1, which always gives the octets back.
    """
    for mark, marked in _BOMS:
        if data.startswith(mark):
            # Half a character at the end of UTF-16: what is added could complete it.
            why = "" if marked == "utf-8" else f"it is not valid {marked}"
            return _strict(data, marked) or Decoded(data.decode("latin-1"), "iso8859-1", why)
    charset = named(label)
    if charset is None:
        return Decoded(data.decode("latin-1"), "iso8859-1", "its charset is unknown")
    if charset.codec in ("ascii", "utf-8", "iso8859-1", "cp1252") and data.isascii():
        return Decoded(data.decode("ascii"), charset.codec)
    found = _as_declared(data, charset.body)
    if found is not None:
        return found
    codec = charset.body[0]
    if codec.startswith(("utf-16", "utf-32", *_STATEFUL)):
        return Decoded(data.decode("latin-1"), "iso8859-1", f"it is not valid {codec}")
    for fallback in ("utf-8", "cp1252"):
        found = _strict(data, fallback)
        if found is not None:
            return found
    return Decoded(data.decode("latin-1"), "iso8859-1")


def _as_declared(data: bytes, candidates: tuple[str, ...]) -> Decoded | None:
    """The first exact reading, or a later one of text where the first is of control characters."""
    controls: Decoded | None = None
    for codec in candidates:
        found = _strict(data, codec)
        if found is None:
            continue
        if codec not in _WITH_C1 or not _C1.search(found.text):
            return found
        controls = found
    return controls


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
