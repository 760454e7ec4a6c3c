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
from tests.venues.gate_bench import DATED, INVERSE, KEYS, PERPETUAL, WALLETS, bench
from tests.venues.gate_server import API_KEY
from tests.venues.opened import Bench

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
    "options/positions",  # hourly
    "spot/currency_pairs",
    "futures/usdt/contracts",
    "futures/btc/contracts",
    "delivery/usdt/contracts",
}


async def _read_everything(it: Bench) -> None:
    await asyncio.gather(
        *(it.reader.balances(wallet) for wallet in it.reader.wallets),
        it.reader.derivatives(),
        it.market.quotes([PERPETUAL, DATED]),
        it.market.prices(["ETH", "SOL", "USDC"], "USDT"),
    )


async def test_a_full_read_takes_the_fewest_requests() -> None:
    """Eighteen requests for the first full read of everything, twelve for each later one, none of them a write."""
    async with bench() as it:
        await _read_everything(it)
        assert Counter(it.paths()) == dict.fromkeys(COLD, 1)
        it.clock.advance(60)
        await _read_everything(it)
        assert Counter(it.paths()) == dict.fromkeys(WARM, 1)
        assert (len(COLD), len(WARM)) == (18, 12)
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
        listed["futures/btc"] = [quanto | {"quanto_multiplier": "1"}]
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
