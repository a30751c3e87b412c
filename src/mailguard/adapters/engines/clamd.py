"""clamd's INSTREAM (clamd(8)).

Owns the command and what its one line means. Must not know what malware leads to.

Own lines, since aioclamd knows no UNIX socket, which is Debian's default, and hops through a thread
for every 1,024 octets.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from struct import pack

from mailguard.adapters.engines.connection import exchange
from mailguard.adapters.engines.engine import NoAnswer, too_big, word, words
from mailguard.config.settings.engines import ClamdSettings
from mailguard.core.decision.engines import Scanned, Target
from mailguard.core.decision.facts import Unavailable
from mailguard.core.mail.transaction import Transaction
from mailguard.core.text.reading import Reading

_LONGEST = 4_096  # octets of its answer, which is one line
# What AlertExceedsMax and AlertEncrypted say: nothing was found, and not all was looked at.
_NOT_LOOKED_AT = ("Heuristics.Limits.Exceeded", "Heuristics.Encrypted")
_TOO_LONG = "INSTREAM size limit exceeded. ERROR"


class Clamd:
    """One clamd."""

    name = "clamd"
    target = Target.MALWARE

    def __init__(self, settings: ClamdSettings) -> None:
        self._settings = settings

    async def ask(self, transaction: Transaction, _: Awaitable[Reading | Unavailable]) -> Scanned:
        raw = transaction.message.raw
        unsent = too_big(len(raw), self._settings.max_size)
        if unsent is not None:
            return unsent
        to = self._settings.address or self._settings.socket
        assert to is not None  # the settings' own rule
        answer, whole = await exchange(to, question(raw), _LONGEST)
        said = parse(answer)
        if not whole and not said.malware and not said.unscannable:
            raise NoAnswer("it answered before it had the message")
        return said


def question(raw: bytes) -> Iterator[bytes]:
    """The command and the stream: one chunk with its length before it, then an empty one."""
    yield b"zINSTREAM\0"
    if raw:  # an empty chunk is the end
        yield pack("!L", len(raw))
        yield raw
    yield pack("!L", 0)


def parse(answer: bytes) -> Scanned:
    """What clamd said. Raises NoAnswer for an error, and for what is cut short or no answer."""
    line, nul, more = answer.partition(b"\0")
    if not nul or more:
        raise NoAnswer("its answer was cut short" if not nul else "it gave two answers")
    said = line.decode("ascii", "replace")
    if said == "stream: OK":
        return Scanned(0.0, spam=False)
    if said.startswith("stream: ") and said.endswith(" FOUND"):
        found = word(said[len("stream: ") : -len(" FOUND")].strip()) or "unnamed"
        if found.startswith(_NOT_LOOKED_AT):
            return Scanned(0.0, spam=False, unscannable=f"clamd says {found}")
        return Scanned(0.0, spam=False, malware=found)
    if said == _TOO_LONG:
        return Scanned(0.0, spam=False, unscannable="it is bigger than clamd's StreamMaxLength")
    raise NoAnswer(f"it says {words(said)!r}")
