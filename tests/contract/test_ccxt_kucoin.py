"""Real ccxt over real TLS to a local KuCoin: every account's coins, futures in the right units, and who says no."""

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
from hedged.errors import ConfigurationError, Refused, Unreachable, Unreadable, VenueError
from hedged.model.instrument import ContractKind, InstrumentId, MarginTier
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Doubt, Margin, Position, Quote
from tests.support import T0
from tests.venues.bench import Bench
from tests.venues.kucoin_bench import IN_USDC, INVERSE, INVERSE_DATED, KEYS, PERPETUAL, WALLETS, bench

D = Decimal
NOW = 1793620800000  # T0 in the venue's milliseconds
SINCE = T0 - timedelta(minutes=1)
ISOLATED = InstrumentId("main:BTC/USDT:USDT")
WARM = [  # four wallets, positions, quotes and spot prices
    *("ua/v1/account/mode", "v1/accounts", "v3/margin/accounts", "v3/isolated/accounts"),
    *["v1/account-overview"] * 3,
    *("v1/positions", "v1/contracts/active", "v1/allTickers", "v1/market/allTickers"),
]
COLD = ["v2/symbols", "v1/contracts/active", "v1/timestamp", *WARM]


def paths(it: Bench[Any]) -> list[str]:
    return [path.removeprefix("/api/") for path in it.paths()]


async def positions(it: Bench[Any]) -> dict[InstrumentId, Position]:
    return {position.instrument: position for position in (await it.reader.derivatives()).value.positions}


async def coins(it: Bench[Any], wallet: str) -> dict[str, Balance]:
    return {balance.asset: balance for balance in (await it.reader.balances(wallet)).value}


async def test_each_wallet_has_its_coins_and_none_has_anothers() -> None:
    """Both trading accounts together, both kinds of margin with their debts, collateral without open profit."""
    async with bench() as it:
        assert await coins(it, "funding") == {"ETH": Balance("ETH", D(2))}
        assert await coins(it, "spot") == {
            "ETH": Balance("ETH", D("10.0"), locked=D("1.5")),
            "BTC": Balance("BTC", D("0.25")),
        }
        assert await coins(it, "margin") == {
            "SOL": Balance("SOL", D(3), debt=D("30.25")),
            "USDT": Balance("USDT", D(6000)),
            "ETH": Balance("ETH", D(1), debt=D("0.25")),
        }
        assert await coins(it, "swap") == {
            "USDT": Balance("USDT", D(10000)),
            "USDC": Balance("USDC", D(500)),
            "BTC": Balance("BTC", D("0.5")),
        }


async def test_an_account_of_an_unknown_kind_is_not_left_out() -> None:
    """It might be money: the read fails; an empty one does not matter."""
    async with bench() as it:
        it.truth.accounts["vault", "ETH"] = (D(0), D(0))
        assert await coins(it, "funding")
        it.truth.accounts["vault", "ETH"] = (D(1), D(0))
        with pytest.raises(Unreadable, match="ETH in a vault account, which is not read: move or redeem it"):
            await it.reader.balances("funding")


async def test_futures_in_the_right_units() -> None:
    """Contracts times the multiplier are coins or, inverse, dollars; profit and maintenance in the quote currency."""
    async with bench() as it:
        held, listed = await positions(it), await it.market.instruments()
    short, inverse = held[PERPETUAL], held[INVERSE]
    assert delta_of(listed[PERPETUAL], short) == -2
    assert (short.contracts, short.entry_price, short.unrealised_pnl) == (D(-200), D(3100), D(200))
    assert (short.maintenance_margin, short.liquidation_price) == (D(30), None)
    assert delta_of(listed[IN_USDC], held[IN_USDC]) == D("0.05")
    assert listed[INVERSE].notional(inverse.contracts, D(1)) == -6000
    assert delta_of(listed[INVERSE], inverse) == D(-6000) / 50000
    assert inverse.unrealised_pnl == pytest.approx(D(-6000) * (60000 / D(50000) - 1))
    assert held[ISOLATED].liquidation_price == 30000
    assert all(position.trusted for position in held.values())


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"positionSide": "LONG"}, Refused, "hedge mode.*One-Way Mode"),
        ({"symbol": "GONEUSDTM"}, Unreadable, "GONEUSDTM, which the venue does not list"),
        ({"markPrice": 0}, Unreadable, "markPrice"),
        ({"crossMode": None}, Unreadable, "crossMode"),
        ({"settleCurrency": "DOT"}, Unreadable, "no futures account of DOT"),
    ],
)
async def test_a_position_that_is_not_understood_is_no_position(
    change: dict[str, Any], kind: type[VenueError], says: str
) -> None:
    """Nothing about a position is guessed: the read fails and says what it stumbled over."""
    async with bench() as it:
        row = it.truth.position_rows()[0] | change
        it.server.replies["/api/v1/positions"] = json.dumps({"code": "200000", "data": [row]})
        with pytest.raises(kind, match=says):
            await it.reader.derivatives()


async def test_a_size_that_the_venue_contradicts_is_not_trusted() -> None:
    """The venue's value has to be what contracts, multiplier and mark make."""
    async with bench() as it:
        rows = it.truth.position_rows()
        rows[0]["markValue"] *= 10
        it.server.replies["/api/v1/positions"] = json.dumps({"code": "200000", "data": rows})
        held = await positions(it)
    assert not held[PERPETUAL].trusted
    assert held[INVERSE].trusted


async def test_margin_is_that_of_the_pool_nearest_to_liquidation() -> None:
    """An isolated position by itself, cross positions by currency without what is set apart; else unknown, or none."""
    async with bench() as it:
        assert (await it.reader.derivatives()).value.margin == Margin(D(320), D(6))
        it.truth.cash["USDT"] = D(700)
        told = (await it.reader.derivatives()).value
        assert told.margin == Margin(D(920 - 320), D(30), D(350))
        assert told.equities.keys() == {"USDT", "USDC", "BTC"}
        assert told.equities["USDT"] == 600
        it.truth.cash["XBT"] = D("0.0205")
        margin = (await it.reader.derivatives()).value.margin
        assert margin is not None
        assert margin.maintenance == 30
        assert margin.equity == pytest.approx(D(30))
        rows = it.truth.position_rows()
        del rows[0]["posMaint"]
        it.server.replies["/api/v1/positions"] = json.dumps({"code": "200000", "data": rows})
        unknown = (await it.reader.derivatives()).value.margin
        assert unknown is not None
        assert unknown.maintenance is None
        it.server.replies["/api/v1/positions"] = '{"code": "200000", "data": []}'
        assert (await it.reader.derivatives()).value.margin is None


async def test_a_unified_account_is_refused() -> None:
    """Its coins lie where a classic account's reads do not look: it is not read as empty."""
    async with bench() as it:
        it.truth.mode = "UNIFIED"
        for read in (*map(it.reader.balances, WALLETS), it.reader.derivatives()):
            with pytest.raises(Refused, match="unified trading account"):
                await read


async def test_contracts_as_the_venue_lists_them() -> None:
    """Whole contracts, their multiplier, expiry and kind; one whose sign and kind disagree is left out."""
    async with bench() as it:
        listed = await it.market.instruments()
        assert {name: listed[name].multiplier for name in (PERPETUAL, INVERSE)} == {PERPETUAL: D("0.01"), INVERSE: D(1)}
        dated = listed[INVERSE_DATED]
        assert (dated.kind, dated.expiry) == (ContractKind.FUTURE, datetime(2026, 12, 25, 8, tzinfo=UTC))
        assert (dated.linear, dated.settle, dated.lot_size) == (False, "BTC", D(1))
        assert (listed[PERPETUAL].expiry, listed[PERPETUAL].trading) == (None, True)
        rows = it.truth.contracts()
        rows[0] |= {"status": "Paused", "expireDate": 1798185600000}
        rows[1] |= {"multiplier": -0.01}
        it.server.replies["/api/v1/contracts/active"] = json.dumps({"code": "200000", "data": rows})
        it.opened._line._markets = None
        listed = await it.market.instruments()
    assert (listed[ISOLATED].trading, listed[ISOLATED].delisting) == (False, datetime(2026, 12, 25, 8, tzinfo=UTC))
    assert PERPETUAL not in listed
    assert len(listed) == 4


async def test_quotes_and_prices_are_the_venues_own() -> None:
    """Mark, book, index and funding in two requests; spot prices in one, of the venue's time."""
    async with bench() as it:
        await it.market.instruments()
        it.paths()
        quotes = await it.market.quotes([PERPETUAL, INVERSE_DATED])
        assert sorted(paths(it)) == ["v1/allTickers", "v1/contracts/active"]
        prices = await it.market.prices(["ETH", "DOGE"], "USDT")
    later = datetime(2026, 11, 2, 16, tzinfo=UTC)
    expected = Quote(D(3000), D("2999.7"), D("3000.3"), D(2999), D("0.000535"), D(8), later)
    assert quotes[PERPETUAL].value == expected
    assert quotes[INVERSE_DATED].value == Quote(D(60000), D(59994), D(60006), D(59999))
    assert {asset: price.value for asset, price in prices.items()} == {"ETH": 3000}
    assert prices["ETH"].as_of < T0


async def test_an_empty_or_crossed_book_has_no_prices() -> None:
    """The mark stands by itself."""
    async with bench() as it:
        rows = it.truth.tickers()
        rows[1] |= {"bestBidPrice": "3100"}
        rows[3] |= {"bestBidPrice": None}
        it.server.replies["/api/v1/allTickers"] = json.dumps({"code": "200000", "data": rows})
        quotes = await it.market.quotes([PERPETUAL, INVERSE])
    assert (quotes[PERPETUAL].value.bid, quotes[PERPETUAL].value.ask) == (None, None)
    assert (quotes[INVERSE].value.bid, quotes[INVERSE].value.ask) == (None, D(60006))


async def test_tiers_are_the_venues_risk_limits() -> None:
    """Ascending from nothing, of linear contracts only."""
    async with bench() as it:
        markets = await it.opened._line.markets()
        tiers = await it.dialect.tiers(it.connection, markets.contracts)
    assert set(tiers) == {PERPETUAL, IN_USDC, ISOLATED}
    assert tiers[PERPETUAL][:2] == (
        MarginTier(D(0), D("0.005"), D(100)),
        MarginTier(D(100_000), D("0.01"), D(75)),
    )


async def test_a_full_read_takes_the_fewest_requests() -> None:
    """Fourteen requests for the first full read, eleven for each later one."""

    async def read_everything() -> None:
        await asyncio.gather(
            *map(it.reader.balances, WALLETS),
            it.reader.derivatives(),
            it.market.quotes([PERPETUAL, INVERSE]),
            it.market.prices(["ETH", "SOL"], "USDT"),
        )

    async with bench() as it:
        await read_everything()
        assert sorted(paths(it)) == sorted(COLD)
        it.clock.advance(60)
        await read_everything()
        assert sorted(paths(it)) == sorted(WARM)
        assert (len(COLD), len(WARM)) == (14, 11)
        assert it.server.writes == []


@pytest.mark.parametrize(
    ("permission", "addresses", "expected"),
    [
        ("General", "", Permissions(read=True, trade=False, withdraw=False, bound_to_address=False)),
        ("General, Spot,Futures,InnerTransfer", "1.2.3.4", Permissions(True, True, False, True)),
        ("General,Spot,Margin", "", Permissions(True, False, False, False)),
        ("General,Transfer", "", Permissions(True, False, True, False)),
    ],
)
async def test_tells_what_the_key_may_do(permission: str, addresses: str, expected: Permissions) -> None:
    """Reading, trading futures, withdrawing (not moving between one's own accounts), and bound addresses."""
    async with bench() as it:
        it.truth.permission, it.truth.ip_whitelist = permission, addresses
        assert await it.opened.permissions() == expected


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"apiKey": "unknown"}, "the venue does not know this key"),
        ({"secret": "wrong"}, "the secret does not belong to this key"),
        ({"password": "wrong"}, "the password is not this key's passphrase"),
    ],
)
async def test_a_wrong_key_is_refused(change: dict[str, str], says: str) -> None:
    """The venue's refusal becomes one, with what to do about it; it is no outage."""
    async with bench(credentials=KEYS | change) as it:
        for read in (*map(it.reader.balances, WALLETS), it.reader.derivatives()):
            with pytest.raises(Refused, match=says):
                await read


@pytest.mark.parametrize(
    ("status", "code", "kind", "says"),
    [
        (400, "400007", Refused, "allow General"),
        (200, "400006", Refused, "bound to another address"),
        (429, "429000", Unreachable, "slow down"),
        (500, "500000", Unreachable, "500000"),
        (200, "400100", Refused, "400100"),
        (200, "999999", Unreadable, "999999"),
        (200, None, Unreadable, "HTTP 200"),
    ],
)
async def test_each_way_to_say_no_is_told_apart(
    status: int, code: str | None, kind: type[VenueError], says: str
) -> None:
    """What a person has to mend, what passes by itself, and what is not an answer, also where the status is 200."""
    async with bench() as it:
        body = json.dumps({"code": code, "msg": "the venue says no", "data": []})
        it.server.responses["/api/v1/accounts"] = {"status": status, "text": body}
        with pytest.raises(kind, match=says):
            await it.reader.balances("spot")


async def test_signs_with_the_venues_time_and_has_no_sandbox() -> None:
    """A clock that is wrong, or jumps, is made up for; a sandbox is a configuration error that says what to do."""
    async with bench() as it:
        it.truth.now = lambda: NOW + 3_600_000
        await it.reader.balances("spot")
        it.truth.now = lambda: NOW - 3_600_000
        assert await it.reader.balances("spot")
        with pytest.raises(ConfigurationError, match="no test system"):
            it.dialect.use_sandbox(it.exchange)


def fill(side: str, size: int, symbol: str = "ETHUSDTM", **more: Any) -> dict[str, Any]:
    return {"symbol": symbol, "side": side, "size": size, "tradeType": "trade", "createdAt": NOW, **more}


def entry(direction: str, amount: str, account: str, currency: str = "ETH") -> dict[str, Any]:
    row = {"direction": direction, "amount": amount, "accountType": account, "currency": currency}
    return {**row, "bizType": "WITHDRAW", "createdAt": NOW}


@pytest.mark.parametrize(
    ("fills", "says"),
    [
        ([fill("buy", 150), fill("buy", 50)], "2 fills since 2026-11-02 11:59 UTC, +200 contracts in all"),
        (
            [fill("buy", 200, tradeType="liquid")],
            "1 fills since 2026-11-02 11:59 UTC, +200 contracts in all (liquid)",
        ),
        ([fill("sell", 200)], None),
        ([fill("buy", 200, symbol="XBTUSDTM")], None),
        ([fill("buy", 200, createdAt=NOW - 61_000)], None),
        ([], None),
    ],
)
async def test_fills_explain_a_position_if_they_add_up(fills: list[dict[str, Any]], says: str | None) -> None:
    """A closed short is explained by purchases of its size since the last read, and by nothing else."""
    async with bench() as it:
        it.truth.fills = fills
        doubt = Doubt(PERPETUAL, "main", "ETH", PERPETUAL, D(-200), D(0), polls=1)
        assert await it.reader.explain(doubt, SINCE) == says
        page = {"totalNum": len(fills) + 1, "items": fills}
        it.server.replies["/api/v1/fills"] = json.dumps({"code": "200000", "data": page})
        if says is not None:
            assert await it.reader.explain(doubt, SINCE) is None, "a page that is not the last may lack some"


@pytest.mark.parametrize(
    ("wallet", "rows", "trading", "futures", "says"),
    [
        ("funding", [entry("out", "90", "MAIN")], [], [], "withdraw -90 ETH"),
        ("funding", [entry("in", "90", "MAIN")], [], [], None),
        ("funding", [entry("out", "90", "TRADE")], [], [], None),
        ("spot", [entry("out", "50", "TRADE")], [entry("out", "40", "TRADE_HF")], [], "withdraw -90 ETH"),
        ("spot", [], [entry("out", "90", "TRADE_HF")] * 200, [], None),
        ("margin", [entry("out", "90", "CROSS")], [], [], "withdraw -90 ETH"),
        ("swap", [], [], [{"type": "TransferOut", "amount": 90}], "TransferOut -90 ETH"),
        ("swap", [], [], [{"type": "RealisedPNL", "amount": -90.0}], "RealisedPNL -90.0 ETH"),
        ("swap", [], [], [{"type": "Deposit", "amount": 90}], None),
    ],
)
async def test_ledgers_explain_a_balance(
    wallet: str, rows: list[Any], trading: list[Any], futures: list[dict[str, Any]], says: str | None
) -> None:
    """What went out of this account, and nothing that came in or was another's."""
    async with bench() as it:
        await it.market.instruments()
        it.truth.ledger, it.truth.trading_ledger = rows, trading
        it.truth.futures_ledger = [{"currency": "ETH", "createdAt": NOW, **row} for row in futures]
        doubt = Doubt(f"main/{wallet}/ETH", "main", "ETH", None, D(100), D(10), polls=1)
        found = await it.reader.explain(doubt, SINCE)
    assert (found is None) is (says is None), found
    assert (found or "").endswith(says or "")


SYMBOL = "ETH/USDT:USDT"
WRITING: list[tuple[str, tuple[Any, ...]]] = [
    ("create_order", (SYMBOL, "market", "sell", 1)),
    ("create_order", ("ETH/USDT", "limit", "buy", 1, 3000)),
    ("cancel_order", ("1", SYMBOL)),
    ("transfer", ("USDT", 1, "spot", "swap")),
    ("borrow_cross_margin", ("USDT", 1)),
    ("set_leverage", (5, SYMBOL, {"marginMode": "cross"})),
    ("withdraw", ("ETH", 1, "0x" + "1" * 40, {"network": "ERC20"})),
]


@pytest.mark.parametrize(("method", "arguments"), WRITING, ids=lambda value: value if isinstance(value, str) else "")
async def test_no_writing_method_reaches_the_venue(method: str, arguments: tuple[Any, ...]) -> None:
    """ccxt's own writing methods raise, and the server sees no request."""
    async with bench() as it:
        await it.reader.derivatives()
        it.paths()
        with pytest.raises(NotAllowed, match="nothing was sent"):
            await getattr(it.exchange, method)(*arguments)
        assert it.paths() == []


async def test_no_endpoint_that_is_not_listed_reaches_the_venue() -> None:
    """Every endpoint that ccxt knows of the venue and the dialect does not list raises, GET or not; nothing is sent."""
    async with bench() as it:
        await it.reader.derivatives()
        it.paths()
        tried = 0
        for method, path, section in _endpoints(it.exchange.api):
            sent = it.exchange.sign(path, [section, "private"], method, _named(path))["url"]
            listed = it.dialect.endpoints
            if (method, "/" + sent.partition("?")[0].split("/", 3)[3]) in listed or "risk-limit/" in path:
                continue
            with pytest.raises(NotAllowed):
                await it.exchange.request(path, [section, "private"], method, _named(path))
            tried += 1
        assert tried > 300
        assert it.paths() == []


def _named(path: str) -> dict[str, str]:
    return {"tradeType": "SPOT", **{part.split("}")[0]: "x" for part in path.split("{")[1:]}}


def _endpoints(api: Any) -> Iterator[tuple[str, str, str]]:
    for section, methods in api.items():
        for method, listed in methods.items():
            for path in listed:
                yield method.upper(), path, section
