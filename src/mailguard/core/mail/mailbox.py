"""One address or domain as people write it in files, sheets and commands, in its normal form.

Owns the grammar at this edge and the one rule for every way onto the unblocked list: a single
address and nothing wider (R37). The wire has its own grammar (`path`, `address`). Must not know
settings, or what an address is wanted for.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from mailguard.core.mail.safe_text import quoted

ONLY_SINGLE = (
    "only specific, individual addresses are unblocked; a whole domain or a pattern would let in "
    "forged senders and more spam (R37)"
)
ALLOWED = "one full address, as in parent@example.com"
_PLAIN_LOCAL = re.compile(r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*")
# Legal in a local part (RFC 5321 4.1.2), but in a list they are somebody's idea of a pattern.
_PATTERN = re.compile(r"[*?%\[\](){}|^$\\]")


def is_pattern(text: str) -> bool:
    """Whether somebody means more than one address, in full-width signs too."""
    return bool(_PATTERN.search(unicodedata.normalize("NFKC", text)))


class TooWide(ValueError):
    """More than one address is meant. `problem` says in a few words what it is."""

    def __init__(self, text: str, problem: str) -> None:
        super().__init__(f"{quoted(text)} is no single address: {ONLY_SINGLE}; allowed: {ALLOWED}")
        self.problem = f"{quoted(text)} {problem} (R37)"


def single_address(text: str) -> str:
    """One individual address in lower case. Raises ValueError with `problem; allowed: …`, which is
    TooWide for a domain or a pattern (R37)."""
    folded = unicodedata.normalize("NFKC", text).strip()  # full-width * and @ are * and @
    local, at, _ = folded.rpartition("@")
    if _PATTERN.search(folded) or folded.startswith((".@", ".+@", "+@")):
        raise TooWide(text, "is a pattern")
    if not at or not local or folded.startswith(("@", ".")):
        raise TooWide(text, "names a whole domain" if "." in folded else "is no address")
    try:
        return mailbox(folded)
    except ValueError as error:
        problem = str(error).partition("; allowed: ")[0]
        raise ValueError(f"{problem}; allowed: {ALLOWED}") from None


def mailbox(text: str) -> str:
    """One mail address in lower case (RFC 5321 Mailbox without quoting, or RFC 6531), its domain
    as A-labels: the key under which messages' addresses are looked up (`core.mail.address`)."""
    lowered = text.strip().lower()
    local, at, host = lowered.rpartition("@")
    if at and len(local) <= 64 and _PLAIN_LOCAL.fullmatch(local):
        return f"{local}@{_domain(host)}"  # the usual case, a tenth of the full grammar's time
    if not at:
        raise ValueError(f"{quoted(text)} is no mail address; allowed: name@domain")
    try:
        checked = validate_email(
            lowered,
            check_deliverability=False,
            test_environment=True,  # .test domains are for examples and tests
            allow_quoted_local=False,
            allow_domain_literal=False,
        )
    except EmailNotValidError as error:
        raise ValueError(f"{quoted(text)} is no mail address: {_said(error)}") from None
    return f"{checked.local_part}@{checked.ascii_domain}".lower()


def domain(text: str) -> str:
    """A mail domain in lower case, as A-labels, without a dot at the end."""
    return _domain(text.strip().lower().rstrip("."))


@lru_cache(maxsize=4096)
def _domain(text: str) -> str:
    if "@" in text:
        raise ValueError(f"{quoted(text)} is no domain; allowed: a name as in example.org")
    try:
        checked = validate_email(
            f"postmaster@{text}", check_deliverability=False, test_environment=True
        )
    except EmailNotValidError as error:
        raise ValueError(f"{quoted(text)} is no mail domain: {_said(error)}") from None
    return checked.ascii_domain.lower()


def _said(error: EmailNotValidError) -> str:
    said = str(error).rstrip(".")
    return said[0].lower() + said[1:] + "; allowed: name@domain"
