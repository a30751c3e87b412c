"""SPF, DKIM, ARC and DMARC of mail from outside.

Not looked up yet: every result is `Unavailable`, and no check takes that for a pass.
"""

from __future__ import annotations

from mailguard.core.facts import Unavailable
from mailguard.core.transaction import Transaction
from mailguard.pipeline.ports import Authentication

_NOT_LOOKED_UP = Unavailable("this version does not look it up")


class NoAuthentication:
    """Fulfils `ports.Authenticator` with no answers."""

    async def authenticate(self, transaction: Transaction) -> Authentication:
        return Authentication(
            spf=_NOT_LOOKED_UP, dkim=_NOT_LOOKED_UP, arc=_NOT_LOOKED_UP, dmarc=_NOT_LOOKED_UP
        )
