"""When CME's bitcoin and ether contracts stop trading."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hedged.estimate.last_trading import cme_crypto


@pytest.mark.parametrize(
    ("month", "last"),
    [
        ("2026-03", "2026-03-27T16:00"),  # London's clocks change two days later
        ("2026-04", "2026-04-24T15:00"),
        ("2026-10", "2026-10-30T16:00"),  # and back on the 25th
        ("2026-11", "2026-11-27T16:00"),
        ("2026-12", "2026-12-24T16:00"),  # the last Friday is Christmas Day
        ("2027-03", "2027-03-25T16:00"),  # the last Friday is Good Friday
        ("2023-03", "2023-03-31T15:00"),  # after the change of clocks
        ("2024-03", "2024-03-28T16:00"),  # Good Friday, three days before the change
    ],
)
def test_last_friday_at_four_in_london(month: str, last: str) -> None:
    """Holidays in both London and New York move it to Thursday; summer time moves it in UTC."""
    year, number = map(int, month.split("-"))
    assert cme_crypto(year, number) == datetime.fromisoformat(last).replace(tzinfo=UTC)
