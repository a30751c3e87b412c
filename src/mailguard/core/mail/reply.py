"""SMTP replies as values (RFC 5321 section 4.2, RFC 3463).

Must not know sessions.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailguard.core.mail import safe_text


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply: ours to a client, or the next hop's to us."""

    code: int  # 250, 451, 550
    text: str  # one or more lines; the enhanced status code first, as in "2.0.0 Ok"

    @property
    def positive(self) -> bool:
        return 200 <= self.code < 300

    @property
    def temporary(self) -> bool:
        return 400 <= self.code < 500

    @property
    def permanent(self) -> bool:
        return self.code >= 500

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


def refusal(text: str, code: int = 550, status: str = "5.7.1") -> Reply:
    """A refusal that a person reads: any text becomes printable ASCII. Spaces survive, since V1 has
    double ones (R27); the session breaks lines that are too long."""
    plain = text.translate(_TYPOGRAPHY)
    lines = [safe_text.ascii_line(line) for line in plain.splitlines()]
    said = "\n".join(line.rstrip() for line in lines if line.strip())
    return Reply(code, f"{status} {said or 'Refused'}")


_TYPOGRAPHY = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."}
)
