"""The arguments of MAIL and RCPT: a path and ESMTP parameters, read strictly from raw bytes.

Owns the parameters we know (SIZE, BODY, SMTPUTF8, AUTH) and their errors. The path itself is
`core.mail.path`'s. Must not know sessions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailguard.core.mail.path import PathError, parse_path
from mailguard.core.mail.reply import Reply
from mailguard.frontends.smtp.trust import xtext_decode

# The alternatives begin differently and every repeat is possessive: linear on any input.
_PATH = re.compile(rb'<(?:"(?:[^"\\]|\\.)*+"|[^">])*+>')
_KEYWORD = re.compile(rb"[A-Za-z0-9][A-Za-z0-9-]*+\Z")
_VALUE = re.compile(rb"[!-<>-~]++\Z")
_SIZE = re.compile(rb"[0-9]{1,20}\Z")  # RFC 1870 section 4


class ArgumentError(Exception):
    """An argument that is refused; `reply` says why."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.reply = Reply(code, text)


@dataclass(frozen=True, slots=True)
class MailArguments:
    """MAIL's: RFC 5321 4.1.1.2, 1870, 6152, 6531, 4954."""

    reverse_path: str  # "" is the null reverse-path
    size: int = 0  # as announced; 0 when not
    body: str = ""  # "", "7BIT", "8BITMIME"
    smtputf8: bool = False


def read_mail(argument: bytes, *, extended: bool, size_limit: int) -> MailArguments:
    """Raises ArgumentError."""
    path, parameters = _split(argument, b"FROM:", "MAIL FROM:<reverse-path>", extended)
    size, body, smtputf8 = 0, "", False
    for keyword, value in parameters.items():
        if keyword == "SIZE":
            if value is None or not _SIZE.match(value):
                raise ArgumentError(501, "5.5.4 SIZE takes a number")
            size = int(value)
            if size > size_limit:
                raise ArgumentError(552, f"5.3.4 Message over {size_limit} octets")
        elif keyword == "BODY":
            body = (value or b"").decode("ascii").upper()
            if body not in ("7BIT", "8BITMIME"):
                raise ArgumentError(501, "5.5.4 BODY is 7BIT or 8BITMIME")
        elif keyword == "SMTPUTF8":
            if value is not None:
                raise ArgumentError(501, "5.5.4 SMTPUTF8 takes no value")
            smtputf8 = True
        elif keyword == "AUTH":  # RFC 4954 section 5: taken, and believed of nobody
            try:
                xtext_decode(value or b"+")
            except ValueError:
                raise ArgumentError(501, "5.5.4 AUTH takes <> or an xtext mailbox") from None
        else:
            raise ArgumentError(555, "5.5.4 Unknown MAIL parameter")
    return MailArguments(_path(path, smtputf8, null_allowed=True), size, body, smtputf8)


def read_rcpt(argument: bytes, *, extended: bool, smtputf8: bool, postmaster: str) -> str:
    """The forward-path; a bare `<Postmaster>` is ours (RFC 5321 4.5.1). Raises ArgumentError."""
    path, parameters = _split(argument, b"TO:", "RCPT TO:<forward-path>", extended)
    if parameters:
        raise ArgumentError(555, "5.5.4 Unknown RCPT parameter")
    if path.upper() == b"<POSTMASTER>":
        return postmaster
    return _path(path, smtputf8, null_allowed=False)


def _path(raw: bytes, smtputf8: bool, *, null_allowed: bool) -> str:
    try:
        return parse_path(raw, smtputf8=smtputf8, null_allowed=null_allowed)
    except PathError as error:
        raise ArgumentError(error.code, error.text) from None


def _split(
    argument: bytes, word: bytes, syntax: str, extended: bool
) -> tuple[bytes, dict[str, bytes | None]]:
    """The path with its brackets, and the parameters by upper-case keyword."""
    if argument[: len(word)].upper() != word:
        raise ArgumentError(501, f"5.5.4 Syntax: {syntax}")
    # A space after the colon is no grammar of RFC 5321, and many clients send it.
    rest = argument[len(word) :].lstrip(b" ")
    found = _PATH.match(rest)
    path = found.group() if found else rest.partition(b" ")[0]
    tail = rest[len(path) :]
    if tail and not tail.startswith(b" "):
        raise ArgumentError(501, "5.5.4 A space must follow the path")
    parameters: dict[str, bytes | None] = {}
    for item in tail.split(b" "):
        if not item:
            continue
        raw, equals, value = item.partition(b"=")
        if not _KEYWORD.match(raw) or (equals and not _VALUE.match(value)):
            raise ArgumentError(501, "5.5.4 Malformed parameter")
        keyword = raw.decode("ascii").upper()
        if keyword in parameters:
            raise ArgumentError(501, "5.5.4 Parameter given twice")
        parameters[keyword] = value if equals else None
    if parameters and not extended:
        raise ArgumentError(555, "5.5.4 Parameters need EHLO")
    return path, parameters
