"""What the keys may do: asked, asked again, and told where nobody knows."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from hedged.daemon.keys import ASK_EVERY, CONFIRMED_FOR, RETRY_AFTER, KeyWatch
from hedged.errors import Unreachable, VenueError
from hedged.model.finding import Kind, Severity
from hedged.model.permissions import Permissions
from tests.support import T0, ManualClock


class Venue:
    def __init__(self, answer: Permissions | VenueError | None) -> None:
        self.answer = answer
        self.asked = 0

    async def permissions(self) -> Permissions | None:
        self.asked += 1
        if isinstance(self.answer, VenueError):
            raise self.answer
        return self.answer


def watch(venue: Venue, clock: ManualClock, confirmed: datetime | None = None) -> KeyWatch:
    return KeyWatch({"main": venue}, {"main": confirmed}, clock)


def told(keys: KeyWatch, clock: ManualClock) -> list[tuple[Kind, Severity]]:
    return [(finding.kind, finding.severity) for finding in keys.findings(clock.now())]


async def test_a_key_that_can_only_read_is_nothing_to_tell() -> None:
    """The venue says that it cannot withdraw."""
    clock = ManualClock()
    keys = watch(Venue(Permissions(withdraw=False)), clock)
    await keys.check()
    assert (told(keys, clock), keys.withdrawing()) == ([], [])


async def test_permissions_given_later_are_noticed() -> None:
    """Asked once a day; a key that has learned to withdraw is critical from then on."""
    clock = ManualClock()
    venue = Venue(Permissions(withdraw=False))
    keys = watch(venue, clock)
    await keys.check()
    venue.answer = Permissions(withdraw=True)
    await keys.check()
    assert (venue.asked, told(keys, clock)) == (1, [])
    clock.advance(ASK_EVERY.total_seconds())
    await keys.check()
    assert keys.withdrawing() == ["main"]
    assert told(keys, clock) == [(Kind.KEY_WITHDRAWS, Severity.CRITICAL)]


async def test_what_could_not_be_asked_is_asked_again() -> None:
    """A venue that is down at the start leaves a warning, until it answers."""
    clock = ManualClock()
    venue = Venue(Unreachable("main", "key permissions", "no answer within 9 s"))
    keys = watch(venue, clock)
    await keys.check()
    assert told(keys, clock) == [(Kind.KEY_UNCONFIRMED, Severity.WARNING)]
    assert "no answer within 9 s" in next(keys.findings(clock.now())).text
    venue.answer = Permissions(withdraw=False)
    await keys.check()
    assert venue.asked == 1
    clock.advance(RETRY_AFTER.total_seconds())
    await keys.check()
    assert told(keys, clock) == []


@pytest.mark.parametrize(
    ("ago", "severity"),
    [
        (timedelta(0), Severity.INFO),
        (timedelta(days=89), Severity.INFO),
        (CONFIRMED_FOR, Severity.WARNING),
        (timedelta(days=-2), Severity.WARNING),
        (None, Severity.WARNING),
    ],
)
@pytest.mark.parametrize("answer", [None, Permissions(read=True)])
async def test_the_users_word_is_good_for_ninety_days(
    ago: timedelta | None, severity: Severity, answer: Permissions | None
) -> None:
    """Where the venue does not tell, it is told as information while confirmed, and as a warning otherwise."""
    clock = ManualClock()
    keys = watch(Venue(answer), clock, T0 - ago if ago is not None else None)
    await keys.check()
    assert told(keys, clock) == [(Kind.KEY_UNCONFIRMED, severity)]
