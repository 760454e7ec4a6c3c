"""Where a message says that all of it can be read: set in one place, carried by each sort of message."""

from __future__ import annotations

from hedged.cycle import run_cycle
from hedged.model.policy import World
from hedged.tell.message import message_object
from hedged.tell.standing import Standing
from tests.build import hedge, policy
from tests.fakes import FakeVenue, wire
from tests.support import ManualClock

PAGES = "https://hedged.example.org"


async def test_every_message_of_a_cycle_has_its_own_link() -> None:
    """An alert, the day's digest and what is told again; the id in it is what the page is asked for."""
    clock = ManualClock()
    venue = FakeVenue(clock)
    portfolio = await wire(policy(hedge("ETH")), clock, venue)
    portfolio.url, portfolio.digest_at = PAGES, clock.now().timetz().replace(second=0, microsecond=0)
    await run_cycle(portfolio, clock.now())
    clock.advance(24 * 3600)
    venue.hold(ETH=12)
    report = await run_cycle(portfolio, clock.now())
    assert {message.key.partition("/")[0] for message in report.messages} == {"drift", "digest"}
    for message in report.messages:
        assert message.link == f"{PAGES}/alerts/{message.event_id}"
        assert message_object(message)["link"] == message.link
        assert await portfolio.store.event(message.event_id) is not None
    standing = Standing(portfolio.store, clock, "test", World.PAPER, PAGES)
    assert [each.link for each in await standing.standing()] == [
        each.link for each in report.messages if each.key == "drift/alts"
    ]


async def test_without_pages_there_is_no_link() -> None:
    """Nothing leads to where nobody listens."""
    clock = ManualClock()
    venue = FakeVenue(clock)
    portfolio = await wire(policy(hedge("ETH")), clock, venue)
    venue.hold(ETH=12)
    (message,) = (await run_cycle(portfolio, clock.now())).messages
    assert message.link is None
