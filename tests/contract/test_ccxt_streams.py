"""Real ccxt.pro against the websockets of local venues: what wakes, what does not, and what is said."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hedged.adapters.exchanges import ccxt_streams
from hedged.adapters.exchanges.stream_session import listen
from hedged.adapters.exchanges.stream_table import TABLES, What
from tests.venues.streams_bench import PAIR, PERPETUAL, PRIVATE, VENUES, stage, symbol

pytestmark = pytest.mark.parametrize("venue", VENUES)


async def test_a_jump_wakes_once_and_ticks_inside_do_not(venue: str) -> None:
    """Marks are compared with that of the last cycle; the tick beyond the jump wakes, and not again from there."""
    market = PERPETUAL[venue]
    async with stage(venue, keys=False) as on:
        await on.marked()
        for price in ("3000", "3020", "2980", "3029", "3031", "3035"):
            assert await on.hub.tell("mark", market, price) == 1
            await asyncio.sleep(0.02)  # each in a packet of its own
        assert await on.reasons(1) == [f"main: {symbol(venue)} moved by +1.03 %"]
        on.streams.cycle_begins()  # with 3035
        await on.hub.tell("mark", market, "3006")
        await asyncio.sleep(0.02)
        await on.hub.tell("mark", market, "3004")
        assert await on.reasons(1) == [f"main: {symbol(venue)} moved by -1.02 %"]


async def test_a_position_wakes(venue: str) -> None:
    """A fill, an ADL and a close are positions that changed; the same position told again is not."""
    async with stage(venue) as on:
        await on.listening()
        if "fills" in PRIVATE[venue]:  # where positions are not offered, or not once they are closed
            await on.hub.tell("fill", PERPETUAL[venue])
            (reason,) = await on.reasons(1)
            assert reason in {f"main: filled in {symbol(venue)}", "main: filled in ETH/USDT"}  # bitget's ids are shared
        if "positions" not in {topic.partition(":")[0] for topic in PRIVATE[venue]}:
            return
        for contracts in ("-2", "-2", "-1", "-1", "0"):
            await on.hub.tell("position", PERPETUAL[venue], contracts)
            await asyncio.sleep(0.02)
        assert await on.reasons(3) == [f"main: position in {symbol(venue)} changed"] * 3


async def test_a_balance_wakes(venue: str) -> None:
    """A deposit or a spot fill is a balance that changed by more than a jump; less is left to the next cycle."""
    if not any(topic.startswith("balances") for topic in PRIVATE[venue]):
        assert all(watch.what is not What.BALANCES for line in TABLES[venue].private for watch in line.watches)
        return
    line = PRIVATE[venue][-1].partition(":")[2] if venue != "binance" else "spot"
    async with stage(venue) as on:
        await on.listening()
        for total in ("10", "10.05", "9"):
            await on.hub.tell("balance", "ETH", total)
            await asyncio.sleep(0.02)
        assert await on.reasons(2) == [f"main: balance of ETH changed ({line})"] * 2


async def test_spot_prices_wake(venue: str) -> None:
    """What a hedge holds is watched by its spot price, where the venue's stream of it can be read."""
    if venue not in PAIR:
        assert TABLES[venue].spot is None
        return
    async with stage(venue, keys=False, contracts=(), spot=("ETH/USDT",)) as on:
        await on.hub.until(f"spot:{PAIR[venue]}")
        for price in ("3000", "3090"):
            await on.hub.tell("spot", PAIR[venue], price)
            await asyncio.sleep(0.02)
        assert await on.reasons(1) == ["main: ETH/USDT moved by +3.00 %"]


async def test_without_a_key_only_prices_are_watched(venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Public streams need none; nothing private is opened, and no key goes where it is not needed."""
    given: dict[str, bool] = {}

    def spy(name: str, line: Any, opening: Any, *rest: Any, **options: Any) -> Any:
        given[name] = bool(opening.keys)
        return listen(name, line, opening, *rest, **options)

    monkeypatch.setattr(ccxt_streams, "listen", spy)
    async with stage(venue, keys=False) as on:
        await on.marked()
        assert given == {"marks": False}
        assert on.hub.listen_keys == (["POST"] if venue == "kucoin" else [])  # which has no address without one
    async with stage(venue) as on:
        await on.listening()
        await on.marked()
        assert [name for name, keyed in given.items() if not keyed] == ["marks"]
        assert len(given) > 1


async def test_all_that_is_said_is_listening(venue: str) -> None:
    """Subscriptions, logins, pings, and for the listen keys of some venues a POST: nothing that changes an account."""
    async with stage(venue) as on:
        await on.listening()
        await on.marked()
        await on.clock.move(60)
        assert on.it.server.writes == []
        assert all(state.up for state in on.streams.states())
        words = {"subscribe", "auth", "login", "ping", "Pong", "sub", "PONG", "SUBSCRIBE", "sub.ticker", None}
        words |= {"public/auth", "public/subscribe", "private/subscribe", "challenge"}
        words |= {"userDataStream.subscribe.signature", "userDataStream.subscribe.listenToken"}
        for frame in on.hub.said:
            said = (
                frame
                if isinstance(frame, str)
                else next((frame[name] for name in ("op", "method", "reqType", "event", "type") if name in frame), None)
            )
            assert said in words


async def test_ends_at_once_and_leaves_nothing(venue: str) -> None:
    """Stopping takes a fraction of a second: no task and no connection is left."""
    before = asyncio.all_tasks()
    async with stage(venue) as on:
        await on.listening()
        await on.marked()
        assert on.task is not None
        on.task.cancel()
        async with asyncio.timeout(1):
            await asyncio.wait({on.task})
        await on.hub.wait(lambda: not on.hub.sockets)
        await asyncio.sleep(0.02)
        mine = {task for task in asyncio.all_tasks() - before if "hedged" in repr(task) or "ccxt" in repr(task)}
        assert mine == set()


async def test_requests_of_streams_are_counted(venue: str) -> None:
    """Listen keys are requests like any other; a websocket is none."""
    async with stage(venue) as on:
        await on.listening()
        await on.marked()
        assert bool(on.hub.listen_keys) is (venue in {"binance", "bingx", "kucoin"})
        assert on.it.opened.requests == len(on.it.server.requests) - on.hub.opened
