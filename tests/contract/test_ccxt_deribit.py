"""Real ccxt over real TLS to a local Deribit: coins, positions, margin and prices, in the right units and signs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.adapters.exchanges.guard import NotAllowed
from hedged.assess.exposure import delta_of
from hedged.errors import Refused, Unreachable, Unreadable, VenueError
from hedged.model.instrument import ContractKind, InstrumentId
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Doubt, Margin, Position, Quote
from tests.support import T0
from tests.venues.bench import Bench
from tests.venues.deribit_bench import DATED, INVERSE, INVERSE_DATED, KEYS, PERPETUAL, bench
from tests.venues.deribit_server import PREFIX
from tests.venues.deribit_venue import Funds, Held

D = Decimal
NOW = 1793620800000  # T0 in the venue's milliseconds
SINCE = T0 - timedelta(minutes=1)
COLD = [  # all that a first full read asks: coins, positions, quotes in two settlements, three prices
    "public/get_instruments",
    "public/get_index_price_names",
    "public/get_time",
    "private/get_account_summaries",
    "private/get_positions",
    *["public/get_book_summary_by_currency"] * 2,
    *["public/get_index_price"] * 3,
]
WARM = [path for path in COLD if path not in COLD[:3]]


def paths(it: Bench[Any]) -> list[str]:
    return [path.removeprefix(PREFIX) for path in it.paths()]


async def positions(it: Bench[Any]) -> dict[InstrumentId, Position]:
    return {position.instrument: position for position in (await it.reader.derivatives()).value.positions}


async def test_coins_are_cash_and_what_was_realised_today() -> None:
    """Without open profit, which is the positions', and with what open orders reserve as locked; the rest is left out."""
    async with bench() as it:
        assert (await it.reader.balances("spot")).value == (
            Balance("BTC", D("1.52")),
            Balance("ETH", D("11.0"), locked=D("1.5")),
            Balance("USDC", D(9960)),
        )


async def test_a_balance_below_zero_is_owed() -> None:
    """Cross collateral lets a currency fall below zero: that is a debt, not nothing."""
    async with bench() as it:
        it.truth.funds["USDC"] = Funds(D(-500), realised=D(20), reserved=D(3))
        coins = {balance.asset: balance for balance in (await it.reader.balances("spot")).value}
    assert coins["USDC"] == Balance("USDC", D(0), debt=D(480))
    assert coins["USDC"].net == -480


async def test_one_account_has_one_wallet() -> None:
    """`swap` is another name of the same coins: they are read once."""
    async with bench(wallets=("spot", "swap")) as it:
        assert tuple(it.reader.wallets) == ("spot",)


@pytest.mark.parametrize("in_quote", [False, True])
async def test_a_linear_position_is_counted_in_coins(in_quote: bool) -> None:
    """Two coins short and half a coin long, whichever way the venue writes `size`."""
    async with bench() as it:
        it.truth.linear_size_in_quote = in_quote
        held, listed = await positions(it), await it.market.instruments()
    short, dated = held[PERPETUAL], held[DATED]
    assert short.contracts == -2
    assert dated.contracts == D("0.5")
    assert delta_of(listed[PERPETUAL], short) == -2
    assert (short.entry_price, short.unrealised_pnl, short.maintenance_margin) == (D(3100), D(200), D(30))
    assert short.trusted
    assert dated.trusted


async def test_an_inverse_position_is_counted_in_dollars() -> None:
    """Its value does not depend on the price; it moves like the coins that it was worth when profit was last settled."""
    async with bench() as it:
        held, listed = await positions(it), await it.market.instruments()
    short, long = held[INVERSE], held[INVERSE_DATED]
    assert (short.contracts, long.contracts) == (D(-6000), D(3000))
    assert listed[INVERSE].notional(short.contracts, D(1)) == -6000
    assert short.entry_price == 58000, "not 50000, at which it was opened: the profit since is in the balance already"
    assert long.entry_price == 59000
    assert delta_of(listed[INVERSE], short) == D(-6000) / 58000
    assert short.unrealised_pnl == pytest.approx(D(-6000) * (60000 / D(58000) - 1))
    assert (short.trusted, long.trusted) == (True, True)


async def test_settlement_changes_nothing_that_is_hedged() -> None:
    """At 08:00 open profit becomes cash and counts from a new price: coins and position together move like before."""

    async def moves_like(it: Bench[Any]) -> Decimal:
        held, listed = await positions(it), await it.market.instruments()
        coins = {balance.asset: balance.net for balance in (await it.reader.balances("spot")).value}
        delta = delta_of(listed[INVERSE], held[INVERSE])
        assert delta is not None
        return coins["BTC"] + delta

    async with bench() as it:
        it.truth.positions = {"BTC-PERPETUAL": Held(D(-60000), D(50000))}
        before = await moves_like(it)
        profit = D(-60000) * (1 / D(50000) - 1 / D(60000))
        it.truth.funds["BTC"].balance += profit
        it.truth.positions["BTC-PERPETUAL"].settled = D(60000)
        assert await moves_like(it) == pytest.approx(before, abs=D("1e-8"))


@pytest.mark.parametrize(
    ("change", "trusted"),
    [({"size_currency": -0.2}, False), ({"size": 12}, False), ({"size": -2.0}, True), ({"size": 6000}, True)],
)
async def test_a_size_that_the_venue_contradicts_is_not_trusted(change: dict[str, float], trusted: bool) -> None:
    """Coins and size have to agree, in coins or in the quote currency; a sale may be written with its sign or without."""
    async with bench() as it:
        row = it.truth.position_rows()[0] | change
        it.truth.positions, it.truth.extra_positions = {}, [row]
        (position,) = (await it.reader.derivatives()).value.positions
    assert position.trusted is trusted
    assert position.contracts < 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"direction": "buy"}, "not what its direction says"),
        ({"direction": "zero"}, "not what its direction says"),
        ({"size": 0}, "not what its direction says"),
        ({"instrument_name": "DOGE_USDC-PERPETUAL"}, "DOGE_USDC-PERPETUAL, which the venue does not list"),
        ({"mark_price": 0}, "mark_price"),
    ],
)
async def test_a_position_that_is_not_understood_is_no_position(change: dict[str, Any], says: str) -> None:
    """Nothing about a position is guessed: the read fails and says what it stumbled over."""
    async with bench() as it:
        row = it.truth.position_rows()[0] | change
        it.truth.positions, it.truth.extra_positions = {}, [row]
        with pytest.raises(Unreadable, match=says):
            await it.reader.derivatives()


@pytest.mark.parametrize("kind", ["option", "future_combo", "option_combo"])
async def test_a_held_option_is_told_and_stops_the_read(kind: str) -> None:
    """Options and combinations are never silently left out; a closed one and coins listed as a position do not matter."""
    option = {"instrument_name": "BTC-25DEC26-60000-C", "kind": kind, "direction": "buy", "size": 0.5}
    async with bench() as it:
        it.truth.extra_positions = [option]
        with pytest.raises(Refused, match="BTC-25DEC26-60000-C .*close it or move it to a sub-account"):
            await it.reader.derivatives()
        it.truth.extra_positions = [option | {"size": 0, "direction": "zero"}, option | {"kind": "spot"}]
        assert len(await positions(it)) == 4


async def test_margin_is_that_of_the_currency_nearest_to_liquidation() -> None:
    """Each currency backs what is settled in it; bitcoin counts at its index price. Nothing held, nothing told."""
    async with bench() as it:
        assert (await it.reader.derivatives()).value.margin == Margin(D(10175), D("37.575"), D("10099.85"))
        it.truth.funds["BTC"] = Funds(D("0.01"))
        margin = (await it.reader.derivatives()).value.margin
        assert margin is not None
        assert margin.maintenance == pytest.approx(30 + 15 / D("1.01"), abs=D("1e-6"))
        assert margin.equity == pytest.approx((D("0.01") + _open_bitcoin()) * 60000, abs=D("1e-6"))
        it.truth.positions = {}
        assert (await it.reader.derivatives()).value.margin is None


def _open_bitcoin() -> Decimal:
    return D(-6000) * (1 / D(58000) - 1 / D(60000)) + D(3000) * (1 / D(59000) - 1 / (60000 * D("1.01")))


async def test_cross_collateral_is_one_pool() -> None:
    """Each currency then shows the whole account in its own coin: the ratio is the same, and no price of liquidation."""
    async with bench() as it:
        it.truth.cross = True
        derivatives = (await it.reader.derivatives()).value
    margin = derivatives.margin
    assert margin is not None
    assert margin.equity == pytest.approx(D(10175) + 37500 + (D("1.52") + _open_bitcoin()) * 60000, abs=D("1e-4"))
    assert margin.maintenance == pytest.approx(D("37.575") + 30 + 15 / D("1.01"), abs=D("1e-4"))
    assert {position.liquidation_price for position in derivatives.positions} == {None}


async def test_contracts_as_the_venue_lists_them() -> None:
    """Dollars and coins are the contracts here; perpetual ones do not expire unless the venue takes them off."""
    async with bench() as it:
        listed = await it.market.instruments()
        assert {i.multiplier for i in listed.values()} == {1}
        inverse, dated = listed[INVERSE], listed[DATED]
        assert (inverse.linear, inverse.lot_size, inverse.quantity_min, inverse.expiry) == (False, D(10), D(10), None)
        assert (inverse.kind, inverse.quote, inverse.settle) == (ContractKind.PERPETUAL, "USD", "BTC")
        assert (dated.linear, dated.lot_size, dated.quantity_min) == (True, D("0.001"), D("0.01"))
        assert (dated.kind, dated.expiry) == (ContractKind.FUTURE, datetime(2026, 12, 25, 8, tzinfo=UTC))
        rows = it.truth.instruments()
        rows[0] |= {"expiration_timestamp": 1798185600000}
        rows[1] |= {"instrument_type": "linear"}
        rows[2] |= {"expiration_timestamp": 32503708800000}
        it.server.replies[f"{PREFIX}public/get_instruments"] = json.dumps({"result": rows})
        it.opened._line._markets = None
        listed = await it.market.instruments()
    assert listed[INVERSE].delisting == datetime(2026, 12, 25, 8, tzinfo=UTC)
    assert "main:ETH/USD:ETH" not in listed, "a contract of a kind that is not understood"
    assert not [symbol for symbol in listed if symbol.startswith("main:BTC/USD:BTC-")], "dated, and never to expire"


async def test_quotes_are_the_venues_own() -> None:
    """Mark, book, index and the funding of eight hours, as of the venue's time; a dated contract has no funding."""
    async with bench() as it:
        quotes = await it.market.quotes([PERPETUAL, DATED, INVERSE])
    assert quotes[PERPETUAL].value == Quote(D(3000), D("2999.7"), D("3000.3"), D(3000), D("0.00001469"), D(8))
    assert quotes[PERPETUAL].as_of == T0 - timedelta(milliseconds=150)
    assert quotes[DATED].value == Quote(D(3030), D("3029.697"), D("3030.303"), D(3000))
    assert quotes[INVERSE].value.mark == 60000


async def test_an_empty_or_crossed_book_has_no_prices() -> None:
    """The mark stands by itself."""
    async with bench() as it:
        rows = it.truth.book_summaries("USDC")
        rows[0] |= {"bid_price": None}
        rows[2] |= {"bid_price": 3100}
        path = f"{PREFIX}public/get_book_summary_by_currency"
        it.server.replies[path] = json.dumps({"result": rows})
        quotes = await it.market.quotes([PERPETUAL, DATED])
    assert (quotes[PERPETUAL].value.bid, quotes[PERPETUAL].value.ask) == (None, D("3000.3"))
    assert (quotes[DATED].value.bid, quotes[DATED].value.ask) == (None, None)


async def test_prices_are_index_prices() -> None:
    """In any currency that the venue has an index in; one without an index is absent, never zero."""
    async with bench() as it:
        in_usdc = await it.market.prices(["ETH", "BTC", "DOGE", "USDC"], "USDC")
        in_dollars = await it.market.prices(["BTC", "USDC", "USDT"], "USD")
    assert {asset: price.value for asset, price in in_usdc.items()} == {"ETH": 3000, "BTC": 60010, "USDC": 1}
    assert {asset: price.value for asset, price in in_dollars.items()} == {
        "BTC": 60000,
        "USDC": D("0.9998"),
        "USDT": D("1.0002"),
    }
    assert in_usdc["ETH"].as_of == T0


@pytest.mark.parametrize(
    ("scope", "addresses", "expected"),
    [
        ("account:read trade:read wallet:read", None, Permissions(read=True, trade=False, withdraw=False)),
        ("account:read trade:read_write wallet:none", [], Permissions(False, True, False, False)),
        ("account:read_write trade:read_write wallet:read_write", ["1.2.3.4"], Permissions(True, True, True, True)),
    ],
)
async def test_tells_what_the_key_may_do(scope: str, addresses: list[str] | None, expected: Permissions) -> None:
    """By the scopes of this key among all; unknown where the venue wants a second factor or does not name the key."""
    async with bench() as it:
        it.truth.scope, it.truth.ip_whitelist = scope, addresses
        assert await it.opened.permissions() == expected
        it.truth.second_factor = True
        assert await it.opened.permissions() is None
        it.truth.second_factor = False
        it.truth.keys = lambda _: [{"client_id": "another", "max_scope": "wallet:read_write"}]
        assert await it.opened.permissions() is None


async def test_a_full_read_takes_the_fewest_requests() -> None:
    """Ten requests for the first full read, seven for each later one."""

    async def read_everything() -> None:
        await asyncio.gather(
            it.reader.balances("spot"),
            it.reader.derivatives(),
            it.market.quotes([PERPETUAL, DATED, INVERSE]),
            it.market.prices(["ETH", "SOL", "BTC"], "USDC"),
        )

    async with bench() as it:
        await read_everything()
        assert sorted(paths(it)) == sorted(COLD)
        it.clock.advance(60)
        await read_everything()
        assert sorted(paths(it)) == sorted(WARM)
        assert (len(COLD), len(WARM)) == (10, 7)


async def test_public_data_needs_no_key() -> None:
    """Without credentials there is a market reader, no account reader, and no signed call."""
    async with bench(credentials=None) as it:
        assert it.opened.reader is None
        assert (await it.market.quotes([PERPETUAL]))[PERPETUAL].value.mark == 3000
        assert not [path for path in paths(it) if path.startswith("private")]


async def test_the_sandbox_is_the_venues_test_system() -> None:
    """With `sandbox` every request goes to the test system's address, without it none does."""
    for sandbox, host in ((True, "test.deribit.com"), (False, "www.deribit.com")):
        async with bench(sandbox=sandbox) as it:
            await it.reader.derivatives()
            assert it.server.hosts == {host}


async def test_signs_with_the_venues_time() -> None:
    """A clock that is wrong, or jumps later, is made up for; calls made in one millisecond have a nonce each."""
    async with bench() as it:
        it.truth.now = lambda: int((it.clock.now() + timedelta(hours=1)).timestamp() * 1000)
        await asyncio.gather(it.reader.balances("spot"), it.reader.derivatives(), it.opened.permissions())
        assert len(it.server.used) == 3
        assert it.opened.skew_seconds == -3600
        it.truth.now = lambda: int((it.clock.now() - timedelta(days=30)).timestamp() * 1000)
        it.paths()
        await it.reader.balances("spot")
        assert paths(it) == ["private/get_account_summaries", "public/get_time", "private/get_account_summaries"]


@pytest.mark.parametrize("change", [{"apiKey": "unknown"}, {"secret": "wrong"}])
async def test_a_wrong_key_is_refused(change: dict[str, str]) -> None:
    """The venue's refusal becomes one, with what to do about it; it is no outage."""
    async with bench(credentials=KEYS | change) as it:
        for read in (it.reader.balances("spot"), it.reader.derivatives()):
            with pytest.raises(Refused, match="the key or its secret is not right.*13004 invalid_credentials"):
                await read
        assert paths(it).count("private/get_account_summaries") == 2, "not asked again: the clock is right"


@pytest.mark.parametrize(
    ("status", "code", "kind", "says"),
    [
        (400, 13021, Refused, "allow account:read, trade:read and wallet:read"),
        (400, -32602, Refused, "-32602"),
        (200, 13021, Refused, "allow account:read"),
        (400, 10028, Unreachable, "10028"),
        (400, 11051, Unreachable, "11051"),
        (400, 10041, Unreachable, "10041"),
        (500, 11094, Unreachable, "11094"),
        (400, 99999, Unreadable, "99999"),
    ],
)
async def test_each_way_to_say_no_is_told_apart(status: int, code: int, kind: type[VenueError], says: str) -> None:
    """What a person has to mend, what passes by itself, and what is not an answer, also where the status is 200."""
    async with bench() as it:
        error = {"code": code, "message": "the venue says no", "data": {"reason": "x"}}
        reply = {"status": status, "text": json.dumps({"jsonrpc": "2.0", "error": error})}
        it.server.responses[f"{PREFIX}private/get_account_summaries"] = reply
        with pytest.raises(kind, match=f"main: account: .*{says}"):
            await it.reader.balances("spot")


def trade(direction: str, amount: float, name: str = "ETH_USDC-PERPETUAL", **more: Any) -> dict[str, Any]:
    return {"instrument_name": name, "direction": direction, "amount": amount, "timestamp": NOW, **more}


def log(kind: str, change: float, currency: str = "USDC", **more: Any) -> dict[str, Any]:
    return {"type": kind, "change": change, "currency": currency, "timestamp": NOW, **more}


def gone(before: str, now: str = "0", name: InstrumentId = PERPETUAL) -> Doubt:
    return Doubt(name, "main", "ETH", name, D(before), D(now), polls=1)


@pytest.mark.parametrize(
    ("trades", "says"),
    [
        ([trade("buy", 1.5), trade("buy", 0.5)], "2 trades since 2026-11-02 11:59 UTC, +2 contracts in all"),
        ([trade("buy", 2, liquidation="T")], "1 trades since 2026-11-02 11:59 UTC, +2 contracts in all (liquidation)"),
        ([trade("sell", 2)], None),
        ([trade("buy", 2, name="SOL_USDC-PERPETUAL")], None),
        ([trade("buy", 2) | {"timestamp": NOW - 61_000}], None),
        ([], None),
    ],
)
async def test_trades_explain_a_position_if_they_add_up(trades: list[dict[str, Any]], says: str | None) -> None:
    """A closed short is explained by purchases of its size since the last read, and by nothing else."""
    async with bench() as it:
        it.truth.trades = trades
        assert await it.reader.explain(gone("-2"), SINCE) == says
        it.truth.has_more = True
        assert await it.reader.explain(gone("-2"), SINCE) is None, "a page that is not the last may lack some"


async def test_a_delivery_explains_a_dated_contract() -> None:
    """Of that contract, and only of one that is gone."""
    async with bench() as it:
        it.truth.logs = [log("delivery", 10, instrument_name="ETH_USDC-25DEC26")]
        assert await it.reader.explain(gone("5", name=DATED), SINCE) == (
            "closed by the venue since 2026-11-02 11:59 UTC (delivery)"
        )
        assert await it.reader.explain(gone("5", "1", name=DATED), SINCE) is None
        assert await it.reader.explain(gone("-2"), SINCE) is None


async def test_the_log_explains_a_balance() -> None:
    """Its entries do if they make up nearly all of the fall, on a page that has them all."""

    def fell(before: str, now: str) -> Doubt:
        return Doubt("main/spot/USDC", "main", "USDC", None, D(before), D(now), polls=1)

    async with bench() as it:
        await it.reader.balances("spot")
        it.truth.logs = [log("withdrawal", -9000), log("transfer", -100), log("trade", -5, "BTC")]
        assert await it.reader.explain(fell("10000", "860"), SINCE) == (
            "since 2026-11-02 11:59 UTC: transfer -100 USDC, withdrawal -9000 USDC"
        )
        assert await it.reader.explain(fell("20000", "860"), SINCE) is None
        it.truth.continuation = 7
        assert await it.reader.explain(fell("10000", "860"), SINCE) is None


SYMBOL = "BTC/USD:BTC"
WRITING: list[tuple[str, tuple[Any, ...]]] = [
    ("create_order", (SYMBOL, "market", "sell", 10)),
    ("create_order", (SYMBOL, "limit", "buy", 10, 30000)),
    ("edit_order", ("1", SYMBOL, "limit", "sell", 10, 30000)),
    ("cancel_order", ("1", SYMBOL)),
    ("cancel_all_orders", (SYMBOL,)),
    ("transfer", ("BTC", 1, "main", "10")),
    ("create_deposit_address", ("BTC",)),
]


@pytest.mark.parametrize(("method", "arguments"), WRITING, ids=lambda value: value if isinstance(value, str) else "")
async def test_no_writing_method_reaches_the_venue(method: str, arguments: tuple[Any, ...]) -> None:
    """Orders are GET here, like all else: only the list of endpoints stands between, and the server sees nothing."""
    async with bench() as it:
        await it.reader.derivatives()
        it.paths()
        with pytest.raises(NotAllowed, match="nothing was sent"):
            await getattr(it.exchange, method)(*arguments)
        assert it.paths() == []


async def test_no_endpoint_that_is_not_listed_reaches_the_venue() -> None:
    """Every endpoint that ccxt knows of the venue and the dialect does not list raises; nothing is sent."""
    async with bench() as it:
        await it.reader.derivatives()
        it.paths()
        tried = []
        for method, path, section in _endpoints(it.exchange.api):
            if (method, f"{PREFIX}{section}/{path}") in it.dialect.endpoints:
                continue
            with pytest.raises(NotAllowed):
                await it.exchange.request(path, section, method, {"instrument_name": "BTC-PERPETUAL", "amount": 10})
            tried.append(path)
        assert {"buy", "sell", "edit", "close_position", "withdraw", "create_api_key", "mass_quote"} <= set(tried)
        assert len(tried) > 120
        assert it.paths() == []


def _endpoints(api: Any) -> Iterator[tuple[str, str, str]]:
    for section, methods in api.items():
        for method, listed in methods.items():
            for path in listed:
                yield method.upper(), path, section
