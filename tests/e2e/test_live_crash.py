"""Ten deaths of the real process while it trades: the exchange and the journal agree after each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.live_crash import campaign
from tests.support import need


@pytest.mark.timeout(600)
async def test_killed_while_trading(tmp_path: Path) -> None:
    """Orders at the exchange are those of the journal, each once; what was recorded is there; it comes back by itself."""
    need("mosquitto")
    tally = await campaign(tmp_path, kills=10, seed=7)
    assert tally.kills == 10
    assert tally.orders >= 10
