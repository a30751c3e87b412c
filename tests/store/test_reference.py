"""A reference that people were given finds what is kept, though a retry has moved it since."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from tests.support.entries import HELD, entry

from mailguard.adapters.state import StateDirectory
from mailguard.casework import quarantine
from mailguard.casework.quarantine import Quarantine
from mailguard.casework.refusal import CommandRefused
from mailguard.cli.explain import reopened
from mailguard.config.load import load

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "config"


async def test_the_first_transactions_id_still_finds_the_hold(tmp_path: Path) -> None:
    state = StateDirectory.open(tmp_path)
    try:
        await state.ledger.keep(entry(1, reply="451 4.3.0 later"), [HELD], [])
        await state.ledger.keep(entry(2, digest=entry(1).digest), [HELD], [])
        await state.ledger.record(entry(3))
        (hold,) = await state.ledger.holds()
        assert hold.transaction_id == entry(2).id
        assert await quarantine.find(state.ledger, [entry(1).id], "waiting") == [hold]
        assert await quarantine.find(state.ledger, [entry(2).id], "waiting") == [hold]
        with pytest.raises(CommandRefused):
            await quarantine.find(state.ledger, [entry(3).id], "waiting")
    finally:
        state.close()


async def test_kept_mail_of_another_version_can_be_discarded_and_says_why_it_is_not_released(
    tmp_path: Path,
) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "config")
    loaded = load(tmp_path / "config", create_keys=True)
    state = StateDirectory.open(tmp_path / "other")
    try:
        digest = await state.blobs.store(b"Subject: x\r\n\r\nhello\r\n", None)
        said = {"reverse_path": "x@example.com", "recipients": [HELD.recipient], "role": "mx"}
        await state.ledger.keep(
            entry(1, digest=digest, facts=b'{"of":"another version"}', envelope=said), [HELD], []
        )
        (hold,) = await state.ledger.holds()
        kept = Quarantine(
            state.ledger, lambda entry: reopened(entry, state, loaded), state.learned, time.time
        )
        with pytest.raises(CommandRefused, match="quarantine raw"):
            await kept.release([str(hold.id)], "rev")
        assert await state.ledger.holds() == [hold]
        await kept.discard([str(hold.id)], "rev")
        assert await state.ledger.holds() == []
    finally:
        state.close()
