"""What a store remembers of alerts between two cycles."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hedged.adapters.store.beliefs import alerts_after
from hedged.model.alert import AlertState
from tests.store_samples import alert
from tests.support import T0


@pytest.mark.parametrize(
    ("state", "away", "remembered"),
    [
        (AlertState.RESOLVED, timedelta(hours=23), True),
        (AlertState.RESOLVED, timedelta(days=1), False),
        (AlertState.FIRING, timedelta(days=30), True),
    ],
)
def test_only_what_has_ended_is_forgotten(state: AlertState, away: timedelta, remembered: bool) -> None:
    """One that fires and stays away is remembered until its end, also where the clock was set a month ahead meanwhile."""
    known = replace(alert("alts", "e1", state), resolved_at=T0 - away)
    assert bool(alerts_after({"e1": known}, [], T0)) is remembered
