"""Files of many kinds, made octet by octet, and messages that carry them."""

from __future__ import annotations

import base64
import gzip
import io
import struct
import tarfile
import zipfile
import zlib

PE = (
    b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0" + b"\0" * 44 + struct.pack("<I", 128) + b"\0" * 64
) + b"PE\0\0\x64\x86".ljust(300, b"\0")
ELF = b"\x7fELF\2\1\1".ljust(120, b"\0")
MACH_O = b"\xcf\xfa\xed\xfe\7\0\0\1".ljust(120, b"\0")
FAT_MACH_O = b"\xca\xfe\xba\xbe\0\0\0\2".ljust(120, b"\0")
CLASS = b"\xca\xfe\xba\xbe\0\0\0\x34".ljust(120, b"\0")
DEX = b"dex\n035\0".ljust(120, b"\0")
LNK = b"L\0\0\0\1\x14\2\0\0\0\0\0\xc0\0\0\0\0\0\0F".ljust(120, b"\0")
CHM = b"ITSF\x03\0\0\0".ljust(120, b"\0")
ISO = b"\0" * 0x8001 + b"CD001\1" + b"\0" * 2_000
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(range(256)) * 4
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256))
GIF = b"GIF89a\1\0\1\0" + bytes(60)
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
PDF = b"%PDF-1.7\n1 0 obj\n<</Type /Catalog>>\nendobj\ntrailer <</Root 1 0 R>>\n%%EOF\n"
TYPES = b'<?xml version="1.0"?><Types><Default Extension="xml"/></Types>'
MACRO_TYPES = TYPES.replace(b"</Types>", b"application/vnd.ms-office.vbaProject</Types>")


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, octets in members:
            archive.writestr(zipfile.ZipInfo(name), octets, method)
    return made.getvalue()


def locked(*members: tuple[str, bytes]) -> bytes:
    """As `zipped`, its members marked as encrypted in both headers."""
    made = bytearray(zipped(*members))
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        found = made.find(magic)
        while found >= 0:
            made[found + at] |= 1
            found = made.find(magic, found + 4)
    return bytes(made)


def office(*members: tuple[str, bytes], types: bytes = TYPES) -> bytes:
    return zipped(("[Content_Types].xml", types), ("word/document.xml", b"<w/>"), *members)


def tarred(*members: tuple[str, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=format) as archive:
        for name, octets in members:
            info = tarfile.TarInfo(name)
            info.size = len(octets)
            archive.addfile(info, io.BytesIO(octets))
    return made.getvalue()


def gzipped(octets: bytes, name: str = "") -> bytes:
    made = io.BytesIO()
    with gzip.GzipFile(name, "wb", fileobj=made, mtime=0) as file:
        file.write(octets)
    return made.getvalue()


def ole(
    *streams: tuple[str, bytes], storages: tuple[str, ...] = (), class_id: bytes = bytes(16)
) -> bytes:
    """A compound file of 512-octet sectors; streams shorter than 4,096 octets are padded."""
    sectors: list[bytes] = []
    fat: list[int] = []

    def put(octets: bytes) -> int:
        first, count = len(sectors), max(-(-len(octets) // 512), 1)
        for number in range(count):
            sectors.append(octets[512 * number : 512 * number + 512].ljust(512, b"\0"))
            fat.append(first + number + 1 if number < count - 1 else 0xFFFFFFFE)
        return first

    entries = [_entry("Root Entry", 5, class_id=class_id, child=1)]
    entries += [_entry(name, 1) for name in storages]
    for name, octets in streams:
        padded = octets.ljust(4_096, b"\0")
        entries.append(_entry(name, 2, put(padded), len(padded)))
    directory = put(b"".join(entries))
    table = len(sectors)
    fat.append(0xFFFFFFFD)
    sectors.append(struct.pack("<128I", *(fat + [0xFFFFFFFF] * (128 - len(fat)))))
    header = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<5H", 62, 3, 0xFFFE, 9, 6)
    )
    header += bytes(6) + struct.pack("<9I", 0, 1, directory, 0, 4_096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    header += struct.pack("<109I", table, *[0xFFFFFFFF] * 108)
    return header + b"".join(sectors)


def _entry(
    name: str,
    kind: int,
    start: int = 0,
    size: int = 0,
    class_id: bytes = bytes(16),
    child: int = -1,
) -> bytes:
    letters = name.encode("utf-16-le")
    made = letters.ljust(64, b"\0") + struct.pack("<HBB", len(letters) + 2, kind, 1)
    made += struct.pack("<3i", -1, -1, child) + class_id + bytes(20)
    return made + struct.pack("<IQ", start, size)


def packaged(name: str, octets: bytes) -> bytes:
    """An \\x01Ole10Native stream."""
    body = b"\2\0" + name.encode() + b"\0" + f"C:\\{name}".encode() + b"\0\0\0\3\0"
    path = f"C:\\Temp\\{name}".encode() + b"\0"
    body += struct.pack("<I", len(path)) + path + struct.pack("<I", len(octets)) + octets
    return struct.pack("<I", len(body)) + body


def biff(*records: tuple[int, bytes]) -> bytes:
    """A workbook stream."""
    return b"".join(struct.pack("<2H", kind, len(body)) + body for kind, body in records)


def pdf(*objects: bytes) -> bytes:
    body = b"".join(b"%d 0 obj\n%s\nendobj\n" % (n + 2, each) for n, each in enumerate(objects))
    return b"%PDF-1.7\n1 0 obj\n<</Type /Catalog>>\nendobj\n" + body + b"%%EOF\n"


def object_stream(octets: bytes, kind: bytes = b"ObjStm") -> bytes:
    packed = zlib.compress(octets)
    head = b"<</Type /%s /Filter /FlateDecode /Length %d>>\nstream\r\n" % (kind, len(packed))
    return head + packed + b"\nendstream"


def tnef(name: str, octets: bytes) -> bytes:
    def attribute(kind: int, body: bytes) -> bytes:
        return (
            b"\2"
            + struct.pack("<2I", kind, len(body))
            + body
            + struct.pack("<H", sum(body) & 0xFFFF)
        )

    made = b"\x78\x9f\x3e\x22\1\0" + attribute(0x00069002, bytes(14))
    return made + attribute(0x00018010, name.encode() + b"\0") + attribute(0x0006800F, octets)


def rar5(*names: str, locked: bool = False, hidden: bool = False) -> bytes:
    """A RAR 5 archive's headers; checksums are zeros, which nobody looks at here."""

    def block(kind: int, body: bytes, flags: int = 0) -> bytes:
        octets = bytes((kind, flags)) + body
        return bytes(4) + bytes((len(octets),)) + octets

    made = b"Rar!\x1a\x07\x01\x00"
    if hidden:
        return made + block(4, bytes(20))
    made += block(1, b"\0")
    for name in names:
        extra = b"\x02\x01\x00" if locked else b""
        body = bytes((0, 5, 0, 0, 0, len(name))) + name.encode()
        if extra:
            body = bytes((len(extra),)) + body + extra
        made += block(2, body, 1 if extra else 0)
    return made + block(5, b"\0")


def rar4(name: str, flags: int = 0) -> bytes:
    main = struct.pack("<HBHH", 0, 0x73, 0, 13) + bytes(6)
    size = 32 + len(name)
    file = struct.pack("<HBHH", 0, 0x74, flags | 0x8000, size) + struct.pack("<2I", 4, 9)
    file += bytes(11) + struct.pack("<HI", len(name), 0) + name.encode()
    return b"Rar!\x1a\x07\x00" + main + file + b"\1\2\3\4"


def seven(header: bytes) -> bytes:
    return (
        b"7z\xbc\xaf\x27\x1c\0\4"
        + bytes(4)
        + struct.pack("<QQI", 4, len(header), 0)
        + b"\1\2\3\4"
        + header
    )


def message(
    octets: bytes,
    name: str = "",
    declared: str = "application/octet-stream",
    *,
    disposition: bytes | None = None,
    encoding: str = "base64",
    sender: str = "rosa.alder@example.com",
) -> bytes:
    """A text and one attachment. `disposition`: the field's whole value."""
    if disposition is None:
        disposition = b"attachment" + (f'; filename="{name}"'.encode() if name else b"")
    body = octets
    if encoding == "base64":
        body = base64.encodebytes(octets).replace(b"\n", b"\r\n")
    return (
        f"From: Rosa Alder <{sender}>\r\nTo: tim.moss@example.org\r\nSubject: File\r\n"
        "Date: Wed, 25 Nov 2026 09:44:40 +0000\r\nMessage-ID: <070@example.com>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=cut\r\n\r\n"
        "--cut\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHere is the file.\r\n"
        f"--cut\r\nContent-Type: {declared}\r\n".encode()
        + b"Content-Disposition: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n"
        % (disposition, encoding.encode())
        + body
        + b"\r\n--cut--\r\n"
    )
