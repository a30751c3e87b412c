"""Chain letters: mail that asks its reader to pass it on, and says what happens to who does not
(R25).

Owns the usual phrases, English and Spanish. One of them alone stands in ordinary mail too; a
request to pass the message on to people at large, together with a promise or a threat, does not.
Must not know who sent it.
"""

from __future__ import annotations

from mailguard.core.text import phrases

REQUESTS = (
    "forward this to #", "forward this to everyone", "forward this to all your friends",
    "forward this to all of your friends", "forward this to at least #",
    "forward this message to #", "forward this message to everyone",
    "forward this email to #", "forward this email to everyone", "forward this e mail to #",
    "forward this e mail to everyone", "send this to #", "send this to everyone",
    "send this to at least #", "send this message to #", "send this message to everyone",
    "send this email to #", "send this email to everyone", "send this e mail to #",
    "send this e mail to everyone", "send this on to #", "send it to # people",
    "send it to # friends", "send it to everyone you know", "forward it to everyone you know",
    "pass this on to #", "pass this on to everyone", "pass it on to # people",
    "pass it on to everyone you know", "everyone in your address book", "everyone on your list",
    "everyone in your contacts", "to all your contacts", "send this back to me",
    "copy and paste this", "copy and paste don t share", "repost this",
    "reenvia esto a", "reenvia este mensaje a", "reenvia este correo a", "reenvie este mensaje a",
    "reenvie este correo a", "envia esto a #", "envia este mensaje a #", "envia este correo a #",
    "envie este mensaje a #", "manda esto a #", "mandalo a # personas", "pasalo a # personas",
    "pasalo a todos tus contactos", "a todos tus contactos", "copia y pega este mensaje",
)  # fmt: skip
CONSEQUENCES = (
    "break the chain", "break this chain", "breaks the chain", "broke the chain",
    "keep the chain going", "keep this going", "keep it going", "do not ignore this",
    "don t ignore this", "don t delete this", "do not delete this", "bad luck", "good luck will",
    "will have good luck", "will bring you luck", "bring you good luck", "luck will come",
    "lucky you are", "your wish will", "wish will come true", "make a wish", "will come true",
    "something good will happen", "something wonderful will happen", "something bad will happen",
    "a miracle will", "blessed within", "within the next # days", "in the next # days you",
    "within # hours you", "in # days you will", "she died", "he died", "will die", "lost his job",
    "lost her job", "true love will", "will be cursed", "this is not a joke", "this really works",
    "it really works", "it worked for me", "for every person you", "for each person you",
    "for every forward", "for each forward", "will pay you", "will donate # cents",
    "is tracking this",
    "are tracking this", "around the world # times", "this has been around the world",
    "only takes a minute of your time", "see how many people",
    "rompas la cadena", "rompas esta cadena", "rompio la cadena", "romper la cadena",
    "no la rompas", "mala suerte", "buena suerte te", "tendras buena suerte", "tendras suerte",
    "pide un deseo", "tu deseo se", "se hara realidad", "un milagro", "en # dias", "no es broma",
    "de verdad funciona", "por cada persona que",
)  # fmt: skip
_NAMED = 4


def signs(text: str, requests: tuple[str, ...], consequences: tuple[str, ...], least: int) -> str:
    """What makes a text a chain letter, in words; "" where it is none. `text` as `phrases` makes
    it; `least`: phrases of either kind together, of which each kind has one."""
    asked = phrases.found(requests, text)
    if not asked:
        return ""
    promised = phrases.found(consequences, text)
    if not promised or len(asked) + len(promised) < least:
        return ""
    shown = [*asked[:_NAMED], *promised[:_NAMED]]
    return f"it says {', '.join(f'“{phrase}”' for phrase in shown)}"
