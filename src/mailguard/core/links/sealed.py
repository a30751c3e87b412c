"""Sealed links: an address wrapped in a token that only the district can make (R39).

Owns the token's form and the reading of an address's host. A token is base64url of
`key id (1) | form (1) | HMAC-SHA-256 cut to 128 bits | address`, so that it needs no storage, is
the same each time, and shows any change. Where policy wants it told, `minute (4) | sender | NUL`
stands in front of the address. Must not know the page that opens it, nor policy.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import zlib
from dataclasses import dataclass
from functools import lru_cache

LONGEST = 8_192  # octets of an address; a longer one is not sealed

_PLAIN, _DEFLATED = b"\x01", b"\x02"
_PLAIN_SENT, _DEFLATED_SENT = b"\x03", b"\x04"  # with sender and minute
_MAC = 16
_LONGEST_SENDER = 254  # RFC 5321 4.5.3.1.3; one that is longer is left out
_WORTHWHILE = 80  # octets from which deflating is tried
# Part of the form: changing it would make every token already in a mailbox unreadable.
_DICTIONARY = (
    b"&utm_content=&utm_term=.html?.org/.net/.edu/unsubscribe?id=/click?"
    b"&utm_medium=email&utm_campaign=?utm_source=newsletterhttp://https://www..com/"
)
_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{24,16000}")
_AUTHORITY = re.compile(r"(?:https?|ftp):[/\\]*([^/\\?#]*)", re.IGNORECASE)


class LinkError(ValueError):
    """A token that we did not make, or an address that is not for sealing."""


@dataclass(frozen=True, slots=True)
class LinkOrigin:
    """What a token tells of the message that its link stood in."""

    sender: str  # the address that the message says it is from
    minute: int  # when it came, in minutes since the epoch


def seal(target: str, keys: tuple[bytes, ...], sent: LinkOrigin | None = None) -> str:
    """The token of an http or https address under the first key. Raises LinkError."""
    if not keys:
        raise LinkError("there is no key to seal links with")
    _check(target)
    try:
        payload = target.encode()
    except UnicodeEncodeError as error:
        raise LinkError("the address is not text") from error
    if len(payload) > LONGEST:
        raise LinkError("the address is too long")
    before = _written(sent)
    form, deflated = (_PLAIN_SENT, _DEFLATED_SENT) if before else (_PLAIN, _DEFLATED)
    payload = before + payload
    if len(payload) >= _WORTHWHILE:
        packer = zlib.compressobj(9, zlib.DEFLATED, -12, 4, zlib.Z_DEFAULT_STRATEGY, _DICTIONARY)
        packed = packer.compress(payload) + packer.flush()
        if len(packed) < len(payload):
            form, payload = deflated, packed
    sealed = _key_id(keys[0]) + form + _mac(keys[0], form + payload) + payload
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")


def open_(token: str, keys: tuple[bytes, ...]) -> str:
    """The address in a token made with any of the keys. Raises LinkError."""
    return opened(token, keys)[0]


def opened(token: str, keys: tuple[bytes, ...]) -> tuple[str, LinkOrigin | None]:
    """The address in a token made with any of the keys, and what it tells of the message, if it
    does. Raises LinkError."""
    if not _TOKEN.fullmatch(token):
        raise LinkError("this is not a token")
    try:
        sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (ValueError, binascii.Error) as error:
        raise LinkError("this is not a token") from error
    if base64.urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii") != token:
        raise LinkError("this is not a token")  # unused bits at the end, set
    form, mac, payload = sealed[1:2], sealed[2 : 2 + _MAC], sealed[2 + _MAC :]
    for key in keys:
        if sealed[:1] == _key_id(key) and hmac.compare_digest(mac, _mac(key, form + payload)):
            return _unpack(form, payload)
    raise LinkError("this token was not made here, or it was changed")


def host(target: str) -> str:
    """The host that a browser would go to, in lower case, without port; "" when there is none."""
    found = _AUTHORITY.match(target)
    if not found:
        return ""
    name = found[1].rpartition("@")[2]  # what stands before "@" is a user's name
    if name.startswith("["):
        return name.partition("]")[0][1:].lower()
    return name.partition(":")[0].lower().rstrip(".")


def readings_of_host(name: str) -> tuple[str, str]:
    """A host in ASCII (punycode) and in Unicode; the two are equal for most. Never raises."""
    labels = name.replace("\u3002", ".").split(".")
    return ".".join(map(_ascii, labels)), ".".join(map(_unicode, labels))


def _ascii(label: str) -> str:
    if label.isascii() or len(label) > 63:
        return label
    try:
        return "xn--" + label.encode("punycode").decode("ascii")
    except UnicodeError:
        return label


def _unicode(label: str) -> str:
    if not label.startswith("xn--") or len(label) > 63:
        return label
    try:
        shown = label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError):
        return label
    return shown if shown.isprintable() else label


def _check(target: str) -> None:
    if not target.lower().startswith(("http://", "https://")) or not host(target):
        raise LinkError("only http and https addresses are sealed")
    if _CONTROL.search(target):
        raise LinkError("the address has control characters or spaces in it")


def _written(sent: LinkOrigin | None) -> bytes:
    """What stands in front of the address; nothing where there is nothing fit to be told."""
    if sent is None or not sent.sender.isprintable() or not 0 <= sent.minute < 2**31:
        return b""
    sender = sent.sender.encode("utf-8", "replace")
    if not sender or len(sender) > _LONGEST_SENDER:
        return b""
    return sent.minute.to_bytes(4, "big") + sender + b"\x00"


def _unpack(form: bytes, payload: bytes) -> tuple[str, LinkOrigin | None]:
    if form in (_DEFLATED, _DEFLATED_SENT):
        unpacker = zlib.decompressobj(-15, _DICTIONARY)
        try:
            payload = unpacker.decompress(payload, LONGEST + _LONGEST_SENDER + 6)
        except zlib.error as error:
            raise LinkError("this token cannot be read") from error
    elif form not in (_PLAIN, _PLAIN_SENT):
        raise LinkError("this token has an unknown form")
    sent = None
    try:
        if form in (_PLAIN_SENT, _DEFLATED_SENT):
            minute = int.from_bytes(payload[:4], "big")
            sender, _, payload = payload[4:].partition(b"\x00")
            sent = LinkOrigin(sender.decode(), minute)
        target = payload.decode()
    except UnicodeDecodeError as error:
        raise LinkError("this token cannot be read") from error
    _check(target)
    return target, sent


@lru_cache(maxsize=64)
def _derived(key: bytes) -> hmac.HMAC:
    return hmac.new(key, b"mailguard link 1\x00", hashlib.sha256)


def _mac(key: bytes, signed: bytes) -> bytes:
    state = _derived(key).copy()
    state.update(signed)
    return state.digest()[:_MAC]


@lru_cache(maxsize=64)
def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"mailguard link key id\x00" + key).digest()[:1]
