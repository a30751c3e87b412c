"""How often honest senders are taken for staff, and how often impostors are not.

`python -m tests.impersonation.rates` writes the tables into docs/impersonation.md.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.impersonation import attacks, population
from tests.impersonation.population import DIRECTORY, DISTRICT, PARTNERS, Letter

from mailguard.checks.impersonation.check import Impersonation, ImpersonationSettings
from mailguard.core.decision.facts import Dmarc, Facts, Spf
from mailguard.core.decision.verdict import Disposition
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction

PAGE = Path(__file__).parents[2] / "docs" / "impersonation.md"
CHECK = Impersonation()
SETTINGS = ImpersonationSettings(
    partners=PARTNERS,
    known_domains=("friends-of-ashvalley.test",),
)
_DEFAULTS = {kind.code: kind.default for kind in CHECK.findings}
REGISTERED = "staff from registered personal addresses"
_LISTENER = Listener("mx", Role.MX)


@dataclass
class Row:
    """One class of senders: how many, and what became of them by the default policy."""

    kind: str
    sent: int = 0
    quarantined: int = 0
    recorded: int = 0
    codes: Counter[str] = field(default_factory=Counter)

    def count(self, codes: list[str]) -> None:
        held = any(_DEFAULTS[code] is Disposition.QUARANTINE for code in codes)
        self.sent += 1
        self.quarantined += held
        self.recorded += bool(codes) and not held
        self.codes.update(codes)

    @property
    def neither(self) -> int:
        return self.sent - self.quarantined - self.recorded


@dataclass
class Rates:
    """Everything measured."""

    honest: list[Row]
    roles_only: list[Row]
    registered: Row
    impostors: list[Row]
    strangers: int  # honest senders who show a full name
    expected: float  # of them, by chance with a staff member's name
    milliseconds: float  # of CPU a message, for gathering what is shown and the check
    share: float  # the same, of what parsing the same messages took in the same moments


def gather(letter: Letter) -> tuple[Transaction, Callable[[], Facts]]:
    """The message as it arrives, and what makes the facts that the check needs."""
    head = [f"From: {_word(letter.shown)} <{letter.mailbox}>"]
    if letter.reply_to:
        head.append(f"Reply-To: {letter.reply_to}")
    message = mime.parse("\r\n".join([*head, "Subject: x", "", "Hello."]).encode())
    envelope = Envelope(letter.mailbox, (DISTRICT.postmaster,), "192.0.2.25")
    shown = message.author.boxes[0].display_name
    own = (DISTRICT.name, DISTRICT.short_name)

    def facts() -> Facts:
        return Facts(
            now=0.0,
            district=DISTRICT,
            namesakes=DIRECTORY.namesakes(shown),
            short_namesakes=DIRECTORY.short_namesakes(shown),
            offices=DIRECTORY.offices_shown(shown, own),
            spf=Spf("none"),
            dkim=(),
            dmarc=Dmarc("pass" if letter.kind == REGISTERED else "none"),
        )

    return Transaction("01TEST", 0.0, _LISTENER, envelope, message), facts


def _word(shown: str) -> str:
    if not shown:
        return ""
    quoted = shown.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'


class Spent(NamedTuple):
    """Seconds of CPU a letter."""

    checking: float
    parsing: float


def tally(
    letters: Iterable[Letter], *settings: ImpersonationSettings
) -> tuple[list[list[Row]], Spent]:
    """For each of the settings a row a class; and the CPU seconds a letter with the first."""
    rows: list[dict[str, Row]] = [{} for _ in settings]
    total, parsing, count = 0.0, 0.0, 0
    for letter in letters:
        begun = time.thread_time()
        transaction, make_facts = gather(letter)
        started = time.thread_time()
        parsing += started - begun
        facts = make_facts()
        for found, chosen in zip(rows, settings, strict=True):
            verdict = CHECK.examine(transaction, facts, chosen)
            if found is rows[0]:
                total, count = total + time.thread_time() - started, count + 1
            row = found.setdefault(letter.kind, Row(letter.kind))
            row.count([finding.code for finding in verdict.findings])
    return [list(found.values()) for found in rows], Spent(total / count, parsing / count)


def _personal() -> list[Letter]:
    return [
        Letter(REGISTERED, person.name, mailbox)
        for person in DIRECTORY.people.values()
        for mailbox in person.personal_addresses
    ]


@cache
def measure() -> Rates:
    """Everybody through the check, once."""
    letters = population.make_correspondents()
    tally(letters[:500], SETTINGS)  # indexes are made once, and not counted
    roles = SETTINGS.model_copy(update={"staff_names": "roles"})
    (honest, roles_only), spent = tally(letters, SETTINGS, roles)
    ((registered,),), _ = tally(_personal(), SETTINGS)
    impostors: list[Row] = []
    for tricks in (
        attacks.NAME_TRICKS,
        attacks.SHORT_TRICKS,
        attacks.TITLE_TRICKS,
        attacks.DOMAIN_TRICKS,
        attacks.OTHER_TRICKS,
    ):
        impostors += tally(attacks.make_attacks(tricks), SETTINGS)[0][0]
    strangers = [letter for letter in letters if shows_a_full_name(letter)]
    expected = population.expected_namesakes(strangers)
    return Rates(
        honest,
        roles_only,
        registered,
        impostors,
        len(strangers),
        expected,
        spent.checking * 1_000,
        spent.checking / spent.parsing,
    )


_FULL = re.compile(r"[A-Z][a-z]+,? (?:[A-Z]\. )?[A-Z][a-z]+")
_PEOPLE = ("parents and others", "people through a service")


def shows_a_full_name(letter: Letter) -> bool:
    """Whether a stranger shows first name and surname, and nothing beside that is no name."""
    if letter.kind not in _PEOPLE or letter.shown.startswith("The "):
        return False
    bare = letter.shown.removesuffix(" via Docs").removesuffix(" (Forms)")
    return _FULL.fullmatch(bare) is not None


def tables(rates: Rates) -> str:
    """Both tables in Markdown."""
    lines = [
        "### Honest senders",
        "",
        "| Who | sent | quarantined | recorded | with `staff_names: roles` quarantined |",
        "|---|--:|--:|--:|--:|",
    ]
    for row, other in zip(rates.honest, rates.roles_only, strict=True):
        lines.append(
            f"| {row.kind} | {row.sent} | {row.quarantined} | {row.recorded} "
            f"| {other.quarantined} |"
        )
    every = [
        sum(getattr(row, what) for row in rates.honest)
        for what in ("sent", "quarantined", "recorded")
    ]
    only = sum(row.quarantined for row in rates.roles_only)
    lines.append(f"| **all** | {every[0]} | {every[1]} | {every[2]} | {only} |")
    own = rates.registered
    lines += [
        f"| {own.kind} | {own.sent} | {own.quarantined} | {own.recorded} | 0 |",
        "",
        f"{rates.strangers} of the strangers show a full name; chance alone gives "
        f"{rates.expected:.0f} of them a staff member's.",
        "",
        "### Impostors",
        "",
        "| Trick | sent | quarantined | recorded only | missed |",
        "|---|--:|--:|--:|--:|",
    ]
    for row in rates.impostors:
        lines.append(
            f"| {row.kind} | {row.sent} | {row.quarantined} | {row.recorded} | {row.neither} |"
        )
    return "\n".join(lines)


BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def main() -> None:
    rates = measure()
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    tail = rest.partition(END)[2]
    PAGE.write_text(f"{head}{BEGIN}\n{tables(rates)}\n{END}{tail}", encoding="utf-8")
    print(f"{PAGE.name} written; {rates.milliseconds:.3f} ms of CPU an outside message")


if __name__ == "__main__":
    main()
