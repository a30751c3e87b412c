"""Whether a message is a fundraiser or an announcement, and whether an authorised event's (R20,
R22).

Owns the usual phrases. Must not know to whom the message goes.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailguard.core.mail.message import Message
from mailguard.core.people.model import Event
from mailguard.core.text import phrases
from mailguard.core.text.reading import Reading

TAGS = ("[ANNOUNCEMENT]", "[FUNDRAISER]", "[EVENT]")
PHRASES = (
    "fundraiser", "fundraisers", "fundraising", "fund raiser", "fund raising", "raise money",
    "raising money", "raise funds", "raising funds", "all proceeds", "proceeds go to",
    "proceeds will go", "proceeds benefit", "bake sale", "candy sale", "cookie sale",
    "cookie dough", "girl scout cookies", "popcorn sale", "plant sale", "book fair", "yard sale",
    "rummage sale", "raffle", "raffle tickets", "silent auction", "walk a thon",
    "walkathon", "jog a thon", "jogathon", "read a thon", "read a thon pledges", "penny drive",
    "coin drive", "food drive", "toy drive", "coat drive", "golf tournament", "donations are",
    "make a donation", "your donation", "donate to", "please donate", "please give generously",
    "tickets are on sale", "tickets on sale", "tickets are available", "buy your tickets",
    "buy a ticket", "tickets are $#", "tickets cost", "order forms are", "place your order",
    "spirit wear", "united way", "daffodil days", "booster club", "family night at", "dine out",
    "announcement", "announcing", "we are pleased to announce", "i am pleased to announce",
    "save the date", "you are invited", "you re invited", "you are all invited",
    "everyone is invited",
    "please join us", "join us for", "come join us", "come celebrate", "come and celebrate",
    "help us celebrate", "celebration of", "retirement party", "retirement celebration",
    "retirement dinner", "retirement luncheon", "farewell party", "baby shower", "potluck",
    "open house", "spring concert", "winter concert", "school play", "talent show", "carnival",
    "flyer attached", "attached flyer", "see the flyer", "event flyer", "rsvp by", "please rsvp",
    "recaudacion de fondos", "recaudar fondos", "venta de pasteles", "rifa", "boletos a la venta",
    "anuncio", "estan invitados", "esta invitado", "guarde la fecha", "aparte la fecha",
    "acompanenos",
)  # fmt: skip
_NAMED = 3


def signs(message: Message, reading: Reading, listed: tuple[str, ...], tags: Sequence[str]) -> str:
    """What makes a message an announcement, in words; "" where it is none. Only the author's own
    words count: who answers an announcement makes none."""
    subject = message.value("Subject")[:1_000]
    caseless = subject.casefold()
    tag = next((tag for tag in tags if tag.casefold() in caseless), "")
    if tag:
        return f"its subject has {tag}"
    hits = phrases.found(listed, phrases.own_words(subject, reading))
    return f"it says {', '.join(f'“{hit}”' for hit in hits[:_NAMED])}" if hits else ""


def event_of(message: Message, events: Sequence[Event]) -> Event | None:
    """The authorised event whose phrase the Subject has. Not the text's: a bake sale that mentions
    the event would pass."""
    subject = phrases.plain(message.value("Subject")[:1_000])
    return next((event for event in events if phrases.found(event.subject, subject)), None)
