"""The tricks by which outsiders pass for staff: 200 of each class, made from a seed.

Owns the tricks and whether the check means to catch them. Must not know how it does.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from tests.impersonation.population import DIRECTORY, PARTNERS, SEED, SITES, Letter

from mailguard.core.people.model import Person

EACH = 200
_PEOPLE = tuple(DIRECTORY.people.values())
_LEADERS = tuple(person for person in _PEOPLE if person.roles)
_CYRILLIC = str.maketrans("aeopcxyijsAEOPCXKMTHB", "аеорсхуіјѕАЕОРСХКМТНВ")
_NICKNAMES = {
    "Robert": "Bob", "William": "Bill", "Richard": "Rick", "James": "Jim", "Michael": "Mike",
    "Thomas": "Tom", "Daniel": "Dan", "Matthew": "Matt", "Jennifer": "Jen", "Elizabeth": "Liz",
    "Patricia": "Pat", "Susan": "Sue", "Joseph": "Joe", "David": "Dave", "Steven": "Steve",
}  # fmt: skip

Trick = Callable[[random.Random, Person], Letter | None]


def _at(shown: str, rng: random.Random, kind: str = "") -> Letter:
    host = rng.choice(("gmail.com", "outlook.com", "mailbox.test", "office-desk.test"))
    return Letter(kind, shown, f"office{rng.randrange(10_000)}@{host}")


def _shows(make: Callable[[random.Random, str, str, Person], str]) -> Trick:
    """A trick with the display name alone."""

    def trick(rng: random.Random, person: Person) -> Letter | None:
        first, last = person.name.split()
        shown = make(rng, first, last, person)
        return _at(shown, rng) if shown else None

    return trick


def _sprinkle(rng: random.Random, text: str, what: str) -> str:
    at = rng.randrange(1, len(text))
    return text[:at] + what + text[at:]


def _bold(text: str) -> str:
    return "".join(
        chr(0x1D400 + ord(c) - 65) if "A" <= c <= "Z" else
        chr(0x1D41A + ord(c) - 97) if "a" <= c <= "z" else c
        for c in text
    )  # fmt: skip


def _digits(text: str) -> str:
    return text.replace("o", "0").replace("l", "1").replace("i", "1").replace("e", "3")


def _typo(rng: random.Random, text: str) -> str:
    at = rng.randrange(1, len(text) - 1)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


NAME_TRICKS: dict[str, Trick] = {
    "the name itself": _shows(lambda r, f, s, p: f"{f} {s}"),
    "surname first": _shows(lambda r, f, s, p: r.choice((f"{s}, {f}", f"{s} {f}"))),
    "capitals, dots, underscores": _shows(
        lambda r, f, s, p: r.choice((f"{f} {s}".upper(), f"{f}.{s}".lower(), f"{f}_{s}"))
    ),
    "a middle initial": _shows(lambda r, f, s, p: f"{f} {r.choice('ABCDE')}. {s}"),
    "name and title": _shows(lambda r, f, s, p: f"{f} {s}, {p.title}"),
    "title and name": _shows(lambda r, f, s, p: f"{p.title} {f} {s}"),
    "name through a service": _shows(lambda r, f, s, p: f"{f} {s} via Docs"),
    "Cyrillic letters": _shows(lambda r, f, s, p: f"{f} {s}".translate(_CYRILLIC)),
    "mathematical and wide letters": _shows(
        lambda r, f, s, p: r.choice(
            (_bold(f"{f} {s}"), "".join(chr(ord(c) + 0xFEE0) if c > " " else c for c in f"{f} {s}"))
        )
    ),
    "digits for letters": _shows(lambda r, f, s, p: _digits(f"{f} {s}")),
    "invisible characters": _shows(
        lambda r, f, s, p: _sprinkle(
            r, f"{f} {s}", r.choice(("\u200b", "\u2060", "\u00ad", "\u3164", "\u200d", "\u202e"))
        )
    ),
    "emoji around the name": _shows(lambda r, f, s, p: f"🍎 {f} {s} 🍎"),
    "spaces between letters": _shows(lambda r, f, s, p: " ".join(f + s)),
    "run together": _shows(lambda r, f, s, p: f"{f}{s}"),
}
SHORT_TRICKS: dict[str, Trick] = {
    "a nickname": _shows(lambda r, f, s, p: f"{_NICKNAMES[f]} {s}" if f in _NICKNAMES else ""),
    "an initial and the surname": _shows(lambda r, f, s, p: f"{f[0]}. {s}"),
    "the first name and an initial": _shows(lambda r, f, s, p: f"{f} {s[0]}."),
    "letters swapped in the name": _shows(lambda r, f, s, p: f"{f} {_typo(r, s)}"),
    "Mr. or Ms. and the surname": _shows(lambda r, f, s, p: f"{r.choice(('Mr.', 'Ms.'))} {s}"),
    "the first name alone": _shows(lambda r, f, s, p: f),
}


def _title(make: Callable[[random.Random], str]) -> Trick:
    return lambda rng, person: _at(make(rng), rng)


TITLE_TRICKS: dict[str, Trick] = {
    "a title alone": _title(
        lambda r: r.choice(
            (
                "Superintendent",
                "Office of the Superintendent",
                "The Superintendent's Office",
                "Chief Financial Officer",
                "Director of Human Resources",
                "Superintendent of Schools",
                "Exec. Director of IT",
                "SUPERINTENDENT",
                "Supеrintеndеnt",
            )
        )
    ),
    "a title and a school": _title(
        lambda r: r.choice(("Principal, {}", "{} Principal", "{} - Principal's Office")).format(
            r.choice(SITES)
        )
    ),
    "a title and the district": _title(
        lambda r: r.choice(
            (
                "Superintendent, Ash Valley Unified School District",
                "AVUSD Superintendent",
                "Ash Valley Superintendent",
                "AVUSD Human Resources Director",
                "Principal - AVUSD",
                "Ash Valley Principal",
            )
        )
    ),
}


def _domain(make: Callable[[random.Random, str, str], str]) -> Trick:
    """A trick with a domain: the district's, or every fourth time a partner's."""

    def trick(rng: random.Random, person: Person) -> Letter | None:
        target = rng.choice(("ashvalley.test", "ashvalley.test", "ashvalley.test", *PARTNERS[:1]))
        label, _, ending = target.partition(".")
        return Letter("", "Accounts", f"accounts@{make(rng, label, ending)}")

    return trick


def _swap(rng: random.Random, label: str) -> str:
    at = rng.randrange(len(label) - 1)
    while label[at] == label[at + 1]:
        at = rng.randrange(len(label) - 1)
    return label[:at] + label[at + 1] + label[at] + label[at + 2 :]


_GLYPHS = (
    ("l", "1"), ("d", "cl"), ("o", "0"), ("l", "i"), ("v", "ν"), ("a", "а"), ("e", "е"), ("y", "у"),
    ("c", "с"),
)  # fmt: skip


def _homoglyph(rng: random.Random, label: str, ending: str) -> str:
    pairs = [pair for pair in _GLYPHS if pair[0] in label]
    changed = label.replace(*rng.choice(pairs), 1)
    return f"{changed.encode('idna').decode()}.{ending}"


def _any_letter(rng: random.Random) -> str:
    return rng.choice("abdefghkmnopqrstuvwyz")


DOMAIN_TRICKS: dict[str, Trick] = {
    "letters that look alike, punycode": _domain(_homoglyph),
    "a letter doubled": _domain(
        lambda r, d, e: (lambda i: f"{d[:i]}{d[i]}{d[i:]}.{e}")(r.randrange(len(d)))
    ),
    "a letter added": _domain(
        lambda r, d, e: (lambda i: f"{d[:i]}{_any_letter(r)}{d[i:]}.{e}")(r.randrange(len(d)))
    ),
    "a letter left out": _domain(
        lambda r, d, e: (lambda i: f"{d[:i]}{d[i + 1 :]}.{e}")(r.randrange(len(d)))
    ),
    "a letter changed": _domain(
        lambda r, d, e: (lambda i: f"{d[:i]}{_any_letter(r)}{d[i + 1 :]}.{e}")(r.randrange(len(d)))
    ),
    "two letters swapped": _domain(lambda r, d, e: f"{_swap(r, d)}.{e}"),
    "a hyphen added": _domain(
        lambda r, d, e: (lambda i: f"{d[:i]}-{d[i:]}.{e}")(r.randrange(1, len(d)))
    ),
    "another ending": _domain(lambda r, d, e: f"{d}.{r.choice(('example', 'invalid', 'org'))}"),
    "our domain within another": _domain(
        lambda r, d, e: r.choice(
            (
                f"{d}.{e}.evil.test",
                f"login.{d}-{e}.test",
                f"{d}-{e}.test",
                f"login-{d}-{e}.evil.test",
                f"{d}{e}.invalid",
            )
        )
    ),
    "a word put beside it": _domain(
        lambda r, d, e: r.choice(
            (
                f"{d}-login.test",
                f"secure-{d}.test",
                f"{d}payroll.test",
                f"my{d}.invalid",
                f"{d}-staff-portal.test",
            )
        )
    ),
    "another word put beside it": _domain(
        lambda r, d, e: r.choice((f"{d}-district.test", f"{d}schools.test", f"the-{d}.test"))
    ),
}


def _inner(rng: random.Random, person: Person) -> Letter:
    shown = rng.choice(("{}", "<{}>", "Accounts {}", "{} (verified)")).format(person.addresses[0])
    return _at(shown, rng)


def _leaving(rng: random.Random, person: Person) -> Letter:
    first, last = person.name.split()
    shown = rng.choice((f"{first} {last}", "AVUSD Payroll", "Ash Valley Unified School District"))
    return Letter("", shown, "no-reply@mailer.test", f"office{rng.randrange(1_000)}@gmail.com")


OTHER_TRICKS: dict[str, Trick] = {
    "an address in the display name": _inner,
    "answers to a free mailbox": _leaving,
}


def make_attacks(tricks: dict[str, Trick]) -> Iterator[Letter]:
    """200 letters of each trick; half of them play one of the 81 people with a role."""
    for kind, trick in tricks.items():
        rng = random.Random(f"{SEED} {kind}")
        made = 0
        while made < EACH:
            letter = trick(rng, rng.choice(_LEADERS if made % 2 else _PEOPLE))
            own = letter is not None and letter.mailbox.endswith(
                tuple(f"@{domain}" for domain in ("ashvalley.test", *PARTNERS))
            )
            if letter is not None and not own:
                made += 1
                yield Letter(kind, letter.shown, letter.mailbox, letter.reply_to)
