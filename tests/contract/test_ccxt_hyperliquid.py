"""Real ccxt over real TLS to a local Hyperliquid: coins, positions of every dex, margin, and what can be asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.adapters.exchanges.dialects import hyperliquid_markets
from hedged.adapters.exchanges.guard import NotAllowed
from hedged.assess.exposure import delta_of
from hedged.errors import ConfigurationError, Refused, Unreadable, VenueError
from hedged.model.instrument import InstrumentId, MarginTier
from hedged.model.snapshot import Balance, Doubt, Margin, Position, Quote
from tests.support import T0
from tests.venues.bench import Bench
from tests.venues.hyperliquid_bench import GOLD, KEYS, OTHER_ETH, PERPETUAL, TRADING_KEYS, bench
from tests.venues.hyperliquid_server import ADDRESS
from tests.venues.hyperliquid_venue import DEXES, Held

D = Decimal
NOW = 1793620800000  # T0 in the venue's milliseconds
SINCE = T0 - timedelta(minutes=1)
SOL = InstrumentId("main:SOL/USDC:USDC")
WARM = [  # a full read of three wallets, three dexes, quotes of one and spot prices
    "userAbstraction",
    "spotClearinghouseState",
    "delegatorSummary",
    *["clearinghouseState"] * 3,
    "metaAndAssetCtxs",
    "spotMetaAndAssetCtxs",
]
COLD = ["exchangeStatus", "userRole", "perpDexs", "spotMetaAndAssetCtxs", *["metaAndAssetCtxs"] * 3, *WARM]


def asked(it: Bench[Any]) -> list[str]:
    return [path.removeprefix("/info/") for path in it.paths()]


async def positions(it: Bench[Any]) -> dict[InstrumentId, Position]:
    return {position.instrument: position for position in (await it.reader.derivatives()).value.positions}


async def coins(it: Bench[Any], wallet: str) -> dict[str, Balance]:
    return {balance.asset: balance for balance in (await it.reader.balances(wallet)).value}


async def test_each_wallet_has_its_coins_and_none_has_anothers() -> None:
    """Spot by our names, what backs each dex's contracts without open profit, and all HYPE that is staked."""
    async with bench() as it:
        assert await coins(it, "spot") == {
            "ETH": Balance("ETH", D("11.0"), locked=D("1.5")),
            "BTC": Balance("BTC", D("0.5")),
            "USDC": Balance("USDC", D(250)),
            "BTC@300": Balance("BTC@300", D(7000)),
        }
        assert await coins(it, "swap") == {"USDC": Balance("USDC", D(10500)), "USDE": Balance("USDE", D(300))}
        assert await coins(it, "earn") == {"HYPE": Balance("HYPE", D("107.5"))}
        it.truth.staked = (D(0), D(0), D(0))
        assert await coins(it, "earn") == {}


@pytest.mark.parametrize("mode", ["unifiedAccount", "portfolioMargin"])
async def test_a_pooled_account_has_all_in_one_wallet(mode: str) -> None:
    """There what a dex says of collateral means nothing: it is in the spot wallet and counted once; a debt is one."""
    async with bench() as it:
        it.truth.mode = mode
        it.truth.cash = {}
        it.truth.spot = {"USDC": (D(10900), D(300)), "HYPE": (D(-4), D(0))}
        assert await coins(it, "swap") == {}
        assert await coins(it, "spot") == {
            "USDC": Balance("USDC", D(10600), locked=D(300)),
            "HYPE": Balance("HYPE", D(0), debt=D(4)),
        }


async def test_positions_of_every_dex_in_coins() -> None:
    """Signed, whichever dex they are on, with the venue's prices of liquidation and maintenance by its tables."""
    async with bench() as it:
        held, listed = await positions(it), await it.market.instruments()
    assert {name: position.contracts for name, position in held.items()} == {
        PERPETUAL: D(-2),
        SOL: D(40),
        GOLD: D("0.5"),
        OTHER_ETH: D("-0.25"),
    }
    short = held[PERPETUAL]
    assert delta_of(listed[PERPETUAL], short) == -2
    assert (short.entry_price, short.unrealised_pnl, short.maintenance_margin) == (D(3100), D(200), D(120))
    assert short.liquidation_price == D(6000)
    assert all(position.trusted for position in held.values())


async def test_a_dex_that_does_not_answer_leaves_no_positions() -> None:
    """All dexes or none: what cannot be seen is not taken for nothing."""
    async with bench() as it:
        await it.market.instruments()
        it.server.replies["/info/clearinghouseState?dex=hyna"] = "null"
        for read in (it.reader.derivatives(), it.reader.balances("swap")):
            with pytest.raises(Unreadable, match="positions: the reply is null"):
                await read


@pytest.mark.parametrize(
    ("change", "trusted"), [({"positionValue": "600000.0"}, False), ({"szi": "2"}, False), ({}, True)]
)
async def test_a_value_that_does_not_add_up_is_not_trusted(change: dict[str, str], trusted: bool) -> None:
    """Size, entry price and profit have to make the venue's value of the position, sign included."""
    async with bench() as it:
        await it.market.instruments()
        state = it.truth.state("")
        state["assetPositions"][0]["position"] |= change
        it.server.replies["/info/clearinghouseState"] = json.dumps(state)
        it.server.replies["/info/clearinghouseState?dex=xyz"] = json.dumps(it.truth.state("xyz"))
        it.server.replies["/info/clearinghouseState?dex=hyna"] = json.dumps(it.truth.state("hyna"))
        assert (await positions(it))[PERPETUAL].trusted is trusted


@pytest.mark.parametrize(
    ("place", "change", "says"),
    [
        ("position", {"coin": "GONE"}, "GONE, which the venue does not list"),
        ("position", {"leverage": {"type": "another"}}, "margin mode"),
        ("entry", {"type": "hedge"}, "not one-way"),
    ],
)
async def test_a_position_that_is_not_understood_is_no_position(place: str, change: dict[str, Any], says: str) -> None:
    """Nothing about a position is guessed: the read fails and says what it stumbled over."""
    async with bench() as it:
        await it.market.instruments()
        states = {dex: it.truth.state(dex) for dex in DEXES}
        entry = states[""]["assetPositions"][0]
        (entry["position"] if place == "position" else entry).update(change)
        for dex, state in states.items():
            it.server.replies[f"/info/clearinghouseState{'?dex=' + dex if dex else ''}"] = json.dumps(state)
        with pytest.raises(Unreadable, match=says):
            await it.reader.derivatives()


async def test_margin_is_that_of_the_pool_nearest_to_liquidation() -> None:
    """Each dex backs its own cross positions; an isolated one is by itself, and by the venue's table: estimated."""
    async with bench() as it:
        margin = (await it.reader.derivatives()).value.margin
        assert margin == Margin(D("299.625"), D("37.51875"), D("224.9625"))
        it.truth.positions["SOL"] = Held(D(40), D(165), margin=D(800))
        told = (await it.reader.derivatives()).value
        assert told.margin == Margin(D(200), D(150), estimated=True)
        assert told.equities == {"USDE": D("299.625")}, "two dexes have their own USDC"
        del it.truth.positions["xyz:GOLD"]
        assert (await it.reader.derivatives()).value.equities.keys() == {"USDC", "USDE"}
        it.truth.positions = {}
        assert (await it.reader.derivatives()).value.margin == Margin(D(10000), D(0), D(10000))


async def test_margin_of_a_unified_account_is_by_coin() -> None:
    """All dexes that take a coin draw on all of it but what isolated positions have set apart."""
    async with bench() as it:
        it.truth.mode = "unifiedAccount"
        it.truth.spot = {"USDC": (D(2000), D(0)), "USDE": (D(9000), D(0))}
        told = (await it.reader.derivatives()).value
        assert told.margin == Margin(D(2000) - 1200, D("152.5"))
        assert told.equities == {"USDC": D(800), "USDE": D(9000)}
        it.truth.mode = "portfolioMargin"
        derivatives = (await it.reader.derivatives()).value
        assert derivatives.margin is None, "its ratio is another one"
        assert len(derivatives.positions) == 4


@pytest.mark.parametrize(
    ("mode", "kind", "says"),
    [
        ("dexAbstraction", Refused, "change it to unified or standard"),
        ("another", Unreadable, "none that is understood"),
    ],
)
async def test_an_account_whose_mode_is_not_read_says_so(mode: str, kind: type[VenueError], says: str) -> None:
    """Where coins are counted depends on the mode: an unknown one is not guessed at."""
    async with bench() as it:
        it.truth.mode = mode
        for read in (it.reader.derivatives(), it.reader.balances("swap")):
            with pytest.raises(kind, match=says):
                await read


@pytest.mark.parametrize(
    ("role", "says"),
    [("agent", "an agent's .* use the account's"), ("missing", "has no account of this walletAddress")],
)
async def test_an_address_that_holds_nothing_by_its_nature_is_refused(role: str, says: str) -> None:
    """For an agent's address, or one it has never seen, the venue answers *empty*: that is not read as empty."""
    async with bench() as it:
        it.truth.role = role
        for read in (*map(it.reader.balances, ("spot", "swap", "earn")), it.reader.derivatives()):
            with pytest.raises(Refused, match=says):
                await read
        it.truth.role = "subAccount"
        assert await coins(it, "spot")


async def test_an_address_that_is_none_is_refused_unasked() -> None:
    """A mistyped address never reaches the venue, and no text repeats it."""
    with pytest.raises(ConfigurationError, match="40 hexadecimal digits") as told:
        async with bench(credentials={"walletAddress": "0x123"}):
            pass
    assert "0x123" not in str(told.value)
    with pytest.raises(ConfigurationError, match="lacks walletAddress"):
        async with bench(credentials={"apiKey": "x"}):
            pass


async def test_contracts_as_the_venue_lists_them() -> None:
    """One coin each; steps by the venue's rule of digits, brackets by its tables, a delisted one not trading."""
    async with bench() as it:
        listed = {i.symbol: i for i in (await it.market.instruments()).values()}
    assert set(listed) == {
        *("BTC/USDC:USDC", "ETH/USDC:USDC", "SOL/USDC:USDC", "OLD/USDC:USDC"),
        *("XYZ-GOLD/USDC:USDC", "HYNA-ETH/USDE:USDE"),
    }
    ether, old = listed["ETH/USDC:USDC"], listed["OLD/USDC:USDC"]
    assert (ether.multiplier, ether.lot_size, ether.tick_size) == (D(1), D("0.0001"), D("0.1"))
    assert (ether.notional_min, ether.expiry, ether.trading) == (D(10), None, True)
    assert listed["BTC/USDC:USDC"].tick_size == 1
    assert (old.trading, old.tick_size) == (False, D("0.00001"))
    assert ether.tiers[0] == MarginTier(D(0), D("0.02"), D(25))
    assert (ether.tiers[1].notional_floor, ether.tiers[1].leverage_max) == (D(100_000_000), D(15))
    assert listed["SOL/USDC:USDC"].tiers == (MarginTier(D(0), D("0.025"), D(20)),)


@pytest.mark.parametrize(
    "change",
    [
        {"szDecimals": "x"},
        {"szDecimals": 7},
        {"maxLeverage": 0, "marginTableId": 3},
        {"marginTableId": 99},
        {"markPx": "-1"},
    ],
)
async def test_a_contract_whose_rules_are_not_understood_is_left_out(change: dict[str, Any]) -> None:
    """That one contract, not the venue."""
    async with bench() as it:
        meta, contexts = it.truth.listing("")
        (contexts if "markPx" in change else meta["universe"])[1] |= change
        it.server.replies["/info/metaAndAssetCtxs"] = json.dumps([meta, contexts])
        for dex in ("xyz", "hyna"):
            it.server.replies[f"/info/metaAndAssetCtxs?dex={dex}"] = json.dumps(it.truth.listing(dex))
        listed = await it.market.instruments()
    assert PERPETUAL not in listed
    assert len(listed) == 5


async def test_quotes_are_the_venues_own() -> None:
    """Mark, impact prices, oracle and hourly funding, one request for each dex; an empty book has no prices."""
    async with bench() as it:
        quotes = await it.market.quotes([PERPETUAL, GOLD])
        asked(it)
        await it.market.quotes([PERPETUAL])
        assert asked(it) == ["metaAndAssetCtxs"]
        meta, contexts = it.truth.listing("")
        contexts[1] |= {"impactPxs": None}
        it.server.replies["/info/metaAndAssetCtxs"] = json.dumps([meta, contexts])
        it.clock.advance(60)
        bare = (await it.market.quotes([PERPETUAL]))[PERPETUAL].value
    hour = datetime(2026, 11, 2, 13, tzinfo=UTC)
    expected = Quote(D(3000), D("2999.7"), D("3000.3"), D(2997), D("0.0000125"), D(1), hour)
    expected = replace(expected, volume_day=D("1169046.29"))
    assert quotes[PERPETUAL].value == expected
    assert quotes[GOLD].value.mark == 2600
    assert (bare.mark, bare.bid, bare.ask) == (D(3000), None, None)


async def test_a_crossed_book_has_no_prices_and_a_torn_list_is_none() -> None:
    """Contracts and marks belong together by their place: with one of them missing, none is believed."""
    async with bench() as it:
        await it.market.instruments()
        meta, contexts = it.truth.listing("")
        contexts[1] |= {"impactPxs": ["3001", "3000"]}
        it.server.replies["/info/metaAndAssetCtxs"] = json.dumps([meta, contexts])
        quote = (await it.market.quotes([PERPETUAL]))[PERPETUAL].value
        assert (quote.bid, quote.ask) == (None, None)
        it.server.replies["/info/metaAndAssetCtxs"] = json.dumps([meta, contexts[1:]])
        it.clock.advance(60)
        with pytest.raises(Unreadable):
            await it.market.quotes([PERPETUAL])


async def test_a_token_that_comes_twice_is_not_counted_twice() -> None:
    """Two rows of one name are not understood: the wallet is not read."""
    async with bench() as it:
        state = it.truth.spot_state()
        state["balances"] += state["balances"][:1]
        it.server.replies["/info/spotClearinghouseState"] = json.dumps(state)
        with pytest.raises(Unreadable, match="a token twice"):
            await it.reader.balances("spot")


def deploy(it: Bench[Any], *, name: str, index: int, canonical: bool = False, listed: bool = True) -> None:
    """Somebody's new token, with a thousand of it sent to the account."""
    listing, state = it.truth.spot_listing, it.truth.spot_state

    def spot_listing() -> list[Any]:
        meta, contexts = listing()
        meta["tokens"].insert(0, {**meta["tokens"][0], "name": name, "index": index, "isCanonical": canonical})
        return [meta, contexts]

    def spot_state() -> dict[str, Any]:
        sent = {"coin": name, "token": index, "hold": "0.0", "total": "1000.0", "entryNtl": "0.0"}
        return {"balances": [*state()["balances"], sent]}

    it.truth.spot_state = spot_state
    if listed:
        it.truth.spot_listing = spot_listing


@pytest.mark.parametrize(
    ("name", "canonical", "listed", "ours"),
    [
        ("LINK", False, True, "LINK@777"),  # a real coin elsewhere
        ("LINK", True, True, "LINK"),  # the venue's word for it
        ("LINK", True, False, "LINK@777"),  # deployed since the last listing: nobody's word yet
        ("UETH", False, True, "UETH@777"),  # an earlier token bears it, which the account holds too
        ("USDE", False, True, "USDE@777"),  # the collateral of a dex is another
        ("USDC", False, True, "USDC@777"),
        ("BTC", True, True, "BTC@777"),  # what UBTC stands for
        ("XBT", False, True, "XBT@777"),  # which ccxt spells BTC
    ],
)
async def test_a_token_under_a_coins_name_is_not_that_coin(name: str, canonical: bool, listed: bool, ours: str) -> None:
    """Whoever sends worthless tokens changes no coin's amount, and the wallet stays readable."""
    async with bench() as it:
        before = await coins(it, "spot")
        deploy(it, name=name, index=777, canonical=canonical, listed=listed)
        await it.exchange.load_markets(reload=True)
        assert await coins(it, "spot") == {**before, ours: Balance(ours, D(1000))}


async def test_a_ledger_row_of_an_ambiguous_name_explains_nothing() -> None:
    """The ledger names a token by its name alone: where two bear it, neither's fall is explained by it."""
    async with bench() as it:
        deploy(it, name="UETH", index=777)
        await it.exchange.load_markets(reload=True)
        names = await hyperliquid_markets.names(it.exchange)
        assert (names.of("UETH"), names.of("UBTC"), names.of("BTC")) == (None, "BTC", "BTC@300")


async def test_prices_are_those_of_spot_pairs() -> None:
    """By our names of the tokens; a token that bears another's name has a price of its own, and no pair no price."""
    async with bench() as it:
        prices = await it.market.prices(["ETH", "BTC", "HYPE", "BTC@300", "DOGE", "USDC"], "USDC")
    assert {asset: price.value for asset, price in prices.items()} == {
        "ETH": 3000,
        "BTC": 60010,
        "HYPE": 35,
        "BTC@300": D("0.01"),
        "USDC": 1,
    }


async def test_a_full_read_takes_the_fewest_requests() -> None:
    """Fifteen requests for the first full read, eight for each later one."""

    async def read_everything() -> None:
        await asyncio.gather(
            *(it.reader.balances(wallet) for wallet in it.reader.wallets),
            it.reader.derivatives(),
            it.market.quotes([PERPETUAL]),
            it.market.prices(["ETH", "SOL"], "USDC"),
        )

    async with bench() as it:
        await read_everything()
        assert sorted(asked(it)) == sorted(COLD)
        it.clock.advance(60)
        await read_everything()
        assert sorted(asked(it)) == sorted(WARM)
        assert (len(COLD), len(WARM)) == (15, 8)
        assert it.clock.slept == [], "within what the venue allows at once"


@pytest.mark.parametrize(
    "keys",
    [KEYS, TRADING_KEYS],
)
async def test_an_address_may_read_and_a_private_key_is_dropped(keys: Mapping[str, str]) -> None:
    """Nothing can be signed by the line that reads, whatever the credentials hold."""
    async with bench(credentials=keys) as it:
        await it.reader.derivatives()
        assert await it.opened.permissions() is not None
        assert await it.opened.hedge_mode() is False
        assert not it.exchange.privateKey
        assert it.server.writes == []


async def test_the_sandbox_is_the_venues_test_net() -> None:
    """With `sandbox` every request goes to the test net's address, without it none does."""
    for sandbox, host in ((True, "api.hyperliquid-testnet.xyz"), (False, "api.hyperliquid.xyz")):
        async with bench(sandbox=sandbox) as it:
            await it.reader.derivatives()
            assert it.server.hosts == {host}


@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (200, '{"error": "Too many cumulative requests sent"}', VenueError, "spot coins"),
        (200, '{"status": "err", "response": "no"}', Unreadable, "spot coins"),
        (422, "Failed to deserialize", Unreadable, "422"),
        (500, "null", VenueError, "500"),
    ],
)
async def test_an_error_is_an_error_whatever_its_status(
    status: int, body: str, kind: type[VenueError], says: str
) -> None:
    """Also in a reply with status 200."""
    async with bench() as it:
        it.server.responses["/info/spotClearinghouseState"] = {"status": status, "text": body}
        with pytest.raises(kind, match=says):
            await it.reader.balances("spot")


def fill(side: str, size: str, coin: str = "ETH", price: str = "3000", **more: Any) -> dict[str, Any]:
    return {"coin": coin, "side": side, "sz": size, "px": price, "closedPnl": "0.0", "time": NOW, "dir": "Buy", **more}


def moved(kind: str, **more: Any) -> dict[str, Any]:
    return {"time": NOW, "hash": "0x1", "delta": {"type": kind, **more}}


@pytest.mark.parametrize(
    ("fills", "says"),
    [
        ([fill("B", "1.5"), fill("B", "0.5")], "2 fills since 2026-11-02 11:59 UTC, +2 contracts in all"),
        (
            [fill("B", "2", dir="Liquidated Cross Short")],
            "1 fills since 2026-11-02 11:59 UTC, +2 contracts in all (Liquidated Cross Short)",
        ),
        ([fill("A", "2")], None),
        ([fill("B", "2", coin="SOL")], None),
        ([fill("B", "2", time=NOW - 61_000)], None),
        ([fill("B", "0.001")] * 2000, None),
        ([], None),
    ],
)
async def test_fills_explain_a_position_if_they_add_up(fills: list[dict[str, Any]], says: str | None) -> None:
    """A closed short is explained by purchases of its size since the last read; a full page may lack some."""
    async with bench() as it:
        it.truth.fills = fills
        doubt = Doubt(PERPETUAL, "main", "ETH", PERPETUAL, D(-2), D(0), polls=1)
        assert await it.reader.explain(doubt, SINCE) == says


@pytest.mark.parametrize(
    ("wallet", "asset", "rows", "fills", "says"),
    [
        (
            "spot",
            "HYPE",
            [moved("cStakingTransfer", token="HYPE", amount="90", isDeposit=True)],
            [],
            "staking -90 HYPE",
        ),
        ("spot", "HYPE", [moved("cStakingTransfer", token="HYPE", amount="90", isDeposit=False)], [], None),
        (
            "earn",
            "HYPE",
            [moved("cStakingTransfer", token="HYPE", amount="90", isDeposit=False)],
            [],
            "staking -90 HYPE",
        ),
        ("swap", "USDC", [moved("accountClassTransfer", usdc="90", toPerp=False)], [], "spot and swap -90 USDC"),
        ("spot", "USDC", [moved("accountClassTransfer", usdc="90", toPerp=False)], [], None),
        ("swap", "USDC", [moved("withdraw", usdc="80"), moved("deposit", usdc="1")], [], None),
        ("swap", "USDC", [moved("withdraw", usdc="90")], [], "withdraw -90 USDC"),
        ("swap", "USDC", [], [fill("B", "1", closedPnl="-90")], "closed positions -90 USDC"),
        ("spot", "ETH", [moved("spotTransfer", token="UETH", amount="90", destination="0x9")], [], "address -90 ETH"),
        ("spot", "ETH", [moved("send", token="UETH", amount="90", destination=ADDRESS)], [], None),
        ("spot", "ETH", [], [fill("A", "90", coin="@151")], "trades -90 ETH"),
        ("spot", "USDC", [], [fill("B", "0.03", coin="@151")], "trades -90.00 USDC"),
        ("spot", "BTC", [moved("spotTransfer", token="BTC", amount="90", destination="0x9")], [], None),
    ],
)
async def test_the_ledger_and_fills_explain_a_balance(
    wallet: str, asset: str, rows: list[dict[str, Any]], fills: list[dict[str, Any]], says: str | None
) -> None:
    """What went out of this wallet in this coin, and nothing that came in or was another's."""
    async with bench() as it:
        it.truth.ledger, it.truth.fills = rows, fills
        doubt = Doubt(f"main/{wallet}/{asset}", "main", asset, None, D(100), D(10), polls=1)
        found = await it.reader.explain(doubt, SINCE)
    assert (found is None) is (says is None), found
    assert (found or "").endswith(says or "")


SYMBOL = "ETH/USDC:USDC"
WRITING: list[tuple[str, tuple[Any, ...]]] = [
    ("create_order", (SYMBOL, "limit", "sell", 1, 3000)),
    ("edit_order", ("1", SYMBOL, "limit", "sell", 1, 3000)),
    ("cancel_order", ("1", SYMBOL)),
    ("cancel_all_orders_after", (10_000,)),
    ("set_leverage", (5, SYMBOL)),
    ("set_margin_mode", ("cross", SYMBOL, {"leverage": 5})),
    ("transfer", ("USDC", 1, "spot", "swap")),
    ("withdraw", ("USDC", 1, "0x" + "1" * 40)),
    ("approve_builder_fee", ("0x" + "1" * 40, "0.01%")),
    ("set_user_abstraction", ("disabled",)),
]


@pytest.mark.parametrize(("method", "arguments"), WRITING, ids=lambda value: value if isinstance(value, str) else "")
async def test_no_writing_method_reaches_the_venue(method: str, arguments: tuple[Any, ...]) -> None:
    """Even with a key put back and ccxt's markets as it wants them, what it signs is stopped before a byte leaves."""
    async with bench() as it:
        await it.reader.derivatives()
        it.paths()
        it.exchange.privateKey = "0x" + "ab" * 32
        it.exchange.options["refSet"] = False
        it.exchange.markets[SYMBOL] |= {"baseId": "1", "precision": {"amount": "0.0001", "price": "0.1"}}
        with pytest.raises(NotAllowed, match="POST /exchange: .*nothing was sent"):
            await getattr(it.exchange, method)(*arguments)
        assert [path for path in it.paths() if not path.startswith("/info/")] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/exchange", '{"action": {"type": "order"}, "type": "perpDexs"}'),
        ("/info", '{"type": "order"}'),
        ("/info", '{"type": "userRole/../../exchange"}'),
        ("/info", '{"type": ["perpDexs"]}'),
        ("/info", '{"action": {}}'),
        ("/info", "not json"),
        ("/info", None),
        ("/info/perpDexs", "{}"),
        ("/info/", '{"type": "perpDexs"}'),
        ("/exchange", None),
    ],
)
async def test_only_listed_questions_leave(path: str, body: str | None) -> None:
    """The body decides what a request does: whatever is not word for word a question that is listed is not sent."""
    async with bench() as it:
        with pytest.raises(NotAllowed, match="nothing was sent"):
            await it.exchange.fetch(f"https://api.hyperliquid.xyz{path}", "POST", {}, body)
        with pytest.raises(NotAllowed, match="nothing was sent"):
            await it.exchange.fetch("https://api.hyperliquid.xyz/info", "PUT", {}, '{"type": "perpDexs"}')
        assert it.paths() == []
