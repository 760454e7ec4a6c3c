"""COIN-M, portfolio margin, the funding wallet and simple earn, read through real ccxt over real TLS."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.adapters.exchanges.ccxt_account import open_ccxt
from hedged.errors import ConfigurationError, Refused, Unreadable
from hedged.model.instrument import ContractKind, InstrumentId
from hedged.model.snapshot import Balance, Doubt, Margin, Position
from tests.support import T0, ManualClock, need_shared
from tests.venues.binance_bench import KEYS, PERPETUAL, bench
from tests.venues.binance_more import CoinHeld
from tests.venues.binance_venue import Held

D = Decimal
BITCOIN = InstrumentId("main:BTC/USD:BTC")
ETHER = InstrumentId("main:ETH/USD:ETH")
DATED = InstrumentId("main:ETH/USD:ETH-261225")
SINCE = T0 - timedelta(minutes=1)
NOW = 1793620800000  # T0 in the venue's milliseconds
UNIFIED = ("spot", "funding", "earn", "portfolio")


async def test_inverse_contracts_with_their_rules() -> None:
    """A contract is a face value in dollars, settled in the coin; perpetual and dated."""
    async with bench() as it:
        instruments = await it.market.instruments()
    coin, dated = instruments[BITCOIN], instruments[DATED]
    assert (coin.linear, coin.multiplier, coin.base, coin.quote, coin.settle) == (False, 100, "BTC", "USD", "BTC")
    assert (coin.tick_size, coin.lot_size, coin.quantity_min, coin.notional_min) == (D("0.1"), 1, 1, 0)
    assert coin.base_quantity(D(-30), D(60000)) == D("-0.05")
    assert (dated.kind, dated.multiplier) == (ContractKind.FUTURE, 10)
    assert dated.expiry == datetime(2026, 12, 25, 8, tzinfo=UTC)


async def test_quotes_of_inverse_contracts() -> None:
    """COIN-M is asked where an inverse contract is wanted, USD-M where a linear one is, each twice and hourly once."""
    async with bench() as it:
        both = await it.market.quotes([BITCOIN, DATED, PERPETUAL])
        assert len([path for path in it.paths() if path.startswith("/dapi/v1")]) == 4  # with the listing
        it.clock.advance(60)
        await it.market.quotes([BITCOIN])
        assert sorted(it.paths()) == ["/dapi/v1/premiumIndex", "/dapi/v1/ticker/bookTicker"]
        await it.market.quotes([PERPETUAL])
        assert sorted(it.paths()) == ["/fapi/v1/premiumIndex", "/fapi/v1/ticker/bookTicker"]
    assert both[PERPETUAL].value.mark == 3000
    quote = both[BITCOIN].value
    assert (quote.mark, quote.index, quote.bid, quote.ask) == (60000, 60000, 59994, 60006)
    assert (quote.funding_rate, quote.funding_interval_hours) == (D("0.0002"), 8)
    assert (both[DATED].value.mark, both[DATED].value.funding_rate) == (3030, None)


async def test_long_and_short_inverse_positions_beside_linear_ones() -> None:
    """Signed contracts; margin and profit, which the venue tells in coins, in dollars at the mark."""
    async with bench() as it:
        it.truth.more.coins = {"BTC": D(1), "ETH": D(5)}
        it.truth.more.held = {
            "BTCUSD_PERP": CoinHeld(D(-30), D(50000)),
            "ETHUSD_PERP": CoinHeld(D(600), D(2000)),
        }
        read = await it.reader.derivatives()
        instruments = await it.market.instruments()
    held = {position.instrument: position for position in read.value.positions}
    assert set(held) == {PERPETUAL, BITCOIN, ETHER}
    assert held[BITCOIN] == Position(
        instrument=BITCOIN,
        contracts=D(-30),
        entry_price=D(50000),
        liquidation_price=None,
        unrealised_pnl=D(-600),  # -3000 USD: 0.06 coins at entry, 0.05 now
        maintenance_margin=D(30),
    )
    assert held[ETHER].contracts == 600
    assert held[ETHER].liquidation_price == 1500
    assert held[ETHER].unrealised_pnl == 3000
    assert held[ETHER].maintenance_margin == 60
    assert instruments[ETHER].base_quantity(D(600), D(3000)) == 2
    assert instruments[BITCOIN].base_quantity(D(-30), D(60000)) == D("-0.05")


@pytest.mark.parametrize(
    ("coins", "equity", "maintenance"),
    [
        ({"BTC": D("0.5"), "ETH": D("0.001")}, D(3), D("6")),  # the coin with 3 dollars for 6 to maintain
        ({"BTC": D("0.01"), "ETH": D(5)}, D(600), D("60")),  # bitcoin, ten times what is needed
        ({"BTC": D(5), "ETH": D(5)}, D(10200), D(30)),  # USD-M, 340 times, is the tightest
    ],
)
async def test_the_tightest_pool_is_reported(coins: dict[str, Decimal], equity: Decimal, maintenance: Decimal) -> None:
    """Each coin backs its own positions and no others; the pool nearest to its end speaks for the account."""
    async with bench() as it:
        it.truth.more.coins = coins
        it.truth.more.held = {
            "BTCUSD_PERP": CoinHeld(D(60 if equity == 600 else 1), D(60000)),
            "ETHUSD_PERP": CoinHeld(D(-60), D(3000)),
        }
        told = (await it.reader.derivatives()).value
    assert told.margin is not None
    assert (told.margin.equity, told.margin.maintenance) == (equity, maintenance)
    assert {"USDT", "BTC", "ETH"} <= told.equities.keys()
    assert equity in told.equities.values()
    assert told.equities["USDT"] == 10200


async def test_an_isolated_position_of_coins_is_a_pool_of_its_own() -> None:
    """Of an ETH all but a tenth is set apart for it: the cross pool is what is left, and the tighter."""
    async with bench() as it:
        it.truth.positions, it.truth.more.basis = {}, D(0)
        it.truth.more.coins = {"ETH": D(1)}
        it.truth.more.held = {name: CoinHeld(D(10), D(3000)) for name in ("ETHUSD_PERP", "ETHUSD_261225")}
        whole = (await it.reader.derivatives()).value.margin
        account, rows = it.truth.more.coin_account(), it.truth.more.coin_risk()
        pool = next(row for row in account["assets"] if row["asset"] == "ETH")
        pool["crossWalletBalance"] = "0.1"
        risk = next(row for row in rows if row["symbol"] == "ETHUSD_PERP")
        risk["isolatedMargin"] = "0.9"
        it.server.replies["/dapi/v1/account"] = json.dumps(account)
        it.server.replies["/dapi/v1/positionRisk"] = json.dumps(rows)
        apart = (await it.reader.derivatives()).value.margin
    assert whole is not None
    assert apart is not None
    assert (whole.equity, apart.equity) == (D(3000), D(300))
    assert (round(whole.maintenance or 0), round(apart.maintenance or 0)) == (2, 1)


async def test_both_segments_are_one_wallet_without_profit() -> None:
    """A coin in both is one balance; what positions have gained is in their value, not in the wallet."""
    async with bench() as it:
        it.truth.futures = {"USDT": D(10000), "BTC": D("0.25")}
        it.truth.more.coins = {"BTC": D(1), "ETH": D(5)}
        it.truth.more.held = {"BTCUSD_PERP": CoinHeld(D(-30), D(50000))}
        swap = await it.reader.balances("swap")
    assert swap.value == (Balance("USDT", D(10000)), Balance("BTC", D("1.25")), Balance("ETH", D(5)))


async def test_wallet_and_face_over_entry_are_the_delta() -> None:
    """A coin more of dollars a coin costs more: the wallet less contracts × face ÷ entry, and no profit twice."""
    wallet, held, face = D(1), D(-300), D(100)

    async def worth(price: int) -> Decimal:
        async with bench() as it:
            it.truth.prices["BTC"] = D(price)
            it.truth.more.coins = {"BTC": wallet}
            it.truth.more.held = {"BTCUSD_PERP": CoinHeld(held, D(50000))}
            (coins,) = [b for b in (await it.reader.balances("swap")).value if b.asset == "BTC"]
            position = next(p for p in (await it.reader.derivatives()).value.positions if p.instrument == BITCOIN)
            assert position.unrealised_pnl is not None
            return coins.net * price + position.unrealised_pnl

    change = (await worth(61000) - await worth(60000)) / 1000
    assert abs(change - (wallet + held * face / D(50000))) < D("0.0001")


@pytest.mark.parametrize(("factor", "trusted"), [("1", True), ("1.019", True), ("1.03", False), ("10", False)])
async def test_an_inverse_position_worth_something_else_is_not_trusted(factor: str, trusted: bool) -> None:
    """Contracts × face ÷ mark must agree with the coins that the venue says it is."""
    async with bench() as it:
        it.truth.more.coins, it.truth.more.held = {"BTC": D(1)}, {"BTCUSD_PERP": CoinHeld(D(-30), D(50000))}
        rows = it.truth.more.coin_risk()
        rows[0]["notionalValue"] = str(D(rows[0]["notionalValue"]) * D(factor))
        it.server.replies["/dapi/v1/positionRisk"] = json.dumps(rows)
        position = next(p for p in (await it.reader.derivatives()).value.positions if p.instrument == BITCOIN)
    assert position.trusted is trusted


@pytest.mark.parametrize(
    ("path", "change", "says"),
    [
        ("/dapi/v1/positionRisk", lambda rows: [], "do not agree"),
        ("/dapi/v1/positionRisk", lambda rows: [{**rows[0], "positionAmt": "-29"}, *rows[1:]], "do not agree"),
        ("/dapi/v1/account", lambda reply: {**reply, "positions": []}, "do not agree"),
        ("/dapi/v1/account", lambda reply: {**reply, "assets": []}, "assets lacks BTC"),
    ],
)
async def test_half_a_segment_is_no_segment(path: str, change: Any, says: str) -> None:
    """A position that one of the two replies does not show, or without the coins behind it, fails the whole read."""
    async with bench() as it:
        it.truth.more.coins, it.truth.more.held = {"BTC": D(1)}, {"BTCUSD_PERP": CoinHeld(D(-30), D(50000))}
        reply = it.truth.more.coin_risk() if path.endswith("Risk") else it.truth.more.coin_account()
        it.server.replies[path] = json.dumps(change(reply))
        with pytest.raises(Unreadable, match=says):
            await it.reader.derivatives()


async def test_hedge_mode_of_either_segment_is_refused() -> None:
    """COIN-M has its own position mode."""
    async with bench() as it:
        it.truth.more.coins, it.truth.more.held = {"BTC": D(1)}, {"BTCUSD_PERP": CoinHeld(D(-30), D(50000))}
        it.truth.more.hedge_mode = True
        with pytest.raises(Refused, match="COIN-M Futures: .*switch it to one-way mode"):
            await it.reader.derivatives()


async def test_a_segment_that_is_refused_is_named() -> None:
    """A key that may not read COIN-M gives no positions at all rather than half of them, and says which it was."""
    async with bench() as it:
        refused = {"status": 401, "text": '{"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}'}
        it.server.responses["/dapi/v1/account"] = refused
        it.server.responses["/dapi/v1/positionRisk"] = refused
        for read in (it.reader.derivatives(), it.reader.balances("swap")):
            with pytest.raises(Refused, match="COIN-M .*may not read this wallet"):
                await read
        assert (await it.reader.balances("spot")).value


async def test_the_funding_wallet() -> None:
    """Free, and what is locked, frozen or on its way out; the one POST that reads is no write."""
    async with bench(wallets=("spot", "funding")) as it:
        it.truth.more.funding = {"USDT": ("10", "1", "2", "3"), "ETH": ("0", "0", "0", "0")}
        assert (await it.reader.balances("funding")).value == (Balance("USDT", D(10), D(6)),)
        assert it.server.writes == []


async def test_earn_is_never_counted_twice() -> None:
    """What spot shows as LD is earn's where earn is read, and stays under its own name where it is not."""
    spot = {"ETH": (D(1), D(0)), "LDETH": (D(4), D(0)), "LDO": (D(7), D(0)), "LDSOL": (D(2), D(0))}
    async with bench(wallets=("spot", "earn")) as it:
        it.truth.spot = spot
        it.truth.more.flexible = [("ETH", "4.002"), ("USDT", "100")]
        it.truth.more.locked = [("ETH", "3"), ("AXS", "12")]
        read, earned = await asyncio.gather(it.reader.balances("spot"), it.reader.balances("earn"))
        assert it.paths().count("/sapi/v1/simple-earn/flexible/position") == 1
    assert earned.value == (Balance("ETH", D("4.002"), D(3)), Balance("USDT", D(100)), Balance("AXS", D(0), D(12)))
    # LDO is a coin of its own; LDSOL is nothing that earn shows, so it is not dropped
    assert read.value == (Balance("ETH", D(1)), Balance("LDO", D(7)), Balance("LDSOL", D(2)))
    async with bench(wallets=("spot",)) as it:
        it.truth.spot = spot
        it.truth.more.flexible = [("ETH", "4.002")]
        assert Balance("LDETH", D(4)) in (await it.reader.balances("spot")).value
        assert "/sapi/v1/simple-earn/flexible/position" not in it.paths()


async def test_earn_comes_in_pages() -> None:
    """All pages are read; a list that ends before it is complete is no list."""
    async with bench(wallets=("earn",)) as it:
        it.truth.more.flexible = [(f"C{number}", "1") for number in range(250)]
        assert len((await it.reader.balances("earn")).value) == 250
        assert it.paths().count("/sapi/v1/simple-earn/flexible/position") == 3
        it.server.replies["/sapi/v1/simple-earn/flexible/position"] = json.dumps({"rows": [], "total": 1})
        with pytest.raises(Unreadable, match="not complete"):
            await it.reader.balances("earn")


def unified(asset: str, **parts: str) -> dict[str, Any]:
    """A row of papi/v1/balance."""
    names = ("crossMarginFree", "crossMarginLocked", "umWalletBalance", "cmWalletBalance")
    row = dict.fromkeys((*names, "crossMarginBorrowed", "crossMarginInterest"), "0") | parts
    return {**row, "asset": asset, "totalWalletBalance": str(sum(D(row[name]) for name in names)), "updateTime": 0}


async def test_portfolio_margin_is_one_wallet_and_one_margin() -> None:
    """Margin, USD-M and COIN-M together; liquidation at an equity of 1.05 × maintenance is a ratio of 1."""
    async with bench(wallets=UNIFIED) as it:
        it.truth.more.unified = [
            unified("USDT", crossMarginFree="100", umWalletBalance="-30", crossMarginBorrowed="20"),
            unified("BTC", crossMarginLocked="0.5", cmWalletBalance="1", crossMarginInterest="0.001"),
        ]
        it.truth.more.held = {"BTCUSD_PERP": CoinHeld(D(-30), D(50000))}
        wallet = await it.reader.balances("portfolio")
        derivatives = (await it.reader.derivatives()).value
        await it.settled()
        asked = it.paths()
        tiers = (await it.market.instruments())[PERPETUAL].tiers
    assert wallet.value == (
        Balance("USDT", D(70), D(0), D(20)),
        Balance("BTC", D(1), D("0.5"), D("0.001")),
    )
    assert derivatives.margin == Margin(D(10000), D(525))
    assert [(p.instrument, p.contracts) for p in derivatives.positions] == [(PERPETUAL, -2), (BITCOIN, -30)]
    assert not [path for path in asked if path.startswith(("/fapi/v3", "/dapi/v1/account", "/sapi/v1/margin"))]
    assert "/papi/v1/um/leverageBracket" in asked
    assert len(tiers) == 2


async def test_a_portfolio_that_does_not_add_up_is_not_read() -> None:
    """The parts of an asset must be its total: a part that this version does not know would be lost silently."""
    async with bench(wallets=UNIFIED) as it:
        it.truth.more.unified = [{**unified("USDT", crossMarginFree="100"), "totalWalletBalance": "101"}]
        with pytest.raises(Unreadable, match="do not add up"):
            await it.reader.balances("portfolio")


async def test_a_portfolio_adds_up_but_for_the_last_digit() -> None:
    """The venue rounds the total and its parts by themselves; the parts are what is held."""
    async with bench(wallets=UNIFIED) as it:
        parts = unified("USDT", crossMarginFree="35.9697141", umWalletBalance="31.022612")
        it.truth.more.unified = [{**parts, "totalWalletBalance": "66.99232611"}]
        (coins,) = (await it.reader.balances("portfolio")).value
    assert coins == Balance("USDT", D("66.9923261"))


@pytest.mark.parametrize("code", [-9000, -21001])
async def test_an_account_that_is_not_in_portfolio_margin_is_refused(code: int) -> None:
    """The message tells which wallets to write instead."""
    async with bench(wallets=UNIFIED) as it:
        it.server.responses["/papi/v1/account"] = {"status": 400, "text": json.dumps({"code": code, "msg": "no"})}
        with pytest.raises(Refused, match='take "margin" and "swap" instead'):
            await it.reader.derivatives()


async def test_a_clock_that_jumps_is_made_up_for_in_portfolio_margin_too() -> None:
    """There ccxt takes the venue's code for a wrong time for something a person has to mend."""
    async with bench(wallets=UNIFIED) as it:
        await it.reader.derivatives()
        it.truth.now = lambda: NOW - 3_600_000
        assert (await it.reader.derivatives()).value.positions


async def test_portfolio_margin_has_no_wallets_beside_it() -> None:
    """Its parts would be counted twice."""
    with pytest.raises(ConfigurationError, match="account main: wallets = margin, swap  not beside portfolio"):
        await open_ccxt("main", "binance", ["spot", "swap", "margin", "portfolio"], KEYS, clock=ManualClock())


async def test_portfolio_margins_key() -> None:
    """Another permission lets a key trade there; one that the venue does not mention is unknown."""
    async with bench(wallets=UNIFIED) as it:
        permissions = await it.opened.permissions()
        assert permissions is not None
        assert permissions.trade is False
        del it.truth.more.key["enablePortfolioMarginTrading"]
        it.truth.more.key["tradingAuthorityExpirationTime"] = 1796115600000
        permissions = await it.opened.permissions()
    assert permissions is not None
    assert permissions.trade is None
    assert permissions.expires == datetime(2026, 12, 1, 9, tzinfo=UTC)


async def test_a_users_narrower_brackets_count_wider_ones_do_not() -> None:
    """The coefficient is of one user's brackets; only what makes margin dearer is believed."""
    for coefficient, floor in (("0.5", 5000), ("1.5", 10000)):
        async with bench() as it:
            rows = [{**row, "notionalCoef": coefficient} for row in it.truth.leverage_brackets()]
            it.server.replies["/fapi/v1/leverageBracket"] = json.dumps(rows)
            await it.reader.derivatives()
            await it.settled()
            tiers = (await it.market.instruments())[PERPETUAL].tiers
        assert [tier.notional_floor for tier in tiers] == [0, floor]


async def test_samples_of_the_venues_documentation() -> None:
    """COIN-M and portfolio rows as real accounts showed them: signs, coins, dollars."""
    balance = json.loads(need_shared("venues/binance/fetch_balance.doc3.json").read_text())["httpResponse"]
    row = {  # ccxt's comment on parse_position_risk
        "symbol": "BTCUSD_PERP",
        "positionAmt": "2",
        "entryPrice": "37643.10000021",
        "markPrice": "38103.05510455",
        "unRealizedProfit": "0.00006413",
        "liquidationPrice": "25119.97445760",
        "positionSide": "BOTH",
        "notionalValue": "0.00524892",
    }
    async with bench(wallets=UNIFIED) as it:
        it.server.replies["/papi/v1/balance"] = json.dumps(balance)
        it.server.replies["/papi/v1/cm/positionRisk"] = json.dumps([row])
        assert (await it.reader.balances("portfolio")).value == (Balance("USDT", D("66.9923261")),)
        position = (await it.reader.derivatives()).value.positions[-1]
        instrument = (await it.market.instruments())[position.instrument]
    assert (position.instrument, position.contracts, position.trusted) == (BITCOIN, 2, True)
    assert position.liquidation_price == D("25119.97445760")
    assert round(instrument.base_quantity(position.contracts, D("38103.05510455")), 8) == D("0.00524892")


def doubt(wallet: str, asset: str, before: str, now: str) -> Doubt:
    return Doubt(f"main/{wallet}/{asset}", "main", asset, None, D(before), D(now), polls=1)


@pytest.mark.parametrize("wallets", [("spot", "swap"), UNIFIED])
async def test_fills_explain_an_inverse_position(wallets: tuple[str, ...]) -> None:
    """Counted in contracts, asked of the segment it is in, portfolio margin or not."""
    gone = Doubt(BITCOIN, "main", "BTC", BITCOIN, D(-30), D(0), polls=1)
    async with bench(wallets=wallets) as it:
        it.truth.more.fills = [{"symbol": "BTCUSD_PERP", "side": "BUY", "qty": "30", "price": "1", "time": NOW}]
        assert await it.reader.explain(gone, SINCE) == "1 fills since 2026-11-02 11:59 UTC, +30 contracts in all"
        it.truth.more.fills.clear()
        assert await it.reader.explain(gone, SINCE) is None
        it.truth.more.orders = [{"symbol": "BTCUSD_PERP", "side": "BUY", "executedQty": "30", "time": NOW}]
        assert "executed +30 contracts" in (await it.reader.explain(gone, SINCE) or "")
        assert not [path for path in it.paths() if path.startswith("/fapi/v1/userTrades")]


async def test_coin_income_explains_a_coin() -> None:
    """COIN-M's income is asked for coins that back its contracts, and only for them."""
    async with bench() as it:
        it.truth.more.income = [
            {"symbol": "", "incomeType": "TRANSFER", "income": "-1", "asset": "BTC", "time": NOW},
        ]
        says = await it.reader.explain(doubt("swap", "BTC", "1.01", "0.01"), SINCE)
        assert says == "since 2026-11-02 11:59 UTC: transfer -1 BTC"
        it.paths()
        assert await it.reader.explain(doubt("swap", "USDT", "1", "0"), SINCE) is None
        assert "/dapi/v1/income" not in it.paths()


@pytest.mark.parametrize(
    ("wallet", "asset", "row", "says"),
    [
        ("earn", "ETH", {"redeem": True}, "earn redemption -10 ETH"),
        ("spot", "LDETH", {"redeem": True}, "earn redemption -10 LDETH"),
        ("spot", "ETH", {"sourceAccount": "SPOT"}, "earn subscription -10 ETH"),
        ("funding", "ETH", {"sourceAccount": "FUNDING"}, "earn subscription -10 ETH"),
        ("spot", "ETH", {"sourceAccount": "FUNDING"}, None),
        ("spot", "ETH", {"sourceAccount": "SPOT", "status": "FAILED"}, None),
        ("spot", "ETH", {"sourceAccount": "SPOTANDFUNDING", "amtFromSpot": "3", "amtFromFunding": "7"}, None),
        ("funding", "ETH", {"transfer": "FUNDING_MAIN"}, "transfer FUNDING_MAIN -10 ETH"),
        ("portfolio", "ETH", {"transfer": "PORTFOLIO_MARGIN_MAIN"}, "transfer PORTFOLIO_MARGIN_MAIN -10 ETH"),
        ("portfolio", "BTC", {"income": True}, "transfer -10 BTC"),
    ],
)
async def test_what_went_out_of_each_wallet(wallet: str, asset: str, row: dict[str, Any], says: str | None) -> None:
    """Subscriptions, redemptions and transfers explain the wallet they came from and no other."""
    moved = {"asset": "ETH", "amount": "10", "time": NOW, "timestamp": NOW}
    async with bench(wallets=UNIFIED) as it:
        if "redeem" in row:
            it.truth.more.redemptions = [moved]
        elif "transfer" in row:
            it.truth.transfers = [{**moved, "type": row["transfer"]}]
        elif "income" in row:
            it.truth.more.income = [{"incomeType": "TRANSFER", "income": "-10", "asset": "BTC", "time": NOW}]
            it.truth.income = [{"incomeType": "TRANSFER", "income": "-1", "asset": "USDT", "time": NOW}]
        else:
            it.truth.more.subscriptions = [{**moved, **row}]
        found = await it.reader.explain(doubt(wallet, asset, "10", "0"), SINCE)
    assert found == (says and f"since 2026-11-02 11:59 UTC: {says}")


async def test_requests_of_every_wallet() -> None:
    """Thirteen requests for a full read of five wallets with linear and inverse quotes, twelve in portfolio margin."""

    async def full(it: Any) -> list[str]:
        await asyncio.gather(
            *(it.reader.balances(wallet) for wallet in it.reader.wallets),
            it.reader.derivatives(),
            it.market.quotes([PERPETUAL, BITCOIN]),
        )
        await it.settled()
        return list(it.paths())

    for wallets, count in ((("spot", "margin", "swap", "funding", "earn"), 13), (UNIFIED, 12)):
        async with bench(wallets=wallets) as it:
            it.truth.more.unified = [unified("USDT", crossMarginFree="100")]
            await full(it)
            it.clock.advance(60)
            assert len(await full(it)) == count
            assert it.server.writes == []


async def test_a_position_in_an_unlisted_coin_contract_fails_the_read() -> None:
    """Without its face value it has no size."""
    async with bench(wallets=UNIFIED) as it:
        it.truth.more.held = {"BTCUSD_PERP": CoinHeld(D(-30), D(50000))}
        rows = [{**row, "symbol": "GONEUSD_PERP"} for row in it.truth.more.portfolio_coin_risk()]
        it.server.replies["/papi/v1/cm/positionRisk"] = json.dumps(rows)
        it.truth.positions = {"ETHUSDT": Held(D(1), D(3000))}
        with pytest.raises(Unreadable, match="GONEUSD_PERP"):
            await it.reader.derivatives()
