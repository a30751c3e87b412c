"""Transaction ids: time-ordered and unguessable (the ULID layout).

Must not know what is identified.
"""

from __future__ import annotations

import secrets

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base32


def new_id(now: float) -> str:
    """26 characters: 48 bits of milliseconds since the epoch, 80 random bits."""
    number = (int(now * 1000) << 80) | secrets.randbits(80)
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))
