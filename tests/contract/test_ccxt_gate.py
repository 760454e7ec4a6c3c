"""Real ccxt over real TLS to a local Gate: what is asked, what is read of it, and how the venue says no."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.adapters.exchanges.guard import NotAllowed
from hedged.errors import Refused, Unreachable, Unreadable
from hedged.model.instrument import ContractKind, InstrumentId, MarginTier
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Margin, Position
from tests.venues.gate_bench import DATED, INVERSE, KEYS, PERPETUAL, WALLETS, bench, same
from tests.venues.gate_server import API_KEY
from tests.venues.gate_venue import GateVenue, Held
from tests.venues.opened import Bench
from tests.venues.same import WITH_DATED, WITH_DEBT

D = Decimal
WARM = {
    "spot/accounts",
    "margin/accounts",
    "earn/uni/lends",
    "futures/usdt/accounts",
    "futures/btc/accounts",
    "delivery/usdt/accounts",
    "futures/usdt/positions",
    "futures/btc/positions",
    "delivery/usdt/positions",
    "futures/usdt/tickers",
    "delivery/usdt/tickers",
    "spot/tickers",
}
COLD = WARM | {
    "spot/time",
    "spot/currency_pairs",
    "futures/usdt/contracts",
    "futures/btc/contracts",
    "delivery/usdt/contracts",
}


def usdt_positions(it: Bench, *changes: dict[str, Any]) -> None:
    """Have the USDT segment hold the first position once for each of these changes; the others hold none."""
    row = it.truth.position_rows("futures/usdt")[0]
    rows = [row | change for change in changes]
    it.truth.position_rows = lambda segment: rows if segment == "futures/usdt" else []


async def _read_everything(it: Bench) -> None:
    await asyncio.gather(
        *(it.reader.balances(wallet) for wallet in it.reader.wallets),
        it.reader.derivatives(),
        it.market.quotes([PERPETUAL, DATED]),
        it.market.prices(["ETH", "SOL", "USDC"], "USDT"),
    )


async def test_a_full_read_takes_the_fewest_requests() -> None:
    """Seventeen requests for the first full read of everything, twelve for each later one, none of them a write."""
    async with bench() as it:
        await _read_everything(it)
        assert Counter(it.paths()) == dict.fromkeys(COLD, 1)
        it.clock.advance(60)
        await _read_everything(it)
        assert Counter(it.paths()) == dict.fromkeys(WARM, 1)
        assert (len(COLD), len(WARM)) == (17, 12)
        assert it.server.writes == []


async def test_spot_alone_asks_hourly_whether_the_account_is_classic() -> None:
    """Whoever reads no positions learns it from the futures accounts, once an hour."""
    async with bench(wallets=["spot"]) as it:
        await it.reader.balances("spot")
        it.paths()
        await it.reader.balances("spot")
        assert it.paths() == ["spot/accounts"]
        it.clock.advance(3601)
        await it.reader.balances("spot")
        assert "futures/usdt/accounts" in it.paths()


async def test_reads_each_wallet() -> None:
    """Every wallet by itself; isolated pairs together with debt and interest; futures without profit and bonus."""
    async with bench() as it:
        read = {wallet: (await it.reader.balances(wallet)).value for wallet in WALLETS}
    assert read["spot"] == (Balance("ETH", D(10), D("1.5")), Balance("USDT", D(10000)))
    assert read["margin"] == (
        Balance("SOL", D(1), D("0.5"), D("30.25")),
        Balance("USDT", D(500), D(0), D("100.5")),
        Balance("ETH", D(2)),
    )
    assert read["earn"] == (Balance("USDT", D(250)),)
    assert read["swap"] == (Balance("USDT", D(6000)), Balance("BTC", D("0.5")))


async def test_savings_of_more_than_a_page_are_all_read() -> None:
    """A full page is followed by the next one."""
    async with bench() as it:
        it.truth.lent = {f"C{number}": D(1) for number in range(230)}
        assert len((await it.reader.balances("earn")).value) == 230
        assert it.paths().count("earn/uni/lends") == 3


async def test_an_account_that_was_never_used_is_empty() -> None:
    """The venue creates futures accounts with the first transfer: until then it says that there is none."""
    async with bench(truth=GateVenue()) as it:
        for wallet in WALLETS:
            assert (await it.reader.balances(wallet)).value == ()
        read = (await it.reader.derivatives()).value
    assert read.positions == ()
    assert read.margin == Margin(D(0), D(0), D(0))


async def test_positions_are_signed_contracts_of_the_multipliers_size() -> None:
    """A short is negative, parts of contracts are read, and an inverse contract's coins are worth the mark."""
    async with bench() as it:
        read = (await it.reader.derivatives()).value
        instruments = await it.market.instruments()
    linear, inverse, dated = read.positions
    assert linear == Position(PERPETUAL, D("-200.5"), D(3100), D(6000), D("200.5"), D("30.075"))
    assert instruments[PERPETUAL].base_quantity(linear.contracts, D(3000)) == D("-2.005")
    assert (inverse.instrument, inverse.contracts, inverse.maintenance_margin) == (INVERSE, -6000, 30)
    assert inverse.unrealised_pnl is not None
    assert round(inverse.unrealised_pnl, 9) == -1200  # 0.12 coins sold, 0.1 are owed back
    assert instruments[INVERSE].notional(inverse.contracts, D(60000)) == -6000
    assert instruments[INVERSE].base_quantity(inverse.contracts, D(60000)) == D("-0.1")
    assert (dated.instrument, dated.contracts, dated.liquidation_price) == (DATED, 50, None)
    assert all(position.trusted for position in read.positions)


async def test_the_tightest_pool_is_the_margin() -> None:
    """Each segment is liquidated by itself; bitcoin is worth its mark."""
    async with bench() as it:
        it.truth.futures["futures/btc"] = D("0.03")
        margin = (await it.reader.derivatives()).value.margin
    assert margin is not None
    assert (round(margin.equity, 6), margin.maintenance) == (600, 30)  # 0.03 bitcoins less 1,200 dollars


async def test_the_older_classic_account_has_its_positions_maintenance() -> None:
    """Without a figure for the whole account the positions' own add up; without theirs, their rates do."""
    async with bench() as it:
        it.truth.newer = False
        usdt_positions(it, {})
        told = (await it.reader.derivatives()).value.margin
        usdt_positions(it, {"maintenance_margin": "0"})
        by_average = (await it.reader.derivatives()).value.margin
        usdt_positions(it, {"maintenance_margin": "", "average_maintenance_rate": ""})
        by_tier = (await it.reader.derivatives()).value.margin
        usdt_positions(it, {"maintenance_margin": "", "average_maintenance_rate": "", "maintenance_rate": "0"})
        unknown = (await it.reader.derivatives()).value.margin
    assert told == by_average == by_tier == Margin(D("5200.5"), D("30.075"), D(5010))
    assert unknown == Margin(D("6250.5"), None)


async def test_the_accounts_maintenance_counts_where_it_is_more() -> None:
    """Open orders need margin too, which the positions do not show."""
    async with bench() as it:
        it.truth.account = {"cross_maintenance_margin": "52"}
        usdt_positions(it, {})
        margin = (await it.reader.derivatives()).value.margin
    assert margin is not None
    assert margin.maintenance == 52


async def test_an_isolated_position_is_a_pool_of_its_own() -> None:
    """Its margin and profit back it and nothing else; the rest of the account is without it."""
    async with bench() as it:
        it.truth.positions = {"ETH_USDT": Held(D(-200), D(3100), isolated=D(500)), "BTC_USDT": Held(D(100), D(60000))}
        margin = (await it.reader.derivatives()).value.margin
        it.truth.positions["ETH_USDT"].isolated = D(4900)
        rest = (await it.reader.derivatives()).value.margin
    assert margin == Margin(D(700), D(30))
    assert rest is not None
    assert (rest.equity, rest.maintenance) == (D(100), D(3))


async def test_a_leverage_of_zero_is_cross_margin() -> None:
    """Where the mode of a position is not told by itself, as in older accounts."""
    async with bench() as it:
        it.truth.newer = False
        usdt_positions(it, {"pos_margin_mode": "", "leverage": "10", "margin": "100"})
        isolated = (await it.reader.derivatives()).value.margin
        usdt_positions(it, {"pos_margin_mode": "", "leverage": "0", "margin": "100"})
        crossed = (await it.reader.derivatives()).value.margin
    assert isolated is not None
    assert crossed is not None
    assert (isolated.equity, crossed.equity) == (D("300.5"), D("5200.5"))


@pytest.mark.parametrize("name", ["ETH_USDT", "BTC_USD", "ETH_USDT_20261225"])
@pytest.mark.parametrize(("factor", "trusted"), [("1", True), ("1.019", True), ("1.03", False), ("100", False)])
async def test_a_position_worth_something_else_is_not_trusted(name: str, factor: str, trusted: bool) -> None:
    """Contracts × multiplier × mark must agree with the venue's own value within 2 %, in coins where it is in coins."""
    async with bench() as it:
        it.truth.positions = {name: it.truth.positions[name]}
        right = it.truth.value
        it.truth.value = lambda name: right(name) * D(factor)
        (position,) = (await it.reader.derivatives()).value.positions
    assert position.trusted is trusted


@pytest.mark.parametrize(
    "account", [{"in_dual_mode": True}, {"position_mode": "dual"}, {"position_mode": "dual_plus"}], ids=str
)
async def test_hedge_mode_is_refused(account: dict[str, Any]) -> None:
    """As the account tells it, without any position; the wallets can still be read."""
    async with bench() as it:
        it.truth.account = account
        with pytest.raises(Refused, match=r"main: futures positions: .*hedge mode.*One-Way Mode"):
            await it.reader.derivatives()
        assert (await it.reader.balances("spot")).value


async def test_a_position_in_hedge_mode_is_refused() -> None:
    """As the position itself tells it, and where one contract is there twice."""
    async with bench() as it:
        it.truth.mode = "dual_short"
        with pytest.raises(Refused, match="hedge mode"):
            await it.reader.derivatives()
        it.truth.mode = "single"
        usdt_positions(it, {}, {"size": "5"})
        with pytest.raises(Refused, match="several positions in ETH_USDT"):
            await it.reader.derivatives()


@pytest.mark.parametrize("account", [{"margin_mode": 1}, {"margin_mode": 3}, {"enable_credit": True}], ids=str)
async def test_a_unified_account_is_refused(account: dict[str, Any]) -> None:
    """Its coins are one pool under several names: no wallet of it is read, and what to do is said."""
    async with bench() as it:
        it.truth.account = account
        for read in (*map(it.reader.balances, WALLETS), it.reader.derivatives()):
            with pytest.raises(Refused, match="unified account, which cannot be read yet: switch it to classic mode"):
                await read


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"contract": "GONE_USDT"}, "GONE_USDT, which the venue does not list"),
        ({"mark_price": "0"}, "mark_price is not above zero"),
        ({"value": "-1"}, "value is below zero"),
    ],
)
async def test_a_position_that_is_not_understood_fails_the_read(change: dict[str, str], says: str) -> None:
    """An unlisted contract has no known size; nothing is guessed and nothing is left out."""
    async with bench() as it:
        usdt_positions(it, change)
        with pytest.raises(Unreadable, match=says):
            await it.reader.derivatives()


async def test_a_missing_segment_is_a_failed_read() -> None:
    """Positions of all three segments or none at all."""
    async with bench() as it:
        it.server.replies["/api/v4/delivery/usdt/positions"] = "null"
        with pytest.raises(Unreadable, match="usdt delivery positions"):
            await it.reader.derivatives()


async def test_positions_of_more_than_a_page_are_all_read() -> None:
    """A full page is followed by the next one, and one without an end is not taken for the whole."""
    async with bench() as it:
        row = it.truth.position_rows("futures/usdt")[0]
        rows = [{**row, "contract": "BTC_USDT", "size": 0}] * 130 + [row]
        it.truth.position_rows = lambda segment: rows if segment == "futures/usdt" else []
        assert len((await it.reader.derivatives()).value.positions) == 1
        rows *= 10
        with pytest.raises(Unreadable, match="more than 1000 rows"):
            await it.reader.derivatives()


async def test_contracts_with_their_rules() -> None:
    """Multiplier, steps, minimums, expiry and state are the venue's own."""
    async with bench() as it:
        it.truth.status["SOL_USDT"] = "suspend"
        it.truth.delisting = {"BTC_USDT"}
        found = await it.market.instruments()
    assert {symbol: each.multiplier for symbol, each in found.items()} == {
        PERPETUAL: D("0.01"),
        DATED: D("0.01"),
        INVERSE: 1,
        "main:BTC/USDT:USDT": D("0.0001"),
        "main:SOL/USDT:USDT": 1,
    }
    ether, dated = found[PERPETUAL], found[DATED]
    assert (ether.tick_size, ether.lot_size, ether.quantity_min, ether.trading) == (D("0.01"), D("0.1"), D("0.1"), True)
    assert (dated.kind, dated.expiry, dated.lot_size) == (ContractKind.FUTURE, datetime(2026, 12, 25, 8, tzinfo=UTC), 1)
    assert (found[INVERSE].linear, ether.linear, dated.linear) == (False, True, True)
    assert not found[InstrumentId("main:SOL/USDT:USDT")].trading
    assert not found[InstrumentId("main:BTC/USDT:USDT")].trading


async def test_a_contract_with_its_profit_in_a_third_currency_is_not_listed() -> None:
    """Bitcoin-settled ether: its size in coins changes with both prices."""
    async with bench() as it:
        quanto = it.truth.contracts("futures/btc")[0] | {"name": "ETH_USD", "type": "quanto"}
        listed = {segment: it.truth.contracts(segment) for segment in ("futures/usdt", "delivery/usdt")}
        listed["futures/btc"] = [quanto | {"quanto_multiplier": "0.000001"}]
        it.truth.contracts = lambda segment: listed[segment]
        assert not [each for each in (await it.market.instruments()).values() if each.quote == "USD"]


async def test_an_announced_delisting_is_known() -> None:
    """Where the venue gives a time for it."""
    async with bench() as it:
        row = it.truth._contract("ETH_USDT") | {"delisted_time": 1798185600}
        it.server.replies["/api/v4/futures/usdt/contracts"] = json.dumps([row])
        found = await it.market.instruments()
    assert found[PERPETUAL].delisting == datetime(2026, 12, 25, 8, tzinfo=UTC)


async def test_quotes_of_every_segment() -> None:
    """Mark, book, index and funding; the next settlement is the listing's, rolled on."""
    async with bench() as it:
        await it.market.instruments()
        it.clock.advance(6 * 3600 - 60)
        quotes = await it.market.quotes([PERPETUAL, DATED, INVERSE])
    quote, dated = quotes[PERPETUAL].value, quotes[DATED].value
    assert (quote.mark, quote.bid, quote.ask, quote.index) == (3000, D("2999.7"), D("3000.3"), 3000)
    assert (quote.funding_rate, quote.funding_interval_hours) == (D("0.0001"), 8)
    assert quote.funding_next == datetime(2026, 11, 3, tzinfo=UTC)  # at noon it was 16:00
    assert (dated.funding_rate, dated.funding_interval_hours, dated.funding_next) == (None, None, None)
    assert quotes[PERPETUAL].as_of == it.clock.now()


async def test_a_crossed_or_empty_book_is_no_book() -> None:
    """A bid above the ask is torn data; a blank is the venue's way to say that nobody bids."""
    async with bench() as it:
        rows = it.truth.tickers("futures/usdt")
        rows[0]["highest_bid"], rows[1]["highest_bid"] = "", "3100"
        it.truth.tickers = lambda _: rows
        quotes = await it.market.quotes([PERPETUAL, InstrumentId("main:BTC/USDT:USDT")])
    bitcoin = quotes[InstrumentId("main:BTC/USDT:USDT")].value
    assert (quotes[PERPETUAL].value.bid, quotes[PERPETUAL].value.ask) == (None, None)
    assert (bitcoin.bid, bitcoin.ask) == (None, D("60006"))


async def test_prices_only_what_trades_against_the_quote() -> None:
    """An asset is priced by its trading spot market; halted and priceless ones are absent."""
    async with bench() as it:
        it.truth.status["spot SOL_USDT"] = "untradable"
        it.truth.prices["BTC"] = D(0)
        prices = await it.market.prices(["ETH", "BTC", "USDC", "SOL", "NONE", "USDT"], "USDT")
    assert {asset: read.value for asset, read in prices.items()} == {"ETH": 3000, "USDC": D("0.9998"), "USDT": 1}


async def test_tiers_are_the_venues() -> None:
    """A tier's limit is where the next begins; one request a linear contract, dated ones too."""
    async with bench() as it:
        tiers: Any = await it.tiers()
        assert set(it.paths()) >= {"futures/usdt/risk_limit_tiers", "delivery/usdt/risk_limit_tiers"}
    expected = (
        MarginTier(D(0), D("0.005"), D(100)),
        MarginTier(D(600_000), D("0.01"), D(50)),
        MarginTier(D(1_600_000), D("0.025"), D(20)),
    )
    assert tiers[PERPETUAL] == tiers[DATED] == expected
    assert INVERSE not in tiers


@pytest.mark.parametrize(
    ("perms", "addresses", "expected"),
    [
        ({"futures": True, "spot": True}, [], Permissions(read=True, trade=False, withdraw=False, bound_to_address=False)),
        ({"futures": False}, ["1.2.3.4"], Permissions(read=True, trade=True, withdraw=False, bound_to_address=True)),
        ({"futures": True, "wallet": False}, [], Permissions(read=True, trade=False, withdraw=True, bound_to_address=False)),
        ({"futures": True, "wallet": True}, [], Permissions(read=True, trade=False, withdraw=False, bound_to_address=False)),
        ({"spot": False}, [], Permissions(read=False, trade=False, withdraw=False, bound_to_address=False)),
    ],
)  # fmt: skip
async def test_tells_what_the_key_may_do(perms: dict[str, bool], addresses: list[str], expected: Permissions) -> None:
    """Reading futures, trading them, moving coins away, and whether only some addresses may use the key."""
    async with bench() as it:
        it.truth.perms = [{"name": name, "read_only": read_only} for name, read_only in perms.items()]
        it.truth.ip_whitelist = addresses
        assert await it.permissions() == expected


@pytest.mark.parametrize("shown", ["c5dcfbf1f3a7*****", "*****", "another", API_KEY[:-1]])
async def test_the_rights_of_another_key_are_not_taken_for_ours(shown: str) -> None:
    """The venue lists all keys with their ends hidden; without ours among them nothing is known."""
    async with bench() as it:
        it.truth.shown_key = shown
        assert await it.permissions() is None


async def test_a_key_that_may_not_read_its_rights_is_unknown() -> None:
    """The permission for it is one of its own; a wrong key is still refused."""
    async with bench() as it:
        it.server.forbidden = {"account"}
        assert await it.permissions() is None
        it.server.api_key = "another"
        with pytest.raises(Refused, match="does not know this key"):
            await it.permissions()


async def test_a_key_without_futures_reads_spot() -> None:
    """It cannot tell how the account is margined; positions are refused, naming the permission."""
    async with bench() as it:
        it.server.forbidden = {"futures"}
        assert (await it.reader.balances("spot")).value
        with pytest.raises(Refused, match="allow reading for it .*FORBIDDEN .*futures permission"):
            await it.reader.derivatives()


async def test_the_same_portfolio_as_at_other_venues() -> None:
    """Debt with interest in the margin wallet, a short in contracts, equity and maintenance to the last digit."""
    async with same(WITH_DEBT) as it:
        assert (await it.reader.balances("margin")).value == (Balance("SOL", D(0), D(0), D("30.25")),)
        read = (await it.reader.derivatives()).value
        instruments = await it.market.instruments()
    (short,) = read.positions
    assert instruments[PERPETUAL].base_quantity(short.contracts, D(3001)) == D("-10.5")
    assert read.margin is not None
    assert (read.margin.equity, read.margin.maintenance) == (D("9039.5"), D("157.5525"))
    async with same(WITH_DATED) as it:
        read = (await it.reader.derivatives()).value
    assert instruments[DATED].base_quantity(read.positions[1].contracts, D(3030)) == D("-1.5")


async def test_public_data_needs_no_key() -> None:
    """Without credentials there is a market reader, no account reader, and no signed call."""
    async with bench(credentials=None) as it:
        assert it.opened.reader is None
        assert (await it.market.prices(["ETH"], "USDT"))["ETH"].value == 3000
        assert (await it.market.quotes([PERPETUAL]))[PERPETUAL].value.mark == 3000
        assert not [path for path in it.paths() if "account" in path]


async def test_the_sandbox_has_usdt_perpetuals() -> None:
    """The testnet has no other segment and no lending: they are not asked for, or refused by name."""
    async with bench(sandbox=True) as it:
        it.truth.positions = {"ETH_USDT": it.truth.positions["ETH_USDT"]}
        assert len((await it.reader.derivatives()).value.positions) == 1
        assert (await it.reader.balances("spot")).value
        assert not [path for path in it.paths() if path.startswith(("delivery", "futures/btc"))]
        for wallet in ("margin", "earn"):
            with pytest.raises(Refused, match="the testnet has spot and USDT perpetuals only"):
                await it.reader.balances(wallet)


async def test_signs_with_the_venues_time() -> None:
    """A clock that is wrong from the start, or jumps later, is made up for without losing a read."""
    async with bench() as it:
        it.truth.now = lambda: int((it.clock.now() + timedelta(hours=1)).timestamp() * 1000)
        await it.reader.derivatives()
        it.truth.now = lambda: int((it.clock.now() - timedelta(days=30)).timestamp() * 1000)
        it.paths()
        await it.reader.derivatives()
        asked = Counter(it.paths())
        assert (asked["spot/time"], asked["futures/usdt/positions"]) == (1, 2)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"apiKey": "unknown-key"}, "the venue does not know this key"),
        ({"secret": "wrong"}, "the secret does not belong to this key"),
    ],
)
async def test_a_wrong_key_is_refused(change: dict[str, str], says: str) -> None:
    """The venue's refusal becomes one, with what to do about it; it is no outage."""
    async with bench(credentials=KEYS | change) as it:
        for read in (*map(it.reader.balances, WALLETS), it.reader.derivatives(), it.permissions()):
            with pytest.raises(Refused, match=says):
                await read


@pytest.mark.parametrize(
    ("status", "label", "kind", "says"),
    [
        (403, "IP_FORBIDDEN", Refused, "bound to another address"),
        (403, "FORBIDDEN", Refused, "allow reading for it"),
        (200, "FORBIDDEN", Refused, "allow reading for it"),
        (403, "ACCOUNT_LOCKED", Refused, "locked the account"),
        (500, "INTERNAL", Unreachable, "INTERNAL"),
        (500, "SERVER_ERROR", Unreachable, "SERVER_ERROR"),
        (503, "TOO_BUSY", Unreachable, "TOO_BUSY"),
        (429, "TOO_MANY_REQUESTS", Unreachable, "asked to slow down"),
        (200, "TOO_FAST", Unreachable, "TOO_FAST"),
        (200, "SOMETHING_NEW", Unreadable, "SOMETHING_NEW"),
        (200, None, Unreadable, "an object, expected a list"),
    ],
)
async def test_each_way_to_say_no_is_told_apart(
    status: int, label: str | None, kind: type[Exception], says: str
) -> None:
    """What a person has to mend, what passes by itself, and what is not an answer, also where the status is 200."""
    async with bench() as it:
        body = {"label": label, "message": "the venue says no"} if label else {"message": "the venue says no"}
        it.server.responses["/api/v4/spot/accounts"] = {"status": status, "text": json.dumps(body)}
        with pytest.raises(kind, match=f"main: spot wallet: .*{says}"):
            await it.reader.balances("spot")


WRITES = [
    ("create_order", ("ETH/USDT:USDT", "market", "sell", 1)),
    ("create_order", ("ETH/USDT", "limit", "sell", 1, 3000)),
    ("create_orders", ([{"symbol": "ETH/USDT:USDT", "type": "limit", "side": "buy", "amount": 1, "price": 3000}],)),
    ("cancel_order", ("1", "ETH/USDT:USDT")),
    ("cancel_all_orders", ("ETH/USDT:USDT",)),
    ("set_leverage", (5, "ETH/USDT:USDT")),
    ("set_position_mode", (False, "ETH/USDT:USDT")),
    ("transfer", ("USDT", 1, "spot", "swap")),
    ("borrow_isolated_margin", ("ETH/USDT", "USDT", 1)),
    ("upgrade_unified_trade_account", ({"mode": "portfolio"},)),
]


@pytest.mark.parametrize(("method", "arguments"), WRITES, ids=[name for name, _ in WRITES])
async def test_no_unified_writing_method_reaches_the_venue(method: str, arguments: tuple[object, ...]) -> None:
    """ccxt's own writing methods raise, and the server sees no request."""
    async with bench() as it:
        await it.market.instruments()
        it.paths()
        with pytest.raises(NotAllowed, match="nothing was sent"):
            await getattr(it.exchange, method)(*arguments)
        assert it.paths() == []


async def test_no_endpoint_that_is_not_listed_reaches_the_venue() -> None:
    """Every endpoint that ccxt knows of Gate and the dialect does not list raises, GET or not; nothing is sent."""
    async with bench() as it:
        await it.market.instruments()
        it.paths()
        tried = Counter(await _unlisted(it))
        assert it.paths() == []
    assert tried["get"] > 150
    assert tried["post"] > 50


def _parameters(path: str, filled: dict[str, str]) -> Any:
    return [filled, "1"] if path.endswith("batch_cancel_orders") else dict(filled)


async def _unlisted(it: Bench) -> list[str]:
    tried = []
    filled = {"settle": "usdt", "contract": "ETH_USDT", "order_id": "1"}
    for access, sections in it.exchange.api.items():
        for section, methods in sections.items():
            for method, paths in methods.items():
                for path in paths:
                    address = it.exchange.implode_params(f"/api/v4/{section}/{path}", filled)
                    known = section in it.exchange.urls["api"][access]  # else ccxt has no address for it
                    if known and (method.upper(), address) not in it.dialect.endpoints:
                        with pytest.raises(NotAllowed):
                            await it.exchange.request(
                                path, [access, section], method.upper(), _parameters(path, filled)
                            )
                        tried.append(method)
    return tried
