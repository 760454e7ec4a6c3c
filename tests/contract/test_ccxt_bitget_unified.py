"""Bitget's unified account through the adapter: the pool, what is owed, positions, margin, and what cannot be read."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest

from hedged.adapters.exchanges.ccxt_account import open_ccxt
from hedged.errors import ConfigurationError, Refused, Unreadable
from hedged.model.instrument import InstrumentId
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Doubt, Margin, Position
from tests.contract.replies import NOW
from tests.support import T0, ManualClock
from tests.venues.bitget_bench import COIN_DATED, COIN_PERPETUAL, KEYS, PERPETUAL
from tests.venues.bitget_unified import UnifiedVenue
from tests.venues.bitget_uta_bench import bench
from tests.venues.bitget_venue import Held
from tests.venues.opened import Bench

D = Decimal
ASSETS, POSITIONS = "/api/v3/account/assets", "/api/v3/position/current-position"
TOLD = "since 2026-11-02 12:00 UTC"
BITCOIN = InstrumentId("main:BTC/USDT:USDT")

# as the venue's documentation has them
DOCUMENTED_ASSETS = {
    "accountEquity": "11.13919278",
    "usdtEquity": "11.13921165",
    "btcEquity": "0.00011256",
    "unrealisedPnl": "0",
    "usdtUnrealisedPnl": "0",
    "btcUnrealizedPnl": "0",
    "effEquity": "6.19299777",
    "mmr": "0",
    "imr": "0",
    "mgnRatio": "0",
    "positionMgnRatio": "0",
    "assets": [
        {
            "coin": "USDT",
            "equity": "6.19300826",
            "usdValue": "6.19299777",
            "balance": "6.19300826",
            "available": "6.19300826",
            "debt": "0",
            "locked": "0",
        },
        {
            "coin": "BGB",
            "equity": "1.15582129",
            "usdValue": "4.94618029",
            "balance": "1.15582129",
            "available": "1.15582129",
            "debt": "0",
            "locked": "0",
        },
    ],
}
DOCUMENTED_POSITION = {
    "category": "USDT-FUTURES",
    "symbol": "BTCUSDT",
    "marginCoin": "USDT",
    "holdMode": "hedge_mode",
    "posSide": "long",
    "marginMode": "crossed",
    "positionBalance": "4701531.84941582",
    "available": "119.2068",
    "frozen": "0",
    "total": "119.2068",
    "leverage": "3",
    "curRealisedPnl": "0",
    "avgPrice": "108674",
    "positionStatus": "normal",
    "unrealisedPnl": "1124573.04243999",
    "liquidationPrice": "43099.9",
    "mmr": "0.015",
    "profitRate": "0.2391929010498401",
    "markPrice": "118097",
    "breakEvenPrice": "109208.6",
    "totalFunding": "-53076.32433032",
    "openFeeTotal": "-2842.86603479",
    "closeFeeTotal": "0",
    "createdTime": "1736378720620",
    "updatedTime": "1753102803148",
}


def tell(it: Bench, path: str, data: Any) -> None:
    reply = {"code": "00000", "msg": "success", "requestTime": 1753103840140, "data": data}
    it.server.replies[path] = json.dumps(reply)


def gone(before: str, now: str = "0", instrument: InstrumentId = PERPETUAL) -> Doubt:
    return Doubt(instrument, "main", "ETH", instrument, D(before), D(now), polls=1)


async def test_coins_count_without_open_profit_and_what_is_below_zero_is_owed() -> None:
    """The pool and the funding wallet by themselves; a loan that was sold is a debt with its interest."""
    async with bench() as it:
        coins = {each.asset: each for each in (await it.reader.balances("uta")).value}
        assert coins.keys() == {"ETH", "USDT", "BTC", "SOL"}
        assert (coins["ETH"].free.quantize(D("1e-9")), coins["BTC"].free.quantize(D("1e-9"))) == (D("11.5"), D("0.5"))
        assert coins["USDT"] == Balance("USDT", D(10000))
        assert coins["SOL"] == Balance("SOL", D(0), D(0), D("30.25"))
        assert (await it.reader.balances("funding")).value == (Balance("ETH", D(2), D(1)),)


async def test_a_debt_that_is_only_open_loss_is_cash_still() -> None:
    """The venue calls USDT owed when losses exceed the balance: the balance is there, and the loss the position's."""
    async with bench() as it:
        it.truth.pool, it.truth.positions = {"USDT": D(100)}, {"ETHUSDT": Held(D(-2), D(2900))}
        (row,) = it.truth.assets()["assets"]
        assert (row["equity"], row["debt"]) == ("-100", "100")
        assert (await it.reader.balances("uta")).value == (Balance("USDT", D(100)),)
        assert (await it.reader.derivatives()).value.positions[0].unrealised_pnl == -200


async def test_positions_of_all_products_and_one_margin() -> None:
    """Signed coins, profit and maintenance in the quote currency, the account's equity and maintenance in dollars."""
    async with bench() as it:
        read = (await it.reader.derivatives()).value
        effective = D(it.truth.assets()["effEquity"])
    held = {each.instrument: each for each in read.positions}
    assert held[PERPETUAL] == Position(PERPETUAL, D(-2), D(3100), D(6000), D(200), D(30))
    assert (held[COIN_PERPETUAL].contracts, held[COIN_DATED].contracts) == (D("-0.1"), D("0.5"))
    assert held[COIN_DATED].maintenance_margin == D("0.005") * D("0.5") * 3000
    assert all(each.trusted and each.isolated_equity is None for each in read.positions)
    needed = D("0.005") * (6000 + 6000 + 1500)
    assert read.margin == Margin(effective, needed, effective - 4 * needed)
    assert read.equities == {}


async def test_margin_is_after_haircuts_without_bonus_and_by_the_venues_ratio_where_it_asks_for_more() -> None:
    """Collateral at what it counts; credit of the venue's is no equity; the ratio has fees that the sum has not."""
    async with bench(truth=UnifiedVenue(pool={"ETH": D(10)}, haircut=D("0.1"))) as it:
        it.truth.positions = {"ETHUSDT": Held(D(-2), D(3000))}
        assert (await it.reader.derivatives()).value.margin == Margin(D(27000), D(30), D(26880))
        it.truth.bonus = D(500)
        assert (await it.reader.derivatives()).value.margin == Margin(D(27000), D(30), D(26880))
        told = it.truth.assets() | {"mgnRatio": "0.5", "bonus": "0"}
        tell(it, ASSETS, told)
        assert (await it.reader.derivatives()).value.margin == Margin(D(27500), D(13750), D(27380))
        tell(it, ASSETS, {name: value for name, value in told.items() if name not in {"mgnRatio", "imr", "bonus"}})
        assert (await it.reader.derivatives()).value.margin == Margin(D(27500), D(30), None)


async def test_an_empty_account_is_empty() -> None:
    """Null for the positions of every product, no coins: none, and no margin needed."""
    async with bench(truth=UnifiedVenue()) as it:
        assert it.truth.current_positions("USDT-FUTURES") == {"list": None}
        assert (await it.reader.balances("uta")).value == (await it.reader.balances("funding")).value == ()
        assert (await it.reader.derivatives()).value.positions == ()
        assert (await it.reader.derivatives()).value.margin == Margin(D(0), D(0), D(0))


@pytest.mark.parametrize("rows", [None, []])
async def test_a_position_that_is_missing_is_noticed(rows: object) -> None:
    """A product that answers 'none' while the account has its profit: neither the positions nor the coins are read."""
    async with bench() as it:
        tell(it, f"{POSITIONS}?category=COIN-FUTURES", {"list": rows})
        for read in (it.reader.derivatives, lambda: it.reader.balances("uta")):
            with pytest.raises(Unreadable, match="open profit of the account"):
                await read()


@pytest.mark.parametrize(
    ("ether", "told", "problem"),
    [
        (D("11.5"), None, "open profit of the account is not"),  # by the worth of the ether that is held
        (D(0), None, "a product answers null"),  # nobody tells what ether is worth
        (D(0), [], None),
    ],
)
async def test_null_is_no_position_only_where_the_open_profit_can_be_compared(
    ether: Decimal, told: object, problem: str | None
) -> None:
    """One position whose profit is in a coin of which nothing is held does not switch the comparison off."""
    async with bench() as it:
        it.truth.positions = {"ETHUSDT": Held(D(-2), D(3100)), "BTCUSD": Held(D("-0.1"), D(50000), "ETH")}
        it.truth.pool["ETH"] = ether
        if not ether:
            coins = [row for row in it.truth.assets()["assets"] if row["coin"] != "ETH"]
            tell(it, ASSETS, it.truth.assets() | {"assets": coins})
        else:
            assert len((await it.reader.derivatives()).value.positions) == 2
        tell(it, f"{POSITIONS}?category=USDT-FUTURES", {"list": told})
        if told is not None:
            tell(it, f"{POSITIONS}?category=USDC-FUTURES", {"list": []})
            assert len((await it.reader.derivatives()).value.positions) == 1
            return
        for read in (it.reader.derivatives, lambda: it.reader.balances("uta")):
            with pytest.raises(Unreadable, match=problem):
                await read()


async def test_a_mark_that_moves_between_two_requests_is_no_missing_position() -> None:
    """Profits a hundredth of the positions' worth apart are the same."""
    async with bench() as it:
        told = it.truth.assets()
        for off, fine in (("130", True), ("-130", True), ("140", False)):
            tell(it, ASSETS, told | {"unrealisedPnl": str(D(told["unrealisedPnl"]) + D(off))})
            if fine:
                assert len((await it.reader.derivatives()).value.positions) == 3
            else:
                with pytest.raises(Unreadable):
                    await it.reader.derivatives()


@pytest.mark.parametrize(
    ("held", "mode", "words"),
    [
        (Held(D(-2), D(3100), "USDT", D(1500)), "one_way_mode", "set its contract to cross margin"),
        (Held(D(-2), D(3100)), "hedge_mode", "switch it to one-way mode"),
    ],
)
async def test_what_a_person_has_to_change_first(held: Held, mode: str, words: str) -> None:
    """Isolated margin and hedge mode are refused with the way out."""
    async with bench() as it:
        it.truth.positions, it.truth.pos_mode = {"ETHUSDT": held}, mode
        with pytest.raises(Refused, match=words):
            await it.reader.derivatives()


async def test_a_contract_that_is_not_listed_makes_the_read_fail() -> None:
    """Nobody knows its size."""
    async with bench() as it:
        row = {**DOCUMENTED_POSITION, "symbol": "STUSDT", "holdMode": "one_way_mode"}
        tell(it, f"{POSITIONS}?category=USDT-FUTURES", {"list": [row]})
        tell(it, ASSETS, it.truth.assets() | {"unrealisedPnl": "1123623"})
        with pytest.raises(Unreadable, match="a position in STUSDT"):
            await it.reader.derivatives()


async def test_the_documented_replies() -> None:
    """Coins, and a long position of 119.2068 BTC whose profit makes up the account's; as it stands in hedge mode."""
    async with bench(truth=UnifiedVenue()) as it:
        tell(it, ASSETS, DOCUMENTED_ASSETS)
        assert (await it.reader.balances("uta")).value == (
            Balance("BGB", D("1.15582129")),
            Balance("USDT", D("6.19300826")),
        )
        assert (await it.reader.derivatives()).value.margin == Margin(D("6.19299777"), D(0), D("6.19299777"))
        told = {"unrealisedPnl": "1124573.04", "mmr": "211174", "effEquity": "4847952.35", "imr": "4692634"}
        tell(it, ASSETS, DOCUMENTED_ASSETS | told)
        tell(it, f"{POSITIONS}?category=USDT-FUTURES", {"list": [DOCUMENTED_POSITION]})
        with pytest.raises(Refused, match="hedge mode"):
            await it.reader.derivatives()
        one_way = {**DOCUMENTED_POSITION, "holdMode": "one_way_mode"}
        tell(it, f"{POSITIONS}?category=USDT-FUTURES", {"list": [one_way]})
        (held,) = (await it.reader.derivatives()).value.positions
        assert (held.instrument, held.contracts, held.entry_price) == (BITCOIN, D("119.2068"), D(108674))
        assert (held.liquidation_price, held.unrealised_pnl) == (D("43099.9"), D("1124573.04243999"))
        assert held.maintenance_margin == D("0.015") * D("119.2068") * 118097
        tell(it, f"{POSITIONS}?category=USDT-FUTURES", {"list": [{**one_way, "liquidationPrice": "0"}]})
        (held,) = (await it.reader.derivatives()).value.positions
        assert held.liquidation_price is None, "zero or less: it will not be liquidated"


async def test_a_size_that_the_profit_belies_is_not_trusted() -> None:
    """A position whose profit is not that of its size, in an account that says the same."""
    async with bench(truth=UnifiedVenue()) as it:
        row = {**DOCUMENTED_POSITION, "holdMode": "one_way_mode", "total": "11.92068"}
        tell(it, f"{POSITIONS}?category=USDT-FUTURES", {"list": [row]})
        tell(it, ASSETS, DOCUMENTED_ASSETS | {"unrealisedPnl": "1124573.04"})
        (held,) = (await it.reader.derivatives()).value.positions
        assert held.trusted is False


@pytest.mark.parametrize(
    ("kind", "rights", "ips", "expected"),
    [
        ("read-only", ["uta_mgt", "uta_trade"], "", Permissions(True, False, False, False)),
        ("read-and-write", ["uta_mgt", "uta_trade"], "10.0.0.1", Permissions(True, True, False, True)),
        ("read-and-write", ["uta_mgt", "uta_trade", "withdraw"], "", Permissions(True, True, True, False)),
        ("read-and-write", ["uta_mgt"], "", Permissions(False, False, False, False)),
        ("read-only", ["uta_mgt", "uta_trade", "withdraw"], "", Permissions(True, False, True, False)),
    ],
)
async def test_tells_what_the_key_may_do(kind: str, rights: list[str], ips: str, expected: Permissions) -> None:
    """Trading needs the right to write; reading both of the account's; withdrawing is refused however it is told."""
    async with bench() as it:
        it.truth.perm_type, it.truth.rights, it.truth.ips = kind, rights, ips
        assert await it.permissions() == expected


async def test_tells_the_position_mode() -> None:
    """One for the whole account, told also without a position."""
    async with bench(truth=UnifiedVenue()) as it:
        assert await it.opened.hedge_mode() is False
        it.truth.pos_mode = "hedge_mode"
        assert await it.opened.hedge_mode() is True


async def test_a_classic_account_is_refused() -> None:
    """Its endpoints are others: every read says so, and what to do."""
    async with bench() as it:
        it.server.unified = False
        for read in (*map(it.reader.balances, it.reader.wallets), it.reader.derivatives(), it.permissions()):
            with pytest.raises(Refused, match='take "spot" and "swap" instead of "uta"'):
                await read


async def test_a_unified_account_has_no_wallets_beside_it_but_funding() -> None:
    """What is in the pool would count twice, or be asked of endpoints that are closed."""
    with pytest.raises(ConfigurationError, match="wallets = earn, spot  not beside uta"):
        await open_ccxt("main", "bitget", ["uta", "spot", "earn"], KEYS, clock=ManualClock())


async def test_a_reading_takes_five_requests_and_changes_nothing() -> None:
    """Coins and positions share theirs: the pool, one for each product, and the funding wallet."""
    async with bench() as it:
        await it.reader.derivatives()
        await it.settled()
        it.paths()
        await asyncio.gather(it.reader.balances("uta"), it.reader.derivatives(), it.reader.balances("funding"))
        assert sorted(it.paths()) == [
            "account/assets",
            "account/funding-assets",
            "position/current-position",
            "position/current-position",
            "position/current-position",
        ]
        assert it.server.writes == []


def fill(size: str, *, side: str = "buy", symbol: str = "ETHUSDT", time: int = NOW) -> dict[str, Any]:
    row = {"symbol": symbol, "category": "USDT-FUTURES", "side": side, "orderId": "1", "createdTime": str(time)}
    return {**row, "execQty": size, "cumExecQty": size}


@pytest.mark.parametrize(
    ("fills", "says"),
    [
        ([fill("1.5"), fill("0.5")], f"2 fills {TOLD}, +2 contracts in all"),
        ([fill("3"), fill("1", side="sell")], f"2 fills {TOLD}, +2 contracts in all"),
        ([fill("1.5")], None),
        ([fill("2", side="sell")], None),
        ([fill("2", time=NOW - 1)], None),
        ([fill("2", symbol="BTCUSDT")], None),
        ([fill("0.02")] * 100, None),
        ([], None),
    ],
)
async def test_fills_explain_a_position_if_they_add_up(fills: list[dict[str, Any]], says: str | None) -> None:
    """A closed short is explained by purchases of its size since the last read; a full page may lack some."""
    async with bench() as it:
        it.truth.traded = fills
        assert await it.reader.explain(gone("-2"), T0) == says


async def test_orders_of_the_venues_own_explain_a_position() -> None:
    """A liquidation is an order of its kind; one that executed another size explains nothing."""
    async with bench() as it:
        it.truth.ended = [fill("2") | {"execType": "liquidation"}]
        assert await it.reader.explain(gone("-2"), T0) == f"orders {TOLD} executed +2 contracts in all (liquidation)"
        assert await it.reader.explain(gone("-3"), T0) is None


def trade(side: str, size: str, value: str, symbol: str = "ETHUSDT", category: str = "SPOT") -> dict[str, Any]:
    row = {"symbol": symbol, "category": category, "side": side, "orderId": "1", "createdTime": str(NOW)}
    return {**row, "execQty": size, "execValue": value}


def fallen(asset: str, before: str, now: str, wallet: str = "uta") -> Doubt:
    return Doubt(f"main/{wallet}/{asset}", "main", asset, None, D(before), D(now), polls=1)


SOLD = [trade("sell", "8", "24000"), trade("sell", "2", "6000", category="MARGIN")]


@pytest.mark.parametrize(
    ("trades", "doubt", "says"),
    [
        (SOLD, fallen("ETH", "10", "0"), f"{TOLD}: 2 fills -10 ETH"),
        (SOLD, fallen("ETH", "10.5", "0"), f"{TOLD}: 2 fills -10 ETH"),
        (SOLD, fallen("ETH", "11", "0"), None),
        (SOLD[:1], fallen("ETH", "10", "0"), None),
        ([trade("buy", "10", "30000")], fallen("USDT", "30000", "0"), f"{TOLD}: 1 fills -30000 USDT"),
        ([trade("buy", "10", "30000")], fallen("ETH", "10", "0"), None),
        ([*SOLD, trade("buy", "10", "30000")], fallen("ETH", "10", "0"), None),
        ([trade("sell", "10", "1500", symbol="SOLUSDT")], fallen("ETH", "10", "0"), None),
        ([trade("sell", "10", "30000", category="USDT-FUTURES")], fallen("ETH", "10", "0"), None),
        ([trade("sell", "0.1", "300")] * 100, fallen("ETH", "10", "0"), None),
        ([], fallen("ETH", "10", "0"), None),
        (SOLD, fallen("ETH", "10", "0", "funding"), None),
    ],
)
async def test_trades_explain_a_coin_if_they_add_up(
    trades: list[dict[str, Any]], doubt: Doubt, says: str | None
) -> None:
    """Sold on the spot or on margin, or spent; a full page may lack some, and the funding wallet has no trades."""
    async with bench() as it:
        it.truth.traded = trades
        assert await it.reader.explain(doubt, T0) == says


async def test_the_time_asked_from_is_the_venues() -> None:
    """Our clock may be off by an hour: what is asked for begins at the same moment of the venue's clock."""
    async with bench() as it:
        it.truth.now = lambda: NOW - 3_600_000
        it.truth.traded = [fill("2", time=NOW - 3_600_000)]
        assert await it.reader.explain(gone("-2"), T0) is not None
        it.truth.traded = [fill("2", time=NOW - 3_600_001)]
        assert await it.reader.explain(gone("-2"), T0) is None


async def test_the_demo_system_has_unified_accounts_too() -> None:
    """By its own keys; those of the one are not those of the other."""
    async with bench(sandbox=True) as it:
        it.server.demo_key = True
        assert len((await it.reader.balances("uta")).value) == 4
        it.server.demo_key = False
        with pytest.raises(Refused, match="sandbox = true"):
            await it.reader.balances("uta")
