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
from tests.venues.bitget_bench import COIN_DATED, COIN_PERPETUAL, KEYS, PERPETUAL, WALLETS, bench
from tests.venues.opened import Bench

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


async def test_contracts_with_their_rules() -> None:
    """Steps, minimums, expiry and state are the venue's own; every contract is one coin; none is simulated."""
    async with bench() as it:
        it.truth.off_time["SOLUSDT"] = "1798185600000"
        it.truth.status["BTCUSDT"] = "maintain"
        found = await it.market.instruments()
    assert len(found) == 8
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
        assert it.paths().count("mix/market/query-position-lever") == 8
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
            with pytest.raises(Refused, match='unified trading account: in `wallets` take "uta"'):
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
