"""What each proven sender sent within the last hours, in bounded memory (R17, R25).

A message counts while it is judged; afterwards only what was let through does, so that a message
that is held holds up none that follows. Nothing here survives a restart, and other processes have
their own. Must not know how much is too much.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field

LONGEST = 86_400.0  # seconds that are remembered
_SENDERS = 10_000
_OF_ONE = 5_000  # recipients remembered of one sender
_ALTOGETHER = 200_000
_UNDER_WAY = 10_000  # messages that are being judged


@dataclass(slots=True)
class SentMessage:
    """One message, however many transactions it came in."""

    at: float
    prints: frozenset[str]  # what it is told alike by
    units: dict[str, str] = field(default_factory=dict)  # recipient → person, group or mailbox


class Mailings:
    """The window of every sender. A retry is the same message and the same recipients."""

    def __init__(self) -> None:
        self._senders: OrderedDict[str, OrderedDict[Hashable, SentMessage]] = OrderedDict()
        self._sizes: dict[str, int] = {}
        self._total = 0
        self._under_way: OrderedDict[str, tuple[str, Hashable, tuple[str, ...]]] = OrderedDict()

    def count(
        self,
        sender: str,
        transaction_id: str,
        message: Hashable,
        prints: frozenset[str],
        units: Mapping[str, str],
        now: float,
    ) -> None:
        """Count a message's recipients. `message` tells a retry from another message."""
        window = self._senders.setdefault(sender, OrderedDict())
        self._senders.move_to_end(sender)
        sent = window.setdefault(message, SentMessage(now, prints))
        window.move_to_end(message)
        sent.at = now
        fresh = [recipient for recipient in units if recipient not in sent.units]
        sent.units.update(units)
        self._grew(sender, len(fresh))
        self._under_way[transaction_id] = (sender, message, tuple(fresh))
        if len(self._under_way) > _UNDER_WAY:
            self._under_way.popitem(last=False)
        self._forget(sender, now)

    def settle(self, transaction_id: str, passed: Collection[str]) -> None:
        """It is decided: take back the recipients that are not among those let through."""
        sender, message, fresh = self._under_way.pop(transaction_id, ("", None, ()))
        window = self._senders.get(sender, OrderedDict())
        sent = window.get(message)
        if sent is None:
            return
        for recipient in fresh:
            if recipient not in passed and sent.units.pop(recipient, None) is not None:
                self._grew(sender, -1)
        if not sent.units:
            del window[message]

    def recent(self, sender: str, now: float, seconds: float) -> list[SentMessage]:
        """The messages of the last so many seconds, those under way included, oldest first."""
        window = self._senders.get(sender, OrderedDict())
        return [sent for sent in window.values() if sent.at > now - seconds]

    def _grew(self, sender: str, by: int) -> None:
        self._sizes[sender] = self._sizes.get(sender, 0) + by
        self._total += by

    def _forget(self, sender: str, now: float) -> None:
        window = self._senders[sender]
        while len(window) > 1:
            message, oldest = next(iter(window.items()))
            if oldest.at > now - LONGEST and self._sizes[sender] <= _OF_ONE:
                break
            del window[message]
            self._grew(sender, -len(oldest.units))
        while len(self._senders) > 1 and (
            len(self._senders) > _SENDERS or self._total > _ALTOGETHER
        ):
            name, _ = self._senders.popitem(last=False)
            self._total -= self._sizes.pop(name, 0)
