"""What a process remembers from message to message, in bounded memory: crashes, notices, clients,
recipients.

Nothing needed for correctness lives here: a restart forgets it, and other nodes have their own.
Must not know what is decided with it.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections import OrderedDict, deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass

_REMEMBERED = 10_000  # messages, senders, accounts
_HOUR = 3_600.0  # seconds
_DAY = 24 * _HOUR


class Crashes:
    """How often a message has crashed every attempt to judge it."""

    def __init__(self, allowed: int = 3) -> None:
        self._allowed = allowed
        self._seen: OrderedDict[bytes, int] = OrderedDict()

    def again(self, message: bytes) -> bool:
        """Count one more crash of a message, by its octets or a fingerprint of them; whether
        it is time to stop trying."""
        key = hashlib.sha256(message).digest()
        self._seen[key] = self._seen.pop(key, 0) + 1
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return self._seen[key] >= self._allowed


@dataclass(frozen=True, slots=True)
class Spend:
    """One notice of those that a mailbox may be sent within an hour. Mails of one commit that spend
    the same one spend it once: those of a message that go together."""

    mailbox: str
    at: float  # seconds since the epoch


class NoticeAllowance:
    """At most so many notices an hour to one sender (R27: capped), or a loop would feed itself.
    Fulfils `ports.NoticeWindow` for one process."""

    def __init__(self, an_hour: int = 20) -> None:
        self._an_hour = an_hour
        self._sent: OrderedDict[str, deque[float]] = OrderedDict()

    def allows(self, sender: str, now: float) -> bool:
        """Whether one more may be sent now."""
        times = self._sent.get(sender.lower())
        return times is None or sum(at > now - _HOUR for at in times) < self._an_hour

    def take(self, spends: Collection[Spend]) -> bool:
        """Take them all and be true, or none."""
        taken: list[Spend] = []
        for one in spends:
            if not self.allows(one.mailbox, one.at):
                self.refund(taken)
                return False
            times = self._sent.pop(one.mailbox.lower(), None) or deque(maxlen=self._an_hour)
            times.append(one.at)
            self._sent[one.mailbox.lower()] = times
            taken.append(one)
            if len(self._sent) > _REMEMBERED:
                self._sent.popitem(last=False)
        return True

    def refund(self, spends: Collection[Spend]) -> None:
        """What was taken was not sent after all."""
        for one in spends:
            times = self._sent.get(one.mailbox.lower())
            if times is not None and one.at in times:
                times.remove(one.at)


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


class SentRecipients:
    """To how many recipients each account has written within the last hour and day (R55).

    A message counts once for each of its recipients, however often it comes back: a client that
    heard 451 is not a client that sends more."""

    def __init__(self, most: int = 20_000, in_all: int = 200_000) -> None:
        self._most = most  # recipients remembered of one account; some 200 octets each
        self._in_all = in_all
        self._kept = 0
        self._seen: OrderedDict[str, _Window] = OrderedDict()

    def see(
        self, account: str, message: bytes, recipients: Iterable[str], now: float
    ) -> tuple[int, int]:
        """Count one message, by its octets or a fingerprint of them; the recipients
        within the hour and within the day, at most `most`."""
        window = self._seen.pop(account, None) or _Window()
        self._seen[account] = window
        before = len(window.day)
        window.forget(now)
        digest = hashlib.sha256(message).digest()
        for recipient in recipients:
            if len(window.day) >= self._most:
                break
            key = hashlib.blake2b(recipient.encode("utf-8", "replace"), digest_size=12, key=digest)
            window.add(key.digest(), now)
        self._kept += len(window.day) - before
        while self._kept > self._in_all and len(self._seen) > 1:  # the account idle longest
            self._kept -= len(self._seen.popitem(last=False)[1].day)
        return len(window.hour), len(window.day)


class _Window:
    """When each recipient of each message was first written to, the oldest first."""

    __slots__ = ("day", "hour")

    def __init__(self) -> None:
        self.day: OrderedDict[bytes, float] = OrderedDict()
        self.hour: deque[float] = deque()

    def add(self, key: bytes, now: float) -> None:
        if key not in self.day:
            self.day[key] = now
            self.hour.append(now)

    def forget(self, now: float) -> None:
        while self.hour and self.hour[0] <= now - _HOUR:
            self.hour.popleft()
        while self.day and next(iter(self.day.values())) <= now - _DAY:
            self.day.popitem(last=False)


def _household(client_address: str) -> str:
    try:
        address = ipaddress.ip_address(client_address)
    except ValueError:  # a trusted peer did not know it
        return ""
    if address.version == 4:
        return str(address)
    return str(ipaddress.IPv6Network((int(address), 64), strict=False))
