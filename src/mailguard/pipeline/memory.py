"""What a process remembers from message to message, in bounded memory: crashes and notices.

Nothing needed for correctness lives here: a restart forgets it, and other nodes have their own.
Must not know what is decided with it.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque

_REMEMBERED = 10_000  # messages, senders


class Crashes:
    """How often a message has crashed every attempt to judge it."""

    def __init__(self, allowed: int = 3) -> None:
        self._allowed = allowed
        self._seen: OrderedDict[bytes, int] = OrderedDict()

    def again(self, raw: bytes) -> bool:
        """Count one more crash; whether it is time to stop trying."""
        key = hashlib.sha256(raw).digest()
        self._seen[key] = self._seen.pop(key, 0) + 1
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return self._seen[key] >= self._allowed


class NoticeAllowance:
    """At most so many notices an hour to one sender (R27: capped), or a loop would feed itself."""

    def __init__(self, an_hour: int = 20) -> None:
        self._an_hour = an_hour
        self._sent: OrderedDict[str, deque[float]] = OrderedDict()

    def allows(self, sender: str, now: float) -> bool:
        """Whether one more may be sent now."""
        return sum(at > now - 3_600.0 for at in self._sent.get(sender.lower(), ())) < self._an_hour

    def spend(self, sender: str, now: float) -> None:
        """One was sent."""
        times = self._sent.pop(sender.lower(), None) or deque(maxlen=self._an_hour)
        times.append(now)
        self._sent[sender.lower()] = times
        if len(self._sent) > _REMEMBERED:
            self._sent.popitem(last=False)
