"""Real ccxt over real TLS to a local Bitget: what is asked, what is read of it, and how the venue says no."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from hedged.adapters.exchanges.guard import NotAllowed
from hedged.errors import Refused, Unreachable, Unreadable
from hedged.model.instrument import ContractKind, InstrumentId, MarginTier
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Margin, Position
from tests.venues.bitget_bench import COIN_DATED, COIN_PERPETUAL, KEYS, PERPETUAL, WALLETS, bench, same
from tests.venues.bitget_venue import BitgetVenue, Held
from tests.venues.opened import Bench
from tests.venues.same import WITH_DEBT

D = Decimal
USDC = InstrumentId("main:ETH/USDC:USDC")
WARM = {
    "spot/account/assets": 1,
    "account/funding-assets": 1,
    "margin/crossed/account/assets": 1,
    "margin/isolated/account/assets": 1,
    "earn/account/assets": 1,
    "mix/account/accounts": 3,
    "mix/position/all-position": 3,
    "mix/market/tickers": 1,
    "mix/market/current-fund-rate": 1,
    "spot/market/tickers": 1,
}
COLD = {**WARM, "public/time": 1, "spot/public/symbols": 1, "mix/market/contracts": 3}


def positions(it: Bench, **change: object) -> None:
    """Have the first USDT position say something else; the other products hold none."""
    row = it.truth.position_rows("USDT-FUTURES")[0] | change
    it.truth.position_rows = lambda product: [row] if product == "USDT-FUTURES" else []


async def _read_everything(it: Bench) -> None:
    await asyncio.gather(
        *(it.reader.balances(wallet) for wallet in it.reader.wallets),
        it.reader.derivatives(),
        it.market.quotes([PERPETUAL]),
        it.market.prices(["ETH", "SOL", "USDC"], "USDT"),
    )


async def test_a_full_read_takes_the_fewest_requests() -> None:
    """Nineteen requests for the first full read of everything, fourteen for each later one, none of them a write."""
    async with bench() as it:
        await _read_everything(it)
        assert Counter(it.paths()) == COLD
        it.clock.advance(60)
        await _read_everything(it)
        assert Counter(it.paths()) == WARM
        assert (sum(COLD.values()), sum(WARM.values())) == (19, 14)
        assert it.server.writes == []


async def test_reads_each_wallet() -> None:
    """Every wallet by itself; cross and isolated margin together with debt and interest; futures without profit."""
    async with bench() as it:
        read = {wallet: (await it.reader.balances(wallet)).value for wallet in WALLETS}
    assert read["spot"] == (Balance("ETH", D(10), D("1.5")), Balance("USDT", D(10000)))
    assert read["funding"] == (Balance("ETH", D(2), D(1)),)
    assert read["margin"] == (Balance("SOL", D(1), D("0.5"), D("35.75")), Balance("ETH", D(1)))
    assert read["earn"] == (Balance("USDT", D(250)),)
    assert {coin.asset: round(coin.free, 9) for coin in read["swap"]} == {"USDT": 5000, "BTC": D("0.5"), "ETH": 2}


async def test_bonus_is_not_the_users() -> None:
    """What the venue has lent to trade with is neither in the wallet nor in the equity."""
    async with bench() as it:
        it.truth.coupon, it.truth.positions = D(100), {}
        assert (await it.reader.balances("swap")).value[0] == Balance("USDT", D(5000))
        assert (await it.reader.derivatives()).value.margin == Margin(D(5000), D(0), D(5000))


async def test_an_empty_account_is_empty() -> None:
    """A well-formed reply without coins or positions means that there are none, and needs no margin."""
    async with bench(truth=BitgetVenue()) as it:
        for wallet in WALLETS:
            assert (await it.reader.balances(wallet)).value == ()
        assert (await it.reader.derivatives()).value.margin == Margin(D(0), D(0), D(0))


async def test_positions_are_signed_coins_whatever_backs_them() -> None:
    """A short is negative; profit told in coins is turned into dollars; −1 for a liquidation price is none."""
    async with bench() as it:
        read = await it.reader.derivatives()
        instruments = await it.market.instruments()
    linear, coin, dated = read.value.positions
    assert linear == Position(PERPETUAL, D(-2), D(3100), D(6000), D(200), D(30))
    assert (coin.instrument, coin.contracts, coin.maintenance_margin, coin.trusted) == (
        COIN_PERPETUAL,
        D("-0.1"),
        30,
        True,
    )
    assert coin.unrealised_pnl is not None
    assert round(coin.unrealised_pnl, 9) == -1000  # a tenth of a bitcoin sold at 50,000
    assert (dated.instrument, dated.contracts, dated.liquidation_price) == (COIN_DATED, D("0.5"), None)
    assert instruments[COIN_PERPETUAL].base_quantity(coin.contracts, D(60000)) == D("-0.1")
    assert instruments[COIN_PERPETUAL].notional(coin.contracts, D(60000)) == -6000
    assert read.value.margin == Margin(D(5200), D(30), D(4900))


async def test_the_tightest_pool_is_the_margin() -> None:
    """Each coin of each product is liquidated by itself; one with a loss close to its end is what is told."""
    async with bench() as it:
        it.truth.futures["COIN-FUTURES", "BTC"] = D("0.02")
        margin = (await it.reader.derivatives()).value.margin
    assert margin is not None
    assert (round(margin.equity, 6), margin.maintenance) == (200, 30)  # 0.02 bitcoins less 1,000 dollars


async def test_an_isolated_position_is_a_pool_of_its_own() -> None:
    """Its margin and profit back it and nothing else; the rest of the account is without it."""
    async with bench() as it:
        it.truth.positions = {"ETHUSDT": Held(D(-2), D(3100), isolated=D(500)), "BTCUSDT": Held(D("0.01"), D(60000))}
        margin = (await it.reader.derivatives()).value.margin
        it.truth.positions["ETHUSDT"].isolated = D(4900)  # nearly all there is: little is left for the other
        rest = (await it.reader.derivatives()).value.margin
    assert margin == Margin(D(700), D(30))
    assert rest == Margin(D(100), D(3), D(70))


async def test_the_venues_risk_rate_counts_where_it_asks_for_more() -> None:
    """The position's rate leaves out what a liquidation costs; the account's risk rate has it."""
    async with bench() as it:
        rows = it.truth.accounts("USDT-FUTURES")
        rows[0]["crossedRiskRate"] = "0.01"
        it.truth.accounts = lambda product: rows if product == "USDT-FUTURES" else []
        positions(it)
        margin = (await it.reader.derivatives()).value.margin
        positions(it, keepMarginRate="")
        rows[0]["crossedRiskRate"] = ""
        unknown = (await it.reader.derivatives()).value.margin
    assert margin == Margin(D(5200), D(52), D(4900))
    assert unknown == Margin(D(5200), None)


@pytest.mark.parametrize(
    ("change", "trusted"),
    [
        ({}, True),
        ({"total": "2000"}, False),  # by the profit and by the margin
        ({"total": "2000", "unrealizedPL": ""}, False),
        ({"total": "2000", "marginSize": ""}, False),
        ({"unrealizedPL": "-200"}, False),
        ({"holdSide": "long"}, False),
        ({"unrealizedPL": "203"}, True),
        ({"openPriceAvg": "3000.1", "unrealizedPL": "-7"}, True),  # too near to say anything
        ({"leverage": "50", "marginMode": "isolated"}, True),  # its margin is the user's to change
        ({"leverage": "50"}, False),
    ],
)
async def test_a_position_that_the_venues_figures_contradict_is_not_trusted(
    change: dict[str, str], trusted: bool
) -> None:
    """Contracts × (mark − entry) must be the profit, and contracts × price the margin × leverage, within 2 %."""
    async with bench() as it:
        positions(it, **change)
        (position,) = (await it.reader.derivatives()).value.positions
    assert position.trusted is trusted


async def test_another_margin_coin_is_converted_as_the_venue_does() -> None:
    """A bitcoin contract backed by ether: its profit is in ether, worth what the account's own conversion says."""
    async with bench() as it:
        it.truth.positions = {"BTCUSD": Held(D("-0.1"), D(50000), "ETH")}
        read = (await it.reader.derivatives()).value
    (position,) = read.positions
    assert position.unrealised_pnl is not None
    assert (round(position.unrealised_pnl, 6), position.trusted) == (-1000, True)
    assert read.margin is not None
    assert (round(read.margin.equity, 6), read.margin.maintenance) == (5000, 30)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"posMode": "hedge_mode"}, "hedge mode.* One-way mode"),
        ({"assetMode": "union"}, "multi-assets mode.* Single-asset mode"),
    ],
)
async def test_modes_that_cannot_be_read_are_refused(change: dict[str, str], says: str) -> None:
    """With the way out in the venue's own words."""
    async with bench() as it:
        positions(it, **change)
        with pytest.raises(Refused, match=f"main: futures positions: .*{says}"):
            await it.reader.derivatives()


async def test_multi_assets_mode_is_refused_without_positions_too() -> None:
    """Its margin coins would be missing from the wallet."""
    async with bench() as it:
        it.truth.asset_mode = "union"
        with pytest.raises(Refused, match="multi-assets mode"):
            await it.reader.balances("swap")


async def test_two_positions_in_one_contract_are_refused() -> None:
    """Coin-margined contracts can be held with two margin coins at once: that is not one position."""
    async with bench() as it:
        rows = it.truth.position_rows("COIN-FUTURES")[:1] * 2
        it.truth.position_rows = lambda product: rows if product == "COIN-FUTURES" else []
        with pytest.raises(Refused, match="several positions in BTCUSD"):
            await it.reader.derivatives()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"symbol": "GONEUSDT"}, "GONEUSDT, which the venue does not list"),
        ({"holdSide": "net"}, "neither long nor short"),
        ({"markPrice": "0"}, "markPrice is not above zero"),
        ({"marginCoin": "EUR"}, "the EUR account that backs a position is missing"),
    ],
)
async def test_a_position_that_is_not_understood_fails_the_read(change: dict[str, str], says: str) -> None:
    """An unlisted contract has no known size; nothing is guessed and nothing is left out."""
    async with bench() as it:
        positions(it, **change)
        with pytest.raises(Unreadable, match=says):
            await it.reader.derivatives()


async def test_a_missing_product_is_a_failed_read() -> None:
    """Positions of all three products or none at all."""
    async with bench() as it:
        it.truth.position_rows = lambda product: None if product == "COIN-FUTURES" else []
        with pytest.raises(Unreadable, match="futures positions"):
            await it.reader.derivatives()


async def test_contracts_with_their_rules() -> None:
    """Steps, minimums, expiry and state are the venue's own; every contract is one coin; none is simulated."""
    async with bench() as it:
        it.truth.off_time["SOLUSDT"] = "1798185600000"
        it.truth.status["BTCUSDT"] = "maintain"
        found = await it.market.instruments()
    assert len(found) == 7
    assert {(each.linear, each.multiplier) for each in found.values()} == {(True, 1)}
    bitcoin, dated = found[COIN_PERPETUAL], found[COIN_DATED]
    assert (bitcoin.tick_size, bitcoin.lot_size, bitcoin.quantity_min) == (D("0.5"), D("0.0001"), D("0.0001"))
    assert (bitcoin.settle, bitcoin.notional_min, bitcoin.trading) == ("BTC", 5, True)
    assert (dated.kind, dated.expiry) == (ContractKind.FUTURE, datetime(2026, 12, 25, 8, tzinfo=UTC))
    solana = found[InstrumentId("main:SOL/USDT:USDT")]
    assert (solana.delisting, found[PERPETUAL].delisting) == (datetime(2026, 12, 25, 8, tzinfo=UTC), None)
    assert not found[InstrumentId("main:BTC/USDT:USDT")].trading


async def test_quotes_of_every_product() -> None:
    """Mark, book, index and funding of the venue's own time; a dated contract has no funding."""
    async with bench() as it:
        it.truth.now = lambda: 1793620799000
        quotes = await it.market.quotes([PERPETUAL, USDC, COIN_PERPETUAL, COIN_DATED])
        asked = Counter(it.paths())
    quote = quotes[PERPETUAL].value
    assert (quote.mark, quote.bid, quote.ask, quote.index) == (3000, D("2999.7"), D("3000.3"), 3000)
    assert (quote.funding_rate, quote.funding_interval_hours) == (D("0.0001"), 8)
    assert quote.funding_next == datetime(2026, 11, 2, 16, tzinfo=UTC)
    assert quotes[PERPETUAL].as_of == datetime(2026, 11, 2, 11, 59, 59, tzinfo=UTC)
    dated = quotes[COIN_DATED].value
    assert (dated.funding_rate, dated.funding_interval_hours, dated.funding_next) == (None, None, None)
    assert (asked["mix/market/tickers"], asked["mix/market/current-fund-rate"]) == (3, 3)


async def test_a_crossed_or_empty_book_is_no_book() -> None:
    """A bid above the ask is torn data; a blank is the venue's way to say that nobody bids; a time of 0 is not one."""
    async with bench() as it:
        rows = it.truth.tickers("USDT-FUTURES")
        rows[0]["bidPr"], rows[1]["bidPr"], rows[1]["ts"] = "", "3100", "0"
        it.truth.tickers = lambda _: rows
        quotes = await it.market.quotes([PERPETUAL, InstrumentId("main:BTC/USDT:USDT")])
    bitcoin = quotes[InstrumentId("main:BTC/USDT:USDT")].value
    assert (quotes[PERPETUAL].value.bid, quotes[PERPETUAL].value.ask) == (None, None)
    assert (bitcoin.bid, bitcoin.ask) == (None, D("60006"))
    assert quotes[PERPETUAL].as_of == it.clock.now()


async def test_prices_only_what_trades_against_the_quote() -> None:
    """An asset is priced by its trading spot market; halted and priceless ones are absent."""
    async with bench() as it:
        it.truth.status["spot SOLUSDT"] = "halt"
        it.truth.prices["BTC"] = D(0)
        prices = await it.market.prices(["ETH", "BTC", "USDC", "SOL", "NONE", "USDT"], "USDT")
    assert {asset: read.value for asset, read in prices.items()} == {"ETH": 3000, "USDC": D("0.9998"), "USDT": 1}


async def test_tiers_are_the_venues() -> None:
    """Floors in the quote currency with the rate of each, one request a contract."""
    async with bench() as it:
        tiers = await it.tiers()
        assert it.paths().count("mix/market/query-position-lever") == 7
    assert tiers[PERPETUAL] == (  # type: ignore[index]
        MarginTier(D(0), D("0.005"), D(100)),
        MarginTier(D(600_000), D("0.01"), D(50)),
        MarginTier(D(1_600_000), D("0.025"), D(20)),
    )


@pytest.mark.parametrize(
    ("authorities", "ips", "expected"),
    [
        (["coor", "cpor", "stor"], "", Permissions(read=True, trade=False, withdraw=False, bound_to_address=False)),
        (["coow", "cpow", "wwow"], "1.2.3.4", Permissions(read=True, trade=True, withdraw=True, bound_to_address=True)),
        (["readonly"], "", Permissions(read=True, trade=False, withdraw=False, bound_to_address=False)),
        (["stow", "wtow"], "", Permissions(read=False, trade=False, withdraw=False, bound_to_address=False)),
    ],
)
async def test_tells_what_the_key_may_do(authorities: list[str], ips: str, expected: Permissions) -> None:
    """Reading futures, trading them, withdrawing, and whether only some addresses may use the key."""
    async with bench() as it:
        it.truth.authorities, it.truth.ips = authorities, ips
        assert await it.permissions() == expected


async def test_the_same_portfolio_as_at_other_venues() -> None:
    """Debt with interest in the margin wallet, a short in coins, equity and maintenance to the last digit."""
    async with same(WITH_DEBT) as it:
        assert (await it.reader.balances("margin")).value == (Balance("SOL", D(0), D(0), D("30.25")),)
        read = (await it.reader.derivatives()).value
    assert read.positions[0].contracts == D("-10.5")
    assert read.margin is not None
    assert (read.margin.equity, read.margin.maintenance) == (D("9039.5"), D("157.5525"))


async def test_public_data_needs_no_key() -> None:
    """Without credentials there is a market reader, no account reader, and no signed call."""
    async with bench(credentials=None) as it:
        assert it.opened.reader is None
        assert (await it.market.prices(["ETH"], "USDT"))["ETH"].value == 3000
        assert (await it.market.quotes([PERPETUAL]))[PERPETUAL].value.mark == 3000
        assert not [path for path in it.paths() if "account" in path]


async def test_the_sandbox_is_the_venues_demo_system() -> None:
    """With `sandbox` requests carry the demo header; a key of the other system is refused with the reason."""
    async with bench(sandbox=True) as it:
        it.server.demo_key = True
        assert (await it.reader.balances("spot")).value
        it.server.demo_key = False
        with pytest.raises(Refused, match="demo keys need sandbox"):
            await it.reader.balances("spot")


async def test_signs_with_the_venues_time() -> None:
    """A clock that is wrong from the start, or jumps later, is made up for without losing a read."""
    async with bench() as it:
        it.truth.now = lambda: int((it.clock.now() + timedelta(hours=1)).timestamp() * 1000)
        await it.reader.derivatives()
        it.truth.now = lambda: int((it.clock.now() - timedelta(days=30)).timestamp() * 1000)
        it.paths()
        await it.reader.derivatives()
        asked = Counter(it.paths())
        assert (asked["public/time"], asked["mix/position/all-position"]) == (1, 6)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"apiKey": "unknown-key"}, "the key does not exist"),
        ({"secret": "wrong"}, "the secret does not belong to this key"),
        ({"password": "wrong"}, "the password is not this key's passphrase"),
    ],
)
async def test_a_wrong_key_is_refused(change: dict[str, str], says: str) -> None:
    """The venue's refusal becomes one, with what to do about it; it is no outage."""
    async with bench(credentials=KEYS | change) as it:
        for read in (*map(it.reader.balances, WALLETS), it.reader.derivatives(), it.permissions()):
            with pytest.raises(Refused, match=says):
                await read


async def test_a_unified_account_is_refused() -> None:
    """Its endpoints are others: every read says so, and what to do."""
    async with bench() as it:
        it.server.unified = True
        for read in (*map(it.reader.balances, WALLETS), it.reader.derivatives(), it.permissions()):
            with pytest.raises(Refused, match="unified trading account, which cannot be read yet: use the key of"):
                await read


@pytest.mark.parametrize(
    ("status", "code", "kind", "says"),
    [
        (400, "40018", Refused, "bound to another address"),
        (400, "40014", Refused, "allow reading for it"),
        (200, "40014", Refused, "allow reading for it"),
        (400, "40010", Unreachable, "40010"),
        (400, "45001", Unreachable, "45001"),
        (200, "40725", Unreachable, "40725"),
        (429, "429", Unreachable, "asked to slow down"),
        (200, "429", Unreachable, "429"),
        (200, "40034", Unreadable, "40034"),
        (200, "99999", Unreadable, "99999"),
        (200, None, Unreadable, "HTTP 200"),
    ],
)
async def test_each_way_to_say_no_is_told_apart(
    status: int, code: str | None, kind: type[Exception], says: str
) -> None:
    """What a person has to mend, what passes by itself, and what is not an answer, also where the status is 200."""
    async with bench() as it:
        body = {"code": code, "msg": "the venue says no", "data": []}
        it.server.responses["/api/v2/spot/account/assets"] = {"status": status, "text": json.dumps(body)}
        with pytest.raises(kind, match=f"main: spot wallet: .*{says}"):
            await it.reader.balances("spot")


async def test_a_code_that_limits_leaves_the_host_alone() -> None:
    """After the venue's own word for 'too many' nothing is sent for a minute."""
    async with bench() as it:
        body = {"code": "429", "msg": "Too Many Requests", "data": None}
        it.server.responses["/api/v2/spot/account/assets"] = {"status": 200, "text": json.dumps(body)}
        with pytest.raises(Unreachable):
            await it.reader.balances("spot")
        it.paths()
        with pytest.raises(Unreachable, match="asking again in 60 s"):
            await it.reader.balances("earn")
        assert it.paths() == []


WRITES = [
    ("create_order", ("ETH/USDT:USDT", "market", "sell", 1)),
    ("create_order", ("ETH/USDT", "limit", "sell", 1, 3000)),
    ("create_orders", ([{"symbol": "ETH/USDT:USDT", "type": "market", "side": "buy", "amount": 1}],)),
    ("cancel_order", ("1", "ETH/USDT:USDT")),
    ("close_position", ("ETH/USDT:USDT",)),
    ("set_leverage", (5, "ETH/USDT:USDT")),
    ("set_position_mode", (False, "ETH/USDT:USDT")),
    ("transfer", ("USDT", 1, "spot", "swap")),
    ("borrow_cross_margin", ("USDT", 1)),
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
    """Every endpoint that ccxt knows of Bitget and the dialect does not list raises, GET or not; nothing is sent."""
    async with bench() as it:
        await it.reader.balances("spot")
        it.paths()
        tried = Counter(await _unlisted(it))
        assert it.paths() == []
    assert tried["get"] > 200
    assert tried["post"] > 100


async def _unlisted(it: Bench) -> list[str]:
    tried = []
    for access, sections in it.exchange.api.items():
        for section, methods in sections.items():
            for method, paths in methods.items():
                for path in paths:
                    if (method.upper(), f"/api/{path}") not in it.dialect.endpoints:
                        with pytest.raises(NotAllowed):
                            await it.exchange.request(path, [access, section], method.upper(), {"symbol": "ETHUSDT"})
                        tried.append(method)
    return tried
