"""What leaves for a venue: whole lots in its unit, within the limit, approved, once, and not behind polling."""

from __future__ import annotations

import ast
import asyncio
import json
from decimal import Decimal
from pathlib import Path

import pytest

import hedged
from hedged.adapters.exchanges.ccxt_orders import within
from hedged.adapters.exchanges.dialects import exchanges, order_dialects
from hedged.adapters.exchanges.guard import NotAllowed
from hedged.model.instrument import InstrumentId
from hedged.model.order import Accepted, Found, Rejected, Side, Unknown
from tests.contract.order_venues import EVERY, OrderVenue, trading
from tests.venues.server import STATUSES

D = Decimal


@EVERY
async def test_contracts_are_sent_in_the_venues_unit(venue: OrderVenue) -> None:
    """A quantity in contracts moves the venue's position by as many coins, or dollars, as it stands for."""
    async with trading(venue) as it:
        listed = (await it.reader.markets()).instruments
        contract = listed[it.ether]
        assert contract.base_quantity(venue.lot, D(3000)) == D("0.01")
        held = it.desk.position(venue.market_id)
        await it.orders.submit(it.intent())
        moved = it.desk.position(venue.market_id) - held
        assert contract.multiplier * moved == D("0.01")
        if venue.inverse is not None:
            instrument, market_id, contracts = venue.inverse
            inverse, mark = listed[instrument], it.desk.mark(market_id)
            assert inverse.notional(contracts, mark) == 1000
            held = it.desk.position(market_id)
            short = it.intent(
                instrument=instrument, quantity=contracts, side=Side.SELL, limit=mark * D("0.995"), reduce_only=False
            )
            outcome = await it.orders.submit(short)
            assert isinstance(outcome, Accepted), outcome
            assert it.desk.position(market_id) - held == -contracts
            shown = await it.orders.find_by_client_id(short.intent.client_order_id, instrument)
            assert isinstance(shown, Found)
            assert (shown.filled, shown.average_price) == (contracts, mark)
            assert shown.fee_asset == inverse.base


@EVERY
async def test_a_reduction_says_so_and_the_price_is_no_worse_than_the_limit(venue: OrderVenue) -> None:
    """Reduce-only is sent, and kept by the venue; the limit goes to the tick on the safe side; nothing is at market."""
    async with trading(venue) as it:
        await it.orders.submit(it.intent(limit=D("3015.0199")))
        await it.orders.submit(it.intent(side=Side.SELL, limit=D("2985.0101"), reduce_only=False))
        bought, sold = it.desk.orders
        tick, _ = it.desk.rules(venue.market_id)
        below, above = (D("3015.0199") // tick * tick, (D("2985.0101") // tick + 1) * tick)
        assert (bought.side, bought.price, bought.reduce_only) == ("buy", below, True)
        assert (sold.side, sold.price, sold.reduce_only) == ("sell", above, False)
        too_much = it.intent(quantity=abs(it.desk.position(venue.market_id)) * 2)
        assert isinstance(await it.orders.submit(too_much), Rejected)
        assert len(it.desk.orders) == 2
        assert not any("market" in str(value).lower() for asked in it.desk.asked for value in asked.values())


@EVERY
async def test_what_is_not_whole_never_leaves(venue: OrderVenue) -> None:
    """Half lots, nothing, NaN, a limit below the first tick, another id or market: rejected before a byte is sent."""
    async with trading(venue) as it:
        await it.orders.find_by_client_id(it.new_id(), it.ether)
        it.server.requests.clear()
        contract = (await it.reader.markets()).instruments[it.ether]
        wrong = [
            it.intent(quantity=contract.lot_size / 2),
            it.intent(quantity=venue.lot + D("1e-18")),
            it.intent(quantity=D(0)),
            it.intent(quantity=-venue.lot),
            it.intent(quantity=D("NaN")),
            it.intent(quantity=D("sNaN")),
            it.intent(quantity=D("Infinity")),
            it.intent(quantity=D("1e40")),
            it.intent(limit=D("NaN")),
            it.intent(limit=D("0.0000001")),
            it.intent(limit=D(0)),
            it.intent("another id"),
            it.intent("hd" + "A" * 24),
            it.intent(instrument=InstrumentId("main:NOPE/USDT:USDT")),
            it.intent(instrument=InstrumentId("other:ETH/USDT:USDT")),
        ]
        for approved in wrong:
            outcome = await it.orders.submit(approved)
            assert isinstance(outcome, Rejected), approved
            assert outcome.reason.startswith("nothing was sent"), outcome
        assert it.server.requests == []
        assert it.desk.orders == []


@EVERY
async def test_only_what_the_gate_has_approved_gets_in(venue: OrderVenue) -> None:
    """A bare intent is a programmer's mistake, and sends nothing."""
    async with trading(venue) as it:
        with pytest.raises(TypeError, match="approved"):
            await it.orders.submit(it.intent().intent)  # type: ignore[arg-type]
        assert not it.server.writes


@EVERY
async def test_the_line_that_reads_cannot_trade_and_the_other_way_round(venue: OrderVenue) -> None:
    """Each line sends what is on its own list: no order by the reader, no wallet and no withdrawal by the trader."""
    async with trading(venue) as it:
        dialect = order_dialects()[venue.exchange]
        reading = it.reader._line.dialect.endpoints
        writing = {key for key in dialect.endpoints if key[0] != "GET" and not key[1].startswith("/info#")}
        assert writing
        assert not writing & set(reading)
        it.server.requests.clear()
        method, path = venue.create.split(" ")
        with pytest.raises(NotAllowed, match="nothing was sent"):
            await it.reader._line.connection.exchange.fetch(f"https://venue.example{path}", method)
        with pytest.raises(NotAllowed, match="nothing was sent"):
            await it.orders._exchange.fetch("https://venue.example/sapi/v1/capital/withdraw/apply", "POST")
        assert it.server.requests == []


@EVERY
async def test_nothing_is_sent_twice_behind_our_back(venue: OrderVenue) -> None:
    """On a connection that drops, an order and a look-up arrive once each."""
    async with trading(venue) as it:
        await it.orders.find_by_client_id(it.new_id(), it.ether)
        it.strike(venue.create, "drop")
        it.server.requests.clear()
        await it.orders.submit(it.intent())
        for path in venue.lookups:
            it.strike(path, "drop")
        await it.orders.find_by_client_id(it.new_id(), it.ether)
        asked = [f"{method} {it.server.named(path)}" for method, path in it.server.requests]
        assert sorted(asked) == sorted((*venue.asks_first, venue.create, *venue.lookups))


@EVERY
async def test_an_order_does_not_wait_behind_polling(venue: OrderVenue) -> None:
    """With the reader's rate limit spent and waiting for ever, an order goes out at once."""
    async with trading(venue) as it:
        never = asyncio.Event()

        async def wait(_: float) -> None:
            await never.wait()

        it.clock.sleep = wait  # type: ignore[method-assign]
        polling = asyncio.create_task(it.reader._line.connection.exchange.throttle(1e9))
        await asyncio.sleep(0)
        behind = asyncio.create_task(it.reader._line.connection.exchange.throttle(1))
        outcome = await asyncio.wait_for(it.orders.submit(it.intent()), 30)
        assert isinstance(outcome, Accepted)
        assert not polling.done()
        assert not behind.done()
        for task in (polling, behind):
            task.cancel()


@EVERY
async def test_a_venue_that_asked_for_rest_is_not_asked(venue: OrderVenue) -> None:
    """After a 429 the next order is not sent, which is certain, and a look-up is unknown."""
    async with trading(venue) as it:
        it.strike(venue.create, "429")
        assert isinstance(await it.orders.submit(it.intent()), Unknown)
        it.server.faults.clear()
        it.server.requests.clear()
        outcome = await it.orders.submit(it.intent())
        assert isinstance(outcome, Rejected)
        assert outcome.reason.startswith("nothing was sent")
        assert isinstance(await it.orders.find_by_client_id(it.new_id(), it.ether), Unknown)
        assert it.server.requests == []


@EVERY
async def test_no_secret_is_in_any_outcome(venue: OrderVenue) -> None:
    """Keys, signatures and addresses are in no reason, also where the venue repeats what it was sent."""
    async with trading(venue) as it:
        await it.orders.find_by_client_id(it.new_id(), it.ether)
        said = []
        repeated = f"no: https://x/?signature={'a' * 64} {' '.join(venue.keys.values())}"
        echo = json.dumps(venue.no(venue.unbelieved)).replace('"no"', json.dumps(repeated))
        if repeated not in echo:  # a venue whose words are its codes
            echo = json.dumps(venue.no(repeated))
        for fault in (*STATUSES, "drop", "html", "echo", f"code:{venue.shut_out}"):
            for path in (venue.create, *venue.lookups):
                if fault == "echo":
                    it.server.replies[path] = echo
                else:
                    it.strike(path, fault)
            said.append(await it.orders.submit(it.intent()))
            said.append(await it.orders.find_by_client_id(it.new_id(), it.ether))
            it.heal()
        said += [it.orders, vars(it.orders)]
        for secret in (*venue.keys.values(), "signature=", "://"):
            assert secret not in repr(said), secret


@pytest.mark.parametrize(
    ("limit", "tick", "buy", "sell"),
    [
        ("3015", "0.01", "3015", "3015"),
        ("2999.9999999999999999999999999", "0.05", "2999.95", "3000.00"),
        ("0.7", "0.5", "0.5", "1.0"),
        ("3000.05", "0.1", "3000.0", "3000.1"),
    ],
)
def test_a_limit_goes_to_the_tick_on_the_safe_side(limit: str, tick: str, buy: str, sell: str) -> None:
    """A buy never pays more and a sale never takes less than the limit, to the last digit."""
    assert within(D(limit), D(tick), Side.BUY) == D(buy) <= D(limit)
    assert within(D(limit), D(tick), Side.SELL) == D(sell) >= D(limit)


def test_the_writing_calls_are_reached_from_one_place() -> None:
    """The composition root alone makes a line for orders, for accounts on which a hedge may trade.

    Whoever else takes something of that module takes what sends nothing: whether keys have the right form.
    """
    root, harmless = Path(hedged.__file__).parent, {"check_orders", "find_orders"}
    importing = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        and "ccxt_orders" in f"{getattr(node, 'module', '')} {' '.join(alias.name for alias in node.names)}"
        and not {alias.name for alias in node.names} <= harmless
    }
    assert importing == {"app/accounts.py"}


def test_the_venues_of_the_first_rank_and_four_of_the_second_take_orders() -> None:
    """The venues that orders can be sent to are among those that are read."""
    assert set(order_dialects()) == {
        "binance",
        "bingx",
        "bitget",
        "bybit",
        "gate",
        "hyperliquid",
        "kucoin",
        "mexc",
        "okx",
        "weex",
    }
    assert set(order_dialects()) <= set(exchanges())
