"""What the built-in scorer looks for, what each sign weighs, and how people are told (R26).

Owns the table FEATURES and the sum. The signs themselves are found in `headers`,
`content` and `phrases`. Must not know thresholds, policy or the unblocked list.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mailguard.core.decision.engines import Scanned


@dataclass(frozen=True, slots=True)
class Feature:
    """One sign of spam (or, with negative points, of its absence)."""

    symbol: str  # stable: settings, evidence and the ledger name it
    points: float  # for each time it is seen
    words: str  # for people, lower case, no full stop: "all of the Subject is in capitals"
    at_most: float = 0.0  # points however often it is seen; 0 means once


@dataclass(frozen=True, slots=True)
class Hit:
    """A feature seen in a message, `count` times."""

    symbol: str
    count: int = 1
    detail: str = ""  # what was seen, at most a few words


@dataclass(frozen=True, slots=True)
class Scored:
    """A hit with its points."""

    symbol: str
    points: float
    detail: str = ""
    words: str = ""  # of an engine: what it saw; else those of the feature


FEATURES: dict[str, Feature] = {
    feature.symbol: feature
    for feature in (
        # The header.
        Feature("MISSING_DATE", 1.0, "the message has no Date"),
        Feature("DATE_FAR_OFF", 0.8, "the Date is days away from the day it arrived"),
        Feature("MISSING_MESSAGE_ID", 0.7, "the message has no Message-ID"),
        Feature("NO_RECIPIENT_SHOWN", 0.6, "neither To nor Cc names a recipient"),
        Feature("SUBJECT_CAPITALS", 1.0, "all of the Subject is in capitals"),
        Feature("SUBJECT_SYMBOLS", 1.0, "the Subject is full of symbols"),
        Feature("SUBJECT_EMPTY", 0.2, "the Subject is empty"),
        Feature("SUBJECT_OFFER", 0.7, "the Subject speaks of money or of something free"),
        Feature("SUBJECT_TAIL", 0.7, "the Subject ends in something that is set apart"),
        Feature("FALSE_REPLY", 0.3, "the Subject says it is a reply, and it answers nothing"),
        Feature("REPLY_TO_FREE_MAIL", 1.8, "answers would go to another, free mailbox"),
        Feature("AUTHOR_DIGITS", 0.5, "the author's address has a long number in it"),
        Feature("NAME_CAPITALS", 1.0, "the author's name is all in capitals"),
        Feature("NAME_SHOWS_ADDRESS", 1.2, "the display name shows another address"),
        Feature("NAME_SHOWS_BRAND", 1.8, "the display name is a company's, the address is not"),
        Feature("RECEIVED_MALFORMED", 0.3, "a Received field is not as mail servers write them"),
        Feature("GREETING_BARE", 0.8, "the sending server did not give its full name"),
        Feature("NULL_PATH", 0.7, "it bears the null reverse-path and is no automatic mail"),
        Feature("SENT_BY_SCRIPT", 0.6, "it was sent by a script of a web page"),
        # How it is built.
        Feature("HTML_ONLY", 0.4, "it has HTML and no plain text"),
        Feature("IMAGE_ONLY", 2.2, "it shows images and next to no words"),
        Feature("LINK_ONLY", 0.8, "it shows links and next to no words"),
        Feature("HIDDEN_TEXT", 0.5, "it contains text that is hidden from the reader"),
        Feature("SPLIT_LETTERS", 2.0, "invisible characters stand inside its words"),
        Feature("MIXED_ALPHABETS", 2.0, "its words mix letters of several alphabets"),
        Feature("ENCODED_WITHOUT_NEED", 0.5, "plain English text is encoded as base64"),
        Feature("SHOUTING", 0.9, "most of it is in capitals"),
        Feature("EXCLAMATIONS", 0.9, "it is full of exclamation marks"),
        Feature("FONT_LOUD", 0.7, "it is written in very large letters"),
        Feature("HTML_ATTACHED", 1.6, "a web page is attached"),
        Feature("PROGRAM_ATTACHED", 3.0, "a program is attached"),
        # Links.
        Feature("LINK_NUMERIC_HOST", 2.7, "a link goes to a bare network address"),
        Feature("LINK_PUNYCODE", 0.9, "a link's host is written in another alphabet"),
        Feature("LINK_USERINFO", 2.5, "a link shows a name before its real host"),
        Feature("LINK_HOST_ENCODED", 2.0, "a link's host is written in codes"),
        Feature("LINK_PORT", 1.0, "a link goes to an unusual port"),
        Feature("LINK_SHORTENED", 0.6, "a link hides its target behind a shortener"),
        Feature("LINK_MISMATCH", 1.3, "a link's text shows another site than it opens"),
        Feature("LINK_MANY_HOSTS", 0.3, "its links go to very many sites"),
        Feature("LINK_ODD_SCHEME", 2.0, "a link carries a script or a page of its own"),
        Feature("LINK_CHEAP_DOMAIN", 1.2, "a link's domain ends as throw-away domains do"),
        Feature("LINK_SIGN_IN", 0.6, "a link outside the district asks to sign in"),
        Feature("LINK_REMOVE", 1.1, "a link offers removal from a list"),
        Feature("LINK_LOOKALIKE", 3.0, "a link's domain looks like the district's"),
        Feature("FORM_INSIDE", 0.9, "the message contains a form"),
        # Words and phrases, by the trade they belong to.
        Feature("ADVANCE_FEE", 1.7, "it speaks of money to be handed over", at_most=5.0),
        Feature("GIFT_CARDS", 1.7, "it asks for gift cards", at_most=5.0),
        Feature("LOTTERY", 1.6, "it announces a prize", at_most=5.0),
        Feature("CREDENTIALS", 1.2, "it presses for a login to be confirmed", at_most=5.0),
        Feature("MEDICINES", 1.7, "it sells medicines", at_most=5.0),
        Feature("INVESTMENT", 1.5, "it promises income", at_most=5.0),
        Feature("LOANS", 1.6, "it offers credit", at_most=4.0),
        Feature("GAMBLING", 1.4, "it invites to gamble", at_most=4.0),
        Feature("DATING", 1.5, "it offers acquaintances", at_most=4.0),
        Feature("ADULT", 1.6, "it offers what is for adults only", at_most=5.0),
        Feature("EXTORTION", 1.8, "it threatens to publish something", at_most=6.0),
        Feature("MARKETING", 1.2, "it sells visits, followers or addresses", at_most=5.0),
        Feature("SALES", 0.8, "it presses to buy", at_most=2.4),
        Feature("REMOVAL", 1.7, "it says how to get off its list, as bulk mail does", at_most=4.2),
        Feature("JOB_OFFER", 1.4, "it offers easy work", at_most=4.0),
        Feature("INVOICE_TRICK", 1.3, "it speaks of a charge that a call would undo", at_most=4.0),
        Feature("CHAIN_LETTER", 1.6, "it asks to be passed on to everybody", at_most=5.0),
        Feature("PRESSURE", 0.7, "it presses for haste", at_most=1.8),
        # What reviewers taught.
        Feature("BAYES_SPAM", 1.5, "its words are those of mail that was discarded", at_most=4.5),
        Feature("BAYES_HAM", -0.5, "its words are those of mail that was released", at_most=1.5),
    )
}

# From which probability how many BAYES hits, strongest first.
_BAYES_SPAM = ((0.99, 3), (0.95, 2), (0.80, 1))
_BAYES_HAM = ((0.01, 3), (0.05, 2), (0.20, 1))
BAYES_RANGE = (-1.5, 4.5)  # points that an opinion may give
_ENGINE_SYMBOLS = 8  # named of one engine


def bayes_hit(probability: float, detail: str = "") -> Hit | None:
    """The learned opinion as a hit; None for one that is no opinion. `detail`: its words."""
    for bound, count in _BAYES_SPAM:
        if probability >= bound:
            return Hit("BAYES_SPAM", count, detail)
    for bound, count in _BAYES_HAM:
        if probability <= bound:
            return Hit("BAYES_HAM", count, detail)
    return None


def weigh(hits: Iterable[Hit], overrides: dict[str, float] | None = None) -> tuple[Scored, ...]:
    """Hits with their points, heaviest first. `overrides` gives some symbols other points for
    each time they are seen; one that is given 0 is left out."""
    scored = []
    for hit in hits:
        feature = FEATURES[hit.symbol]
        points, bound = feature.points, abs(feature.at_most or feature.points)
        if overrides and hit.symbol in overrides:
            bound = bound * abs(overrides[hit.symbol] / points)
            points = overrides[hit.symbol]
        total = max(-bound, min(bound, points * hit.count))
        if total:
            scored.append(Scored(hit.symbol, round(total, 2), hit.detail))
    return tuple(sorted(scored, key=heaviest_first))


def heaviest_first(scored: Scored) -> tuple[float, str]:
    """The order in which signs are told."""
    return -abs(scored.points), scored.symbol


def engine_scored(name: str, said: Scanned) -> Scored | None:
    """What an engine's score is worth, in its own words: "rspamd MISSING_MID +2.5, MISSING_DATE
    +1.0". None for nothing."""
    if not said.points:
        return None
    scores = [f"{s.name} {s.score:+.1f}" for s in said.symbols if s.score]
    seen = (scores or [symbol.name for symbol in said.symbols])[:_ENGINE_SYMBOLS]
    return Scored(name, said.points, words=f"{name} {', '.join(seen)}".strip())


def total(scored: Iterable[Scored]) -> float:
    """The message's score."""
    return round(sum(item.points for item in scored), 2)
