"""What is remembered of alerts between two cycles, whatever was done to the clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hedged.adapters.store.beliefs import alerts_after, newest_by_key
from hedged.model.alert import AlertState, MessageKind
from hedged.tell.news import told_last
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


def test_an_end_that_is_still_to_be_told_is_not_forgotten() -> None:
    """Held back when the clock was set a month ahead: people still believe that it fires."""
    owed = replace(
        alert("alts", "e1", AlertState.RESOLVED), resolved_at=T0 - timedelta(days=30), owed=MessageKind.RESOLVED
    )
    assert alerts_after({"e1": owed}, [], T0) == {"e1": owed}
    ahead = replace(alert("alts", "e2", AlertState.RESOLVED), resolved_at=T0 + timedelta(days=30))
    assert newest_by_key([owed, ahead]) == [owed]


def test_what_was_told_while_the_clock_was_ahead_holds_no_group_back() -> None:
    """Set back by a month, the clock would keep the ends of a whole kind from being told for a month."""
    told = replace(alert("alts", "e1"), told_at=T0 - timedelta(minutes=5))
    ahead = replace(alert("eth", "e2", AlertState.RESOLVED), told_at=T0 + timedelta(days=30))
    assert told_last([told, ahead], T0) == {told.kind: told.told_at}
