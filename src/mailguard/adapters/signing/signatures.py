"""Our own word on what leaves: DKIM for our authors, ARC seals on what we edited.

Owns which key is used. Must not know when to sign (`pipeline.judged_message`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from mailguard.config.settings.schema import SigningSettings
from mailguard.core.authentication.arc_seal import seal
from mailguard.core.authentication.dkim_signing import Signer, SigningKey, load_private_key


class Signatures:
    """Fulfils `ports.Signing` with private keys in memory."""

    def __init__(self, keys: Sequence[SigningKey], seals: bool) -> None:
        self._keys = tuple(keys)
        self._signer = Signer(keys)
        self._seals = seals

    @classmethod
    def load(cls, settings: SigningSettings, time_zone: str) -> Signatures | None:
        """Read the keys that the settings name; None where they name none.

        Raises ValueError that names the file for a key that cannot be read or used."""
        keys = []
        for one in settings.keys:
            try:
                private = load_private_key(one.key.read_bytes())
            except (OSError, ValueError) as error:
                raise ValueError(f"signing key {one.key}: {error}") from error
            first, last = (
                _midnight(one.active_from, time_zone),
                _midnight(one.active_until, time_zone),
            )
            always = SigningKey(one.domain, one.selector, private)
            keys.append(
                SigningKey(
                    one.domain,
                    one.selector,
                    private,
                    always.active_from if first is None else first.timestamp(),
                    # "until" is the last day, so the key rests from the midnight after it
                    always.active_until if last is None else (last + timedelta(days=1)).timestamp(),
                )
            )
        return cls(keys, settings.seal) if keys else None

    def sign(self, copy: bytes, domain: str, now: float) -> bytes:
        """A DKIM-Signature by each active key of the author's domain."""
        return self._signer.sign(copy, domain, now)

    def seal(self, copy: bytes, results: bytes, cv: str, now: float) -> bytes:
        """An ARC set by the first active key."""
        key = next((k for k in self._keys if k.is_active(now)), None)
        if key is None or not self._seals:
            return b""
        return seal(copy, results, cv, key, now)


def _midnight(day: str, time_zone: str) -> datetime | None:
    if not day:
        return None
    return datetime.combine(date.fromisoformat(day), time(), ZoneInfo(time_zone))
