"""What a process remembers from message to message, in bounded memory: crashes, notices, clients.

Nothing needed for correctness lives here: a restart forgets it, and other nodes have their own.
Must not know what is decided with it.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections import OrderedDict, deque

_REMEMBERED = 10_000  # messages, senders, accounts
_HOUR = 3_600.0  # seconds


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
        return sum(at > now - _HOUR for at in self._sent.get(sender.lower(), ())) < self._an_hour

    def spend(self, sender: str, now: float) -> None:
        """One was sent."""
        times = self._sent.pop(sender.lower(), None) or deque(maxlen=self._an_hour)
        times.append(now)
        self._sent[sender.lower()] = times
        if len(self._sent) > _REMEMBERED:
            self._sent.popitem(last=False)


class ClientAddresses:
    """From how many client addresses each account was used within the last hour (R4).

    One IPv6 customer has a whole /64, so that counts as one address."""

    def __init__(self, most: int = 64) -> None:
        self._most = most  # addresses remembered of one account
        self._seen: OrderedDict[str, OrderedDict[str, float]] = OrderedDict()

    def see(self, account: str, client_address: str, now: float) -> int:
        """Count one use; how many addresses that makes, at most `most`."""
        used = self._seen.pop(account, None) or OrderedDict()
        self._seen[account] = used
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        client = _household(client_address)
        if client:
            used.pop(client, None)
            used[client] = now
        while used and (len(used) > self._most or next(iter(used.values())) <= now - _HOUR):
            used.popitem(last=False)
        return len(used)


def _household(client_address: str) -> str:
    try:
        address = ipaddress.ip_address(client_address)
    except ValueError:  # a trusted peer did not know it
        return ""
    if address.version == 4:
        return str(address)
    return str(ipaddress.IPv6Network((int(address), 64), strict=False))
