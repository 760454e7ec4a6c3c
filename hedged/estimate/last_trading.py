"""When contracts with a calendar rule stop trading, for those that no venue tells us about."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

_FRIDAY, _SUNDAY = 4, 6


def cme_crypto(year: int, month: int) -> datetime:
    """The last moment of trading of CME's bitcoin and ether futures and micros of that month, UTC.

    16:00 in London on the last Friday of the month that is a business day in London or in the United States, else on
    the day before (CME rulebook, chapters 348–350). Of Fridays that end a month only Good Friday and Christmas Day are
    holidays in both.
    """
    day = _last(year, month, _FRIDAY)
    if day == _good_friday(year) or (month, day.day) == (12, 25):
        day -= timedelta(days=1)
    return datetime(day.year, day.month, day.day, 15 if _is_summer_in_london(day) else 16, tzinfo=UTC)


def _last(year: int, month: int, weekday: int) -> date:
    first_of_next = date(year + month // 12, month % 12 + 1, 1)
    last = first_of_next - timedelta(days=1)
    return last - timedelta(days=(last.weekday() - weekday) % 7)


def _is_summer_in_london(day: date) -> bool:
    """From the last Sunday of March to the last of October, as since 1996."""
    return _last(day.year, 3, _SUNDAY) <= day < _last(day.year, 10, _SUNDAY)


def _good_friday(year: int) -> date:
    """Two days before Easter Sunday by the Gregorian calendar (Meeus/Jones/Butcher)."""
    golden, century, of_century = year % 19, year // 100, year % 100
    correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - century // 4 - correction + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (of_century // 4) - epact - of_century % 4) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1) - timedelta(days=2)
