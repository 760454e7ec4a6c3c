"""Commands that must do nothing, over a real broker with the shipped ACL: a few here, ten thousand by command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.forged_commands import flood
from tests.support import need


@pytest.mark.timeout(180)
async def test_none_of_them_is_carried_out(tmp_path: Path) -> None:
    """Forged, retained, replayed, expired, mistyped: nothing changes; the good ones between them count once each."""
    need("mosquitto")
    tally = await flood(tmp_path, 250, seed=7)
    assert tally.sent.keys() == {"forged", "retained", "replayed", "expired", "mistyped"}
    assert min(tally.sent.values()) > 20
    assert tally.done == tally.good == 6
    assert tally.judged > 200, "the broker's ACL cannot be what keeps them all away"
