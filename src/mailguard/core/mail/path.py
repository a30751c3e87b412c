"""The envelope's Path on raw octets, strictly by RFC 5321 4.1.2 (RFC 6531 under SMTPUTF8).

One reading only: whatever a later mail server could route elsewhere than the domain checked here
is refused. Must not know which domains are ours, or sessions.
"""

from __future__ import annotations

import re
import unicodedata
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

import idna

MAX_LOCAL_PART: Final = 64  # octets, RFC 5321 4.5.3.1.1
MAX_DOMAIN: Final = 255  # 4.5.3.1.2
MAX_PATH: Final = 256  # 4.5.3.1.3, the brackets included

# atext (RFC 5322 3.2.3) without % and !, by which some servers route onwards. Deterministic.
_ATEXT: Final = r"A-Za-z0-9#$&'*+/=?^_`{|}~\x80-\U0010ffff-"
_DOT_STRING: Final = re.compile(rf"[{_ATEXT}]+(?:\.[{_ATEXT}]+)*")
_PLAIN_QUOTED: Final = re.compile(rf'"[{_ATEXT}.]+"')
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_OTHER_DOTS: Final = re.compile("[\u3002\uff0e\uff61]")  # IDNA 2003 took these for dots
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"})


class PathError(ValueError):
    """A path that is refused, with the reply: `code` and `text`, enhanced status code first."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text


def parse_path(raw: bytes, *, smtputf8: bool, null_allowed: bool) -> str:
    """The mailbox of a Path, without its brackets and otherwise as given; "" for `<>`.

    `raw` is what stands between "FROM:" or "TO:" and the parameters. `null_allowed` is said of
    MAIL, whose null reverse-path is "<>"; without it the path is RCPT's, where "<postmaster>"
    needs no domain (RFC 5321 4.1.1.3).

    A quoted local part is taken only where a dot-atom's characters stand in it: quotes then
    change nothing. With @, %, !, space, backslash or another special in it, and with % or ! in a
    plain one, servers differ in where such mail goes, so it is refused.

    Raises PathError: 501 for what is no path, 553 for a path that is not taken.
    """
    wrong = "5.1.7" if null_allowed else "5.1.3"  # RFC 3463: sender's or recipient's syntax
    text = _text(raw, wrong, smtputf8)
    if text == "<>" and null_allowed:
        return ""
    if len(text) < 3 or text[0] != "<" or text[-1] != ">":
        raise PathError(501, f"{wrong} The address must stand in angle brackets")
    mailbox = text[1:-1]
    if mailbox[0] == "@":
        raise PathError(553, f"{wrong} Source routes are not accepted")
    if not null_allowed and mailbox.lower() == "postmaster":
        return mailbox
    # In an address literal there is no @, and in an accepted local part neither.
    local, at, domain = mailbox.rpartition("@")
    if not at or not local or not domain:
        raise PathError(501, f"{wrong} The address needs a local part and a domain")
    _check_local_part(local, wrong)
    _check_domain(domain, wrong)
    return mailbox


def _text(raw: bytes, wrong: str, smtputf8: bool) -> str:
    if len(raw) > MAX_PATH:
        raise PathError(501, f"{wrong} The address is too long")
    if raw.isascii():
        return raw.decode("ascii")
    if not smtputf8:
        raise PathError(553, "5.6.7 A non-ASCII address needs SMTPUTF8")  # RFC 6531 3.5
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise PathError(501, f"{wrong} The address is not valid UTF-8") from None


def _check_local_part(local: str, wrong: str) -> None:
    if len(local.encode("utf-8")) > MAX_LOCAL_PART:
        raise PathError(501, f"{wrong} The local part is too long")
    if not (_DOT_STRING.fullmatch(local) or _PLAIN_QUOTED.fullmatch(local)):
        routed = local[0] != '"' and _DOT_STRING.fullmatch(
            local.replace("%", "x").replace("!", "x")
        )
        if routed or (local[0] == '"' and local[-1] == '"' and len(local) > 2):
            raise PathError(553, f"{wrong} Quoted or routed local parts are not accepted")
        raise PathError(501, f"{wrong} The local part is malformed")
    if not local.isascii():
        # RFC 6531 3.3 allows all of Unicode; what is invisible, or turns into a special when a
        # later server normalises it, could name another mailbox.
        folded = unicodedata.normalize("NFKC", local)
        if any(unicodedata.category(c) in _INVISIBLE for c in local) or not (
            _DOT_STRING.fullmatch(folded) or _PLAIN_QUOTED.fullmatch(folded)
        ):
            raise PathError(553, f"{wrong} The local part has characters that are not accepted")


def _check_domain(domain: str, wrong: str) -> None:
    if domain[0] == "[":
        _check_literal(domain, wrong)
        return
    host = domain
    if not domain.isascii():
        try:
            if _OTHER_DOTS.search(domain):
                raise idna.IDNAError
            host = idna.encode(domain).decode("ascii")
        except (idna.IDNAError, UnicodeError, ValueError):
            raise PathError(501, f"{wrong} The domain is not a valid name") from None
    if len(domain.encode("utf-8")) > MAX_DOMAIN or len(host) > MAX_DOMAIN:
        raise PathError(501, f"{wrong} The domain is too long")
    # A last label of digits is an address without its brackets, not a name (RFC 3696 2).
    if not _HOST.fullmatch(host) or host.rpartition(".")[2].isdigit():
        raise PathError(501, f"{wrong} The domain is not a valid name")


def _check_literal(domain: str, wrong: str) -> None:
    """RFC 5321 4.1.3, IPv4 and IPv6; no other kind is registered."""
    inside = domain[1:-1]
    try:
        if domain[-1] != "]" or "%" in inside:
            raise AddressValueError
        if inside[:5].lower() == "ipv6:":
            IPv6Address(inside[5:])
        else:
            IPv4Address(inside)
    except AddressValueError:
        raise PathError(501, f"{wrong} The address literal is malformed") from None
