"""Words and phrases by the trade they belong to, and how often a text uses them.

Owns the phrases. All of them are searched for in one pass of an automaton (RE2): 0.02 ms for
12,000 characters, where a search for each in turn takes 0.9. Must not know weights or policy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import re2

from mailguard.core.spam.features import Hit

# Lower case, single spaces. Found as whole words, a plural's "s" allowed: "cialis" is no part of
# "specialist", nor "pay me" of "pay meals".
PHRASES: dict[str, tuple[str, ...]] = {
    "ADVANCE_FEE": (
        "next of kin", "million dollars", "million usd", "usd million", "beneficiary of",
        "transfer of funds", "inheritance", "late client", "barrister", "diplomatic courier",
        "unclaimed funds", "your bank details", "utmost confidence", "god bless you as you",
        "compensation fund", "atm card", "million united states", "united states dollars",
        "million us dollars", "foreign account", "foreign partner", "business proposal",
        "a security company", "late husband", "my late father", "your urgent assistance",
        "solicit your", "dormant account", "fund transfer", "modalities", "mutual benefit",
        "decided to contact you", "my colleagues and i", "trust worthy", "deposited the sum",
        "to transact", "civil servant", "your private telephone", "my proposal",
        "risk free transaction",
    ),
    "GIFT_CARDS": (
        "gift cards for me", "scratch the back", "scratch off", "itunes card", "steam card",
        "google play card", "pictures of the codes", "send me the codes", "purchase some gift",
        "buy some gift cards", "are you available at the moment", "get some gift cards",
        "photo of the codes", "reimburse you",
    ),
    "LOTTERY": (
        "you have won", "you've won", "lottery", "winning number", "claim your prize",
        "lucky winner", "you have been selected", "claim your reward", "claim your free",
        "congratulations winner", "sweepstake",
    ),
    "CREDENTIALS": (
        "verify your account", "confirm your account", "account will be suspended",
        "account has been suspended", "mailbox is full", "mailbox is almost full",
        "storage limit", "mailbox quota", "password expires", "password will expire",
        "unusual sign-in", "unusual activity", "update your payment", "validate your",
        "keep same password", "keep current password", "account will be deactivated",
        "account will be closed", "re-validate", "confirm your identity", "upgrade your mailbox",
        "avoid losing access", "pending messages", "undelivered messages held",
    ),
    "MEDICINES": (
        "viagra", "v1agra", "cialis", "online pharmacy", "canadian pharmacy", "weight loss",
        "without prescription", "no prescription", "male enhancement", "miracle cure", "burn fat",
        "lose 20 pounds", "cbd gummies", "keto gummies", "testosterone", "lose weight",
        "herbal supplement", "potency", "without dieting", "diet pill", "your erection", "libido",
        "impotence", "human growth hormone", "phentermine", "wrinkle", "hair loss", "all natural",
        "anti-aging", "sexual performance", "energy level", "fuller breast", "anabolic",
    ),
    "INVESTMENT": (
        "double your", "guaranteed return", "guaranteed profit", "bitcoin investment",
        "crypto investment", "trading platform", "passive income", "financial freedom",
        "daily profit", "risk-free", "risk free", "earn up to", "get rich", "trading bot", "forex",
        "thousands of dollars", "extra income", "residual income", "unlimited income",
        "be your own boss", "business opportunity", "investment opportunity", "money making",
        "money-making", "make money", "financially independent", "financial independence",
        "home based business", "home-based business", "multi-level", "cash flow opportunity",
        "strong buy", "stock alert", "penny stock", "change your life", "six figure income",
        "not a get rich", "serious about making", "cash in on", "otcbb", "stock symbol",
        "undervalued stock", "investor alert", "huge upside", "forward-looking statement",
        "income potential", "potential income", "start earning",
    ),
    "LOANS": (
        "pre-approved", "low interest loan", "bad credit", "loan offer", "no credit check",
        "instant loan", "unsecured loan", "business loan", "debt relief", "apply for a loan",
        "interest rate of 2%", "interest rate of 3%",
        "mortgage rate", "refinance", "debt consolidation", "consolidate your", "home equity",
        "lowest rates", "interest rates are", "lenders compete", "home loan",
        "less than perfect credit", "free quote", "free mortgage", "credit card debt",
        "out of debt", "your credit report", "term life", "insurance quote", "low rate",
        "pre-qualified", "into one low", "good or bad credit",
    ),
    "GAMBLING": (
        "online casino", "free spins", "casino bonus", "jackpot", "welcome bonus",
        "place your bets", "sports betting",
    ),
    "DATING": (
        "hot singles", "singles in your area", "lonely and", "looking for a serious relationship",
        "meet women", "my private photos", "see my pictures", "russian bride", "naughty",
        "meet singles", "find love", "soul mate", "married but", "real sex",
    ),
    "ADULT": (
        "hardcore", "porn site", "porno", "xxx site", "barely legal", "adult site", "adults only",
        "horny", "free membership", "sluts", "live girls",
        "nude pics", "sex site", "hot sex",
    ),
    "EXTORTION": (
        "recorded you", "your webcam", "bitcoin wallet", "btc wallet", "my wallet address",
        "i hacked", "i have hacked", "full access to your device", "to all your contacts",
        "embarrassing video", "pay me", "infected your", "pay exactly", "dirty little secret",
    ),
    "MARKETING": (
        "first page of google", "rank your website", "seo services", "search engine ranking",
        "buy followers", "email list of", "verified contacts", "increase your traffic",
        "web design services", "backlinks", "guest post", "attendees list", "leads for your",
        "bulk email", "bulk e-mail", "million email", "million e-mail", "targeted email",
        "email marketing", "direct email", "web site traffic", "search engines to",
        "increase your sales", "your website to",
    ),
    "SALES": (
        "act now", "limited time", "order now", "order today", "call now", "call today",
        "special promotion", "lowest price", "buy now", "buy direct", "100% free",
        "absolutely free", "no obligation", "no risk", "no cost to you", "satisfaction guaranteed",
        "100% guaranteed", "money back guarantee", "money-back guarantee", "as seen on",
        "as low as", "free gift", "extended warranty", "while supplies last", "once in a lifetime",
        "this special offer", "major credit cards", "toner cartridges", "don't delay", "no hidden",
        "at wholesale", "you can save", "save up to", "merchant account", "accept credit card",
        "best time to call", "setup fee", "save thousands", "save hundreds",
        "anything about anyone", "free information",
    ),
    "REMOVAL": (
        "removed from our", "removed from this", "removed from future", "remove in the subject",
        '"remove" in the subject', "word remove", "remove yourself", "here to be removed",
        "reply with remove", 'reply with "remove"', "removal instructions", "hours for removal",
        "rather not receive", "be excluded from", "our mailings",
        "sent in compliance", "opt-in list", "previously unsubscribed", "not unsolicited",
        "this is not spam", "is not a spam", "address was obtained", "was obtained from",
        "marketing partner", "this advertisement", "one time mailing", "one-time mailing",
        "permission to receive", "reply with unsubscribe", 'reply "unsubscribe"',
        "reply 'unsubscribe'", "title iii", "section 301", "future mailing", "further mailing",
        "future offer", "future promotion", "as a subscriber to", "recurring list", "take me off",
    ),
    "JOB_OFFER": (
        "work from home", "no experience needed", "no experience required", "weekly pay",
        "per week working", "mystery shopper", "personal assistant job", "part-time remote",
        "earn $", "flexible hours and", "text your resume", "alternate email",
    ),
    "INVOICE_TRICK": (
        "has been auto-renewed", "subscription has been renewed", "auto renewal",
        "if you did not authorize", "if you didn't authorize", "call our toll",
        "toll-free number to cancel", "toll free number to cancel", "amount debited",
        "will be debited", "cancel this order", "updated bank account", "new bank account",
        "wire transfer",
    ),
    "CHAIN_LETTER": (
        "forward this to everyone", "forward this email to everyone", "send this to everyone",
        "pass this on to everyone", "forward this message to", "do not break the chain",
        "don't break the chain", "bad luck", "send this to ten", "to ten people",
        "to 10 people",
    ),
    "PRESSURE": (
        "within 24 hours", "within 48 hours", "immediate action", "urgent response",
        "act immediately", "final notice", "last warning", "expires today", "final warning",
        "strictly confidential", "kindly", "dear customer", "dear user", "dear friend",
        "dear beneficiary", "dear account owner", "click here", "click below",
    ),
}  # fmt: skip

_ALL = tuple((phrase, symbol) for symbol, phrases in PHRASES.items() for phrase in phrases)


def _whole(phrase: str) -> str:
    before = r"\b" if phrase[0].isalnum() else ""
    after = r"s?\b" if phrase[-1].isalnum() else ""
    return f"{before}{re.escape(phrase)}{after}"


_PATTERNS = tuple(_whole(phrase) for phrase, _ in _ALL)

# Put after the text and searched for too. RE2 gives no answer both when nothing matches and when
# it ran out of memory; an answer without the end is the second.
_END = "\x01end\x01"


def _automaton() -> re2.Set:
    every = re2.Set.SearchSet()
    for pattern in _PATTERNS:
        every.Add(pattern)
    every.Add(_END)
    every.Compile()
    return every


_SEARCHED = _automaton()


def phrase_hits(text: str) -> Iterator[Hit]:
    """The phrases that a text uses, each counted once. `text`: lower case, single spaces.

    Linear in the text.
    """
    found: dict[str, list[str]] = {}
    for index in _indices(text):
        phrase, symbol = _ALL[index]
        found.setdefault(symbol, []).append(phrase)
    for symbol, phrases in found.items():
        yield Hit(symbol, len(phrases), ", ".join(phrases[:3]))


def _indices(text: str) -> list[int]:
    matched = _SEARCHED.Match(f"{text}{_END}".encode("utf-8", "replace")) or ()
    if len(_ALL) in matched:
        return sorted(index for index in matched if index < len(_ALL))
    return [index for index, (phrase, _) in enumerate(_ALL) if _found(phrase, text)]


def _found(phrase: str, text: str) -> bool:
    """The same without RE2: as whole words, of ASCII letters, digits and "_"."""
    at = text.find(phrase)
    while at >= 0:
        end = at + len(phrase)
        plural = end + text.startswith("s", end)
        if not _joined(text, at) and not (_joined(text, end) and _joined(text, plural)):
            return True
        at = text.find(phrase, at + 1)
    return False


def _joined(text: str, at: int) -> bool:
    """Whether a word goes on across this place."""
    return at > 0 and _is_word(text[at - 1 : at]) and _is_word(text[at : at + 1])


def _is_word(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character == "_")
