"""SMTP replies as values (RFC 5321 section 4.2, RFC 3463).

Must not know sessions.
"""

from __future__ import annotations

from dataclasses import dataclass

_LINE = 480  # octets of text a line: RFC 5321 4.5.3.1.5 allows 512 with code and line end


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
    """A refusal that a person reads: any text becomes ASCII lines of a legal length, each led by
    the status. Spaces survive, since V1 has double ones (R27)."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        rest = "".join(c if " " <= c <= "~" else "?" for c in _plain(paragraph)).rstrip()
        while len(rest) > _LINE:
            cut = rest.rfind(" ", 0, _LINE) + 1 or _LINE
            lines.append(rest[:cut])
            rest = rest[cut:]
        if rest:
            lines.append(rest)
    return Reply(code, "\n".join(f"{status} {line}" for line in lines[:20] or ["Refused"]))


_TYPOGRAPHY = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."}
)


def _plain(text: str) -> str:
    return text.translate(_TYPOGRAPHY)
