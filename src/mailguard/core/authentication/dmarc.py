"""DMARC (RFC 9989): reading records, the tree walk, alignment and the policy that applies.

Owns the rules; section numbers are of RFC 9989. What DNS said comes in as `DmarcAnswers`.
Must not know how it was asked, or what the district does about a result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import idna

from mailguard.core.decision.facts import Dkim, Dmarc, Spf, Unavailable

LONGEST_RECORD = 4_096  # octets
MOST_LABELS = 8  # of a name that is walked label by label (4.10)
_POLICIES = ("none", "quarantine", "reject")
_WEAKER = {"reject": "quarantine", "quarantine": "none", "none": "none"}
_WSP = b" \t"
_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")


@dataclass(frozen=True, slots=True)
class Record:
    """A DMARC Policy Record (4.7). A policy is "" where its tag is absent or invalid."""

    p: str = ""
    sp: str = ""
    np: str = ""
    psd: str = "u"
    adkim: str = "r"
    aspf: str = "r"
    testing: bool = False  # t=y
    fo: tuple[str, ...] = ("0",)
    rua: tuple[str, ...] = ()
    ruf: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()  # those of p, sp and np whose values are none (4.10.1)


Found = Record | Unavailable | None
"""What was found at one name: None for no record, or several."""

Registrable = Callable[[str], str | None]
"""A domain's organizational domain by a public suffix list; None where the list has none."""


@dataclass(frozen=True, slots=True)
class DmarcAnswers:
    """What DNS said. `records` is by domain, without the _dmarc label, in lower case."""

    records: Mapping[str, Found] = field(default_factory=dict)
    exists: bool | Unavailable = True  # the Author Domain; asked where `existence_matters`


@dataclass(frozen=True, slots=True)
class Organization:
    """What a tree walk gave. `policy_domain` is where the walk found the record that applies to
    names below: the organizational domain's, or its public suffix's; "" for none."""

    domain: str
    policy_domain: str = ""


def parse_record(raw: bytes) -> Record | None:
    """One TXT record; None where it is no DMARC record (4.7, 4.8). Never raises, linear.

    Unknown tags and values that are not in the syntax are left out; of a repeated tag the first
    counts.
    """
    if len(raw) > LONGEST_RECORD:
        return None
    version, *pieces = raw.split(b";")
    name, equals, value = version.partition(b"=")
    # The v tag is first and its value is case-sensitive.
    if not equals or name.rstrip(_WSP).lower() != b"v" or value.strip(_WSP) != b"DMARC1":
        return None
    tags: dict[str, str] = {}
    for piece in pieces:
        name, equals, value = piece.partition(b"=")
        tag, text = name.strip(_WSP).lower(), value.strip(_WSP)
        if equals and tag.isalpha() and text and all(0x20 <= octet <= 0x7E for octet in text):
            tags.setdefault(tag.decode("ascii"), text.decode("ascii"))
        elif tag in (b"p", b"sp", b"np"):
            tags.setdefault(tag.decode("ascii"), "")  # there, and no policy
    policies = {tag: tags.get(tag, "").lower() for tag in ("p", "sp", "np")}
    valid = {tag: value if value in _POLICIES else "" for tag, value in policies.items()}
    return Record(
        p=valid["p"],
        sp=valid["sp"],
        np=valid["np"],
        psd=_one_of(tags, "psd", ("u", "y", "n")),
        adkim=_one_of(tags, "adkim", ("r", "s")),
        aspf=_one_of(tags, "aspf", ("r", "s")),
        testing=_one_of(tags, "t", ("n", "y")) == "y",
        fo=_failure_options(tags.get("fo", "0")),
        rua=_uris(tags.get("rua", "")),
        ruf=_uris(tags.get("ruf", "")),
        invalid=tuple(tag for tag in ("p", "sp", "np") if tag in tags and not valid[tag]),
    )


def select_record(values: Sequence[bytes]) -> Record | None:
    """The record among a name's TXT records; None where there are several (4.10 steps 2, 6)."""
    records = [record for record in map(parse_record, values) if record is not None]
    return records[0] if len(records) == 1 else None


def a_label(domain: str) -> str:
    """A domain as DNS and comparisons want it (5.3.1): A-labels, lower case, no final dot.

    "" for what is no domain name: what is none cannot be asked for, nor written into a field.
    Never raises.
    """
    return _a_label(domain[:512])  # twice as long as one can be


@lru_cache(maxsize=4096)
def _a_label(domain: str) -> str:
    domain = domain.removesuffix(".").lower()
    if not domain.isascii():
        try:
            domain = idna.encode(domain[:255], uts46=True).decode("ascii").lower()
        except (idna.IDNAError, UnicodeError, ValueError):
            return ""
    if len(domain) > 253 or any(not 1 <= len(label) <= 63 for label in domain.split(".")):
        return ""
    return domain if _NAME.issuperset(domain) else ""


def walk(domain: str) -> tuple[str, ...]:
    """The names of a tree walk in order, at most eight (4.10)."""
    labels = domain.split(".")
    parents = labels[1:] if len(labels) < MOST_LABELS else labels[1 - MOST_LABELS :]
    return (domain, *(".".join(parents[n:]) for n in range(len(parents))))


def organizational_domain(domain: str, records: Mapping[str, Found]) -> Organization | Unavailable:
    """4.10.2, for a domain in the form of `a_label`.

    Unavailable where a name that the walk came to gave no answer. Where no record was found the
    domain itself is returned, without a policy domain.
    """
    found: list[str] = []
    for name in walk(domain):
        record = records.get(name, _NOT_ASKED)
        if isinstance(record, Unavailable):
            return record
        if record is None:
            continue
        if record.psd == "n":
            return Organization(name, name)
        if record.psd == "y":
            # One label below; the walk's own start has none below it and is its own organization.
            organization = ".".join(domain.split(".")[-(name.count(".") + 2) :])
            # 4.10.1: the suffix's policy is for those that published none.
            return Organization(organization, organization if organization in found else name)
        found.append(name)
    return Organization(found[-1], found[-1]) if found else Organization(domain)


def names_to_ask(author_domain: str, identifiers: Sequence[str]) -> tuple[str, ...]:
    """The names whose records `evaluate` may need, without the _dmarc label.

    Identifiers that share no top-level label with the author are left out: no record aligns them.
    """
    author = a_label(author_domain)
    if not author:
        return ()
    top = author.rpartition(".")[2]
    names = dict.fromkeys(walk(author))
    for identifier in map(a_label, identifiers):
        if identifier and identifier.rpartition(".")[2] == top:
            names.update(dict.fromkeys(walk(identifier)))
    return tuple(names)


def existence_matters(author_domain: str, records: Mapping[str, Found]) -> bool:
    """Whether the policy depends on the Author Domain's existence (np, 4.10.1)."""
    applying = _applying(a_label(author_domain), records)
    if isinstance(applying, Unavailable) or applying is None or applying.own:
        return False
    record = applying.record
    return bool(record.np) and record.np != (record.sp or record.p or "none")


def evaluate(
    author_domain: str,
    spf: Spf | Unavailable,
    dkim: Sequence[Dkim] | Unavailable,
    answers: DmarcAnswers,
    registrable: Registrable | None = None,
) -> Dmarc:
    """The result for one Author Domain (5.3). Never raises.

    `spf` must be of the MAIL FROM identity (3.2.4); another is not counted. `registrable` stands
    in for tree walks that found no record at all; no published policy hangs on it.
    """
    author = a_label(author_domain)
    if not author:
        return Dmarc("permerror", reason="there is no single Author Domain (5.3.1)")
    alignment = _Alignment(author, answers.records, registrable)
    applying = _applying(author, answers.records)
    if isinstance(applying, Unavailable):
        # 5.3.6; strict equality needs no record, so it is told all the same.
        return Dmarc(
            "temperror",
            domain=author,
            aligned=alignment.passed(spf, dkim, "s", "s"),
            reason=applying.unavailable,
        )
    if applying is None:
        return Dmarc(
            "none",
            domain=author,
            organizational_domain=alignment.organization(author),
            aligned=alignment.passed(spf, dkim, "r", "r"),
        )
    record = applying.record
    aligned = alignment.passed(spf, dkim, record.aspf, record.adkim)
    published = _policy(applying, answers.exists)
    policy = "none" if isinstance(published, Unavailable) else published
    result, reason = _result(aligned, published, alignment.open_question(spf, dkim, record))
    if record.invalid and not record.rua:  # 4.10.1
        result, policy, published = "permerror", "none", "none"
        reason = f"no valid {record.invalid[0]} tag and no rua at {applying.domain}"
    return Dmarc(
        result,
        _WEAKER[policy] if record.testing else policy,
        author,
        policy if isinstance(published, Unavailable) else published,
        applying.domain,
        alignment.organization(author),
        aligned,
        record.testing,
        reason,
    )


@dataclass(frozen=True, slots=True)
class _Applying:
    """The record that applies (4.10.1), and whether it is the Author Domain's own."""

    record: Record
    domain: str
    own: bool


def _applying(author: str, records: Mapping[str, Found]) -> _Applying | Unavailable | None:
    own = records.get(author, _NOT_ASKED)
    if isinstance(own, Unavailable):
        return own
    if own is not None:
        return _Applying(own, author, True)
    organization = organizational_domain(author, records)
    if isinstance(organization, Unavailable):
        return organization
    record = records.get(organization.policy_domain)
    if not isinstance(record, Record):
        return None
    return _Applying(record, organization.policy_domain, False)


def _policy(applying: _Applying, exists: bool | Unavailable) -> str | Unavailable:
    """4.10.1, before t=y weakens it (4.7)."""
    record = applying.record
    if record.invalid:
        return "none"  # as if p=none had been retrieved, where rua is there
    if applying.own:
        return record.p or "none"
    existing = record.sp or record.p or "none"
    nonexistent = record.np or existing
    if existing == nonexistent:
        return existing
    if isinstance(exists, Unavailable):
        return exists
    return existing if exists else nonexistent


def _result(
    aligned: tuple[str, ...], published: str | Unavailable, open_question: str
) -> tuple[str, str]:
    """5.3.5 and 5.3.6: a pass stands; a fail needs every answer that could have made it one."""
    if aligned:
        return "pass", ""
    if open_question:
        return "temperror", open_question
    if isinstance(published, Unavailable):
        return "temperror", published.unavailable
    return "fail", "nothing that passed is aligned"


class _Alignment:
    """4.4, 4.10.2: identifiers against one Author Domain."""

    def __init__(
        self, author: str, records: Mapping[str, Found], registrable: Registrable | None
    ) -> None:
        self._author = author
        self._records = records
        self._registrable = registrable

    def organization(self, domain: str) -> str:
        """The organizational domain, "" where it cannot be known now."""
        found = organizational_domain(domain, self._records)
        if isinstance(found, Unavailable):
            return ""
        if not found.policy_domain and self._registrable is not None:
            return self._registrable(domain) or domain
        return found.domain

    def passed(
        self, spf: Spf | Unavailable, dkim: Sequence[Dkim] | Unavailable, aspf: str, adkim: str
    ) -> tuple[str, ...]:
        """The methods with a pass in alignment."""
        methods = []
        if isinstance(spf, Spf) and _counts(spf) and spf.result == "pass":
            methods += ["spf"] if self._aligned(spf.domain, aspf) else []
        if not isinstance(dkim, Unavailable) and any(
            one.result == "pass" and self._aligned(one.domain, adkim) for one in dkim
        ):
            methods.append("dkim")
        return tuple(methods)

    def open_question(
        self, spf: Spf | Unavailable, dkim: Sequence[Dkim] | Unavailable, record: Record
    ) -> str:
        """Why a missing pass may be for want of an answer; "" where it is not."""
        if isinstance(spf, Unavailable):
            return f"SPF: {spf.unavailable}"
        if isinstance(dkim, Unavailable):
            return f"DKIM: {dkim.unavailable}"
        if _counts(spf) and self._open(spf.result, spf.domain, record.aspf):
            return "SPF or the alignment of its domain could not be found out"
        if any(self._open(one.result, one.domain, record.adkim) for one in dkim):
            return "DKIM or the alignment of its domain could not be found out"
        return ""

    def _aligned(self, identifier: str, mode: str) -> bool:
        name = a_label(identifier)
        if not name or name == self._author or mode == "s":
            return bool(name) and name == self._author
        organization = self.organization(self._author)
        return self._within(name) and organization == self.organization(name) != ""

    def _open(self, result: str, identifier: str, mode: str) -> bool:
        """A pass whose alignment is not known, or a temperror that could have been a pass."""
        name = a_label(identifier)
        if result not in ("pass", "temperror") or not name:
            return False
        if name == self._author or mode == "s":
            return result == "temperror" and name == self._author
        if not self._within(name):
            return False  # and so foreign signatures do not turn a fail into a temperror
        unknown = not self.organization(self._author) or not self.organization(name)
        return unknown or (result == "temperror" and self._aligned(name, mode))

    def _within(self, name: str) -> bool:
        """Whether the name can have the author's organizational domain; where that is not known,
        whether they share the top-level label at least."""
        organization = self.organization(self._author) or self._author.rpartition(".")[2]
        return f".{name}".endswith(f".{organization}")


_NOT_ASKED = Unavailable("DMARC: not asked")


def _counts(spf: Spf) -> bool:
    return spf.identity == "mailfrom"


def _one_of(tags: Mapping[str, str], tag: str, allowed: tuple[str, ...]) -> str:
    """A flag's value, or its default: the first that is allowed."""
    value = tags.get(tag, "").lower()
    return value if value in allowed else allowed[0]


def _failure_options(text: str) -> tuple[str, ...]:
    options = tuple(option.strip(" \t").lower() for option in text.split(":"))
    valid = set(options) <= {"0", "1", "d", "s"} and len(set(options)) == len(options)
    return options if valid and not {"0", "1"} <= set(options) else ("0",)


def _uris(text: str) -> tuple[str, ...]:
    """The syntactically valid reporting URIs (4.6), an obsolete "!10m" taken off."""
    found = []
    for piece in text.split(","):
        uri = piece.strip(" \t").partition("!")[0]
        scheme, colon, rest = uri.partition(":")
        letters = scheme.replace("+", "").replace("-", "").replace(".", "")
        valid = colon and rest and " " not in uri and scheme[:1].isalpha() and letters.isalnum()
        if valid and (scheme.lower() != "mailto" or "@" in rest[1:-1]):
            found.append(uri)
    return tuple(found)
