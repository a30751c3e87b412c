"""A reference that people were given finds what is kept, though a retry has moved it since."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from tests.store.test_ledger import HELD, entry

from mailguard.adapters.state import StateDirectory
from mailguard.cli.quarantine import _found


async def test_the_first_transactions_id_still_finds_the_hold(tmp_path: Path) -> None:
    state = StateDirectory.open(tmp_path)
    try:
        await state.ledger.keep(entry(1, reply="451 4.3.0 later"), [HELD], [])
        await state.ledger.keep(entry(2, digest=entry(1).digest), [HELD], [])
        await state.ledger.record(entry(3))
        (hold,) = state.ledger.holds()
        assert hold.transaction_id == entry(2).id
        assert _found(state, [entry(1).id], "waiting") == [hold]
        assert _found(state, [entry(2).id], "waiting") == [hold]
        with pytest.raises(typer.Exit):
            _found(state, [entry(3).id], "waiting")
    finally:
        state.close()
