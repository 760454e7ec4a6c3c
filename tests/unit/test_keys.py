"""What the keys may do: asked, asked again, and told where nobody knows."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

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


async def test_a_key_that_has_learned_to_withdraw_stops_orders() -> None:
    """As long as it can, and not for a moment before; the reason names the account and what to do."""
    clock = ManualClock()
    venue = Venue(Permissions(withdraw=False))
    keys = watch(venue, clock)
    said: list[str] = []

    async def halt(reason: str) -> None:
        said.append(reason)
        if len(said) == 2:
            venue.answer = Permissions(withdraw=False)
        await asyncio.sleep(0)

    await keys.check()
    task = asyncio.create_task(keys.run(halt))

    async def turns(number: int) -> None:
        for _ in range(number):
            await asyncio.sleep(0)

    await turns(200)
    venue.answer = Permissions(withdraw=True)
    while not said:
        await turns(100)
    assert clock.now() - T0 >= ASK_EVERY
    assert said[0] == ("the key of main may withdraw now: give hedged one that cannot, start it again, then resume")
    while len(said) < 2:
        await turns(1)
    while keys.withdrawing():
        await turns(100)
    count = len(said)
    await turns(500)
    assert len(said) == count
    task.cancel()


async def test_an_account_without_a_key_is_told_with_where_it_was_looked_for() -> None:
    """Its coins are in no figure: said as information, as long as it is so."""
    clock = ManualClock()
    places = (Path("/run/credentials/account-spare"), Path("/etc/hedged/credentials/account-spare"))
    keys = KeyWatch({}, {}, clock, {"spare": places})
    await keys.check()
    assert told(keys, clock) == [(Kind.KEY_MISSING, Severity.INFO)]
    (finding,) = keys.findings(clock.now())
    assert finding.text == (
        "spare: no key (/run/credentials/account-spare or /etc/hedged/credentials/account-spare), so nothing that is "
        "held there is read or counted, only prices."
    )


SAID = T0 - timedelta(days=1)


@pytest.mark.parametrize(
    ("answer", "confirmed", "refused", "waits"),
    [
        (Permissions(trade=True, withdraw=False), None, "", False),
        (Permissions(trade=False, withdraw=False), None, "may not trade", False),
        (Permissions(trade=True), None, "does not tell whether its key may withdraw", False),
        (None, None, "does not tell whether its key may withdraw", False),
        (Permissions(trade=True), SAID, "", False),
        (None, T0 - CONFIRMED_FOR, "withdraw_disabled_confirmed = 2026-11-02", False),
        (Unreachable("main", "permissions", "time-out"), None, "", True),
        (Unreachable("main", "permissions", "time-out"), SAID, "", False),
    ],
)
async def test_what_a_key_must_be_to_trade_live(
    answer: Permissions | VenueError | None, confirmed: datetime | None, refused: str, waits: bool
) -> None:
    """Known not to withdraw, by the venue or by a fresh word; a venue that is down is asked again, and orders wait."""
    clock = ManualClock()
    keys = watch(Venue(answer), clock, confirmed)
    await keys.check()
    problems = keys.refused(["main", "another"], clock.now())
    assert (refused in problems[0]) if refused else problems == []
    assert (keys.not_asked(["main", "another"], clock.now()) is not None) is waits
    assert keys.refused([], clock.now()) == []
