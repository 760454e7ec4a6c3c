"""Real ccxt over real TLS to a local Kraken: coins, what earns, margin positions; nonces; how the venue says no."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.adapters.exchanges.ccxt_account import open_ccxt
from hedged.errors import ConfigurationError, Refused, Unreachable, Unreadable
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Derivatives, Doubt
from tests.support import T0, ManualClock
from tests.venues.bench import Bench
from tests.venues.kraken_bench import KEYS, WALLETS, bench
from tests.venues.kraken_server import KrakenServer
from tests.venues.kraken_venue import Coins, Held

D = Decimal
It = Bench[KrakenServer]
PRIVATE = "/0/private"


async def test_a_full_read_takes_the_fewest_requests() -> None:
    """Five requests for the first full read of all wallets, three for each later one, none of them a write."""
    warm = [f"{PRIVATE}/BalanceEx", f"{PRIVATE}/OpenPositions", "/0/public/Ticker"]
    async with bench() as it:
        await _read_everything(it)
        assert sorted(it.paths()) == sorted([*warm, "/0/public/AssetPairs", "/0/public/Time"])
        it.clock.advance(60)
        await _read_everything(it)
        assert sorted(it.paths()) == sorted(warm)
        assert it.server.writes == []


async def _read_everything(it: It) -> None:
    await asyncio.gather(
        *(it.reader.balances(wallet) for wallet in it.reader.wallets),
        it.reader.derivatives(),
        it.market.prices(["ETH", "SOL"], "USD"),
    )


async def test_reads_each_wallet() -> None:
    """Coins with what orders hold, a used credit line as debt, an uncleared deposit; what earns as its coin."""
    async with bench() as it:
        spot, earn = await it.reader.balances("spot"), await it.reader.balances("earn")
    assert spot.value == (Balance("ETH", D("8.5"), D("1.5")), Balance("USD", D(500), D(40), D(200)))
    assert earn.value == (Balance("ETH", D(2)), Balance("BTC", D("0.25")), Balance("DOT", D(30)))
    assert spot.as_of == earn.as_of == it.clock.now()


@pytest.mark.parametrize(
    ("coins", "expected"),
    [
        ({"XXDG": Coins(D(7))}, Balance("DOGE", D(7))),
        ({"SOL": Coins(D(1), D(3))}, Balance("SOL", D(0), D(1))),
        ({"ZUSD": Coins(D(-25))}, Balance("USD", D(0), D(0), D(25))),
        ({"AAPLx.T": Coins(D(2))}, Balance("AAPLX", D(2))),
    ],
    ids=["old name", "more held than there is", "below zero is owed", "a tokenised share"],
)
async def test_what_a_balance_is(coins: dict[str, Coins], expected: Balance) -> None:
    """Each form in which the venue shows one; what it does not explain is the user's and of its own name."""
    async with bench() as it:
        it.truth.coins = coins
        assert (await it.reader.balances("spot")).value == (expected,)


async def test_margin_positions_are_coins_against_debts() -> None:
    """What is still open of a short is owed in coins, of a long in the quote, each at its cost."""
    async with bench() as it:
        margin = await it.reader.balances("margin")
        it.truth.positions = [Held("ETHUSD", "buy", D(2), D(6100)), Held("XETHZUSD", "sell", D(2), D(6200))]
        both = await it.reader.balances("margin")
    assert set(margin.value) == {
        Balance("USD", D(0), D(9300), D(3000)),
        Balance("SOL", D(0), D(20)),
        Balance("ETH", D(0), D(0), D(3)),
    }
    assert [(coin.asset, coin.net) for coin in both.value] == [("ETH", 0), ("USD", 100)]


@pytest.mark.parametrize("wallets", [["spot"], ["spot", "earn"]])
async def test_margin_positions_that_no_wallet_counts_are_refused(wallets: list[str]) -> None:
    """Without the margin wallet they would be read by nobody: the account is refused, with the two ways out."""
    async with bench(wallets=wallets) as it:
        with pytest.raises(Refused, match="add margin to this account's wallets to count them, or close them"):
            await it.reader.derivatives()
        it.truth.positions = [Held("SOLUSD", "buy", D(20), D(3000), closed=D(20))]
        assert (await it.reader.derivatives()).value == Derivatives((), None)


async def test_there_are_no_contracts() -> None:
    """Neither listed nor held: derivatives are another account with its own keys."""
    async with bench() as it:
        assert await it.market.instruments() == {}
        assert (await it.reader.derivatives()).value == Derivatives((), None)
        assert it.paths() == ["/0/public/AssetPairs", "/0/public/Time"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"pair": "GONEUSD"}, "a margin position in GONEUSD, which the venue does not list"),
        ({"type": "hold"}, "type or vol_closed of a margin position in ETH/USD"),
        ({"vol_closed": "5"}, "type or vol_closed of a margin position in ETH/USD"),
        ({"cost": "-1"}, "cost is below zero"),
        ({"vol": None}, "vol is null"),
    ],
)
async def test_a_margin_position_that_is_not_clear_fails_the_read(change: dict[str, Any], says: str) -> None:
    """None is left out of the rest."""
    async with bench() as it:
        rows = it.truth.open_positions()
        rows["TGUFMY-FLESJ-VYIX0"] |= change
        it.server.replies[f"{PRIVATE}/OpenPositions"] = json.dumps({"error": [], "result": rows})
        with pytest.raises(Unreadable, match=says):
            await it.reader.balances("margin")


@pytest.mark.parametrize("result", [{}, []])
async def test_an_empty_account_is_empty(result: Any) -> None:
    """A well-formed reply without coins or positions means that there are none."""
    async with bench() as it:
        it.truth.coins = {}
        it.server.replies[f"{PRIVATE}/OpenPositions"] = json.dumps({"error": [], "result": result})
        for wallet in WALLETS:
            assert (await it.reader.balances(wallet)).value == ()


async def test_prices_only_what_trades_against_the_quote() -> None:
    """Last prices of open markets in one request; halted and priceless ones are absent."""
    async with bench() as it:
        it.truth.halted, it.truth.prices["XXBTZUSD"] = {"SOLUSD"}, D(0)
        prices = await it.market.prices(["ETH", "BTC", "USDT", "SOL", "NONE", "USD"], "USD")
        in_euro = await it.market.prices(["ETH"], "EUR")
        assert it.paths() == ["/0/public/AssetPairs", "/0/public/Ticker", "/0/public/Ticker"]
    assert {asset: read.value for asset, read in prices.items()} == {"ETH": 3000, "USDT": D("0.9998"), "USD": 1}
    assert prices["ETH"].as_of == it.clock.now()
    assert in_euro["ETH"].value == 2600


async def test_private_calls_go_one_at_a_time_with_growing_nonces() -> None:
    """Of two on their way the later nonce might arrive first: the second waits until the first is answered."""
    async with bench() as it:
        await it.reader.balances("margin")
        it.paths()
        held = it.server.held[f"{PRIVATE}/BalanceEx"] = asyncio.Event()
        first = asyncio.ensure_future(it.reader.balances("spot"))
        second = asyncio.ensure_future(it.reader.balances("margin"))
        third = asyncio.ensure_future(it.opened.permissions())
        while not it.server.requests:
            await asyncio.sleep(0)
        for _ in range(50):
            await asyncio.sleep(0)
        assert it.paths() == [f"{PRIVATE}/BalanceEx"]
        held.set()
        await asyncio.gather(first, second, third)
        assert sorted(it.paths()) == [f"{PRIVATE}/GetApiKeyInfo", f"{PRIVATE}/OpenPositions"]


async def test_a_nonce_that_does_not_grow_is_no_refusal() -> None:
    """Another program with the same key may have sent a larger one: ask the time, once more, then the next cycle."""
    async with bench() as it:
        await it.reader.balances("spot")
        it.server.nonce = 10**15
        it.paths()
        with pytest.raises(Unreachable, match="EAPI:Invalid nonce"):
            await it.reader.balances("spot")
        assert it.paths() == [f"{PRIVATE}/BalanceEx", "/0/public/Time", f"{PRIVATE}/BalanceEx"]


async def test_signs_with_the_venues_time() -> None:
    """A clock a day behind still gives nonces larger than those that the venue has seen."""
    async with bench() as it:
        it.truth.now = lambda: int((it.clock.now() + timedelta(days=1)).timestamp() * 1000)
        it.server.nonce = it.truth.now() - 2000
        assert (await it.reader.balances("spot")).value
        assert it.opened.skew_seconds == -86400


@pytest.mark.parametrize(("ahead", "skew"), [(0.0, 0), (0.9, 0), (2.5, 2), (-2.5, -2)])
async def test_whole_seconds_are_not_taken_for_skew(ahead: float, skew: float) -> None:
    """The venue tells its time up to a second older than it is: only what is beyond that is certain."""
    async with bench() as it:
        it.truth.now = lambda: int((it.clock.now() - timedelta(seconds=ahead)).timestamp() * 1000)
        await it.reader.balances("spot")
        assert it.opened.skew_seconds == skew


@pytest.mark.parametrize(
    ("permissions", "ips", "until", "expected"),
    [
        (("query-funds",), (), 0, Permissions(read=True, trade=False, withdraw=False, bound_to_address=False)),
        (
            ("query-funds", "modify-trades"),
            ("10.0.0.1",),
            1800000000,
            Permissions(
                read=True,
                trade=True,
                withdraw=False,
                bound_to_address=True,
                expires=datetime(2027, 1, 15, 8, tzinfo=UTC),
            ),
        ),
        (("withdraw-funds",), (), 0, Permissions(read=False, trade=False, withdraw=True, bound_to_address=False)),
        (
            ("query-funds", "add-withdraw-address"),
            (),
            0,
            Permissions(read=True, trade=False, withdraw=True, bound_to_address=False),
        ),
    ],
)
async def test_tells_what_the_key_may_do(
    permissions: tuple[str, ...], ips: tuple[str, ...], until: int, expected: Permissions
) -> None:
    """Reading, trading, withdrawing or preparing it, from which addresses and until when."""
    async with bench() as it:
        it.truth.permissions, it.truth.ips, it.truth.valid_until = permissions, ips, until
        assert await it.opened.permissions() == expected


@pytest.mark.parametrize(
    ("name", "wallet", "coin"),
    [
        *((f"ETH.{ending}", "earn", "ETH") for ending in "BFMPS"),
        *((name, "earn", "ETH") for name in ("ETH2", "ETH2.S", "ETH14.S")),
        *((f"XBT.{ending}", "earn", "BTC") for ending in "BFM"),
        *(("DOT28.S", "earn", "DOT"), ("SOL03.S", "earn", "SOL"), ("C98.S", "earn", "C98"), ("USD.M", "earn", "USD")),
        *(("ETH.T", "spot", "ETH"), ("XBT.T", "spot", "BTC"), ("USD.HOLD", "spot", "USD"), ("XETH", "spot", "ETH")),
        *(("1INCH", "spot", "1INCH"), ("C98", "spot", "C98"), ("ETH.Q", "spot", "ETH.Q"), ("ETH3", "spot", "ETH3")),
    ],
)
async def test_every_ending_is_its_coin_once(name: str, wallet: str, coin: str) -> None:
    """In one wallet and no other, beside the coin itself and with it; an ending that is not known has its own name."""
    async with bench() as it:
        it.truth.coins = {name: Coins(D(2)), "ADA.F": Coins(D(1)), "XXDG": Coins(D(1))}
        held = {each: (await it.reader.balances(each)).value for each in ("spot", "earn")}
        found = {(each, row.asset): row.free + row.locked for each, rows in held.items() for row in rows}
        assert found == {(wallet, coin): 2, ("earn", "ADA"): 1, ("spot", "DOGE"): 1}


async def test_names_of_one_coin_in_one_wallet_are_summed() -> None:
    """Staked for different times, earning by itself: one balance."""
    async with bench() as it:
        it.truth.coins = {"DOT.S": Coins(D(1)), "DOT28.S": Coins(D(2)), "DOT.F": Coins(D(4)), "DOT": Coins(D(8))}
        assert (await it.reader.balances("earn")).value == (Balance("DOT", D(7)),)
        assert (await it.reader.balances("spot")).value == (Balance("DOT", D(8)),)


_SPENT = Doubt("main/spot/ETH", "main", "ETH", None, D(10), D(1), polls=1)


async def test_the_ledger_explains_what_became_of_a_balance() -> None:
    """Movements of the coin under all of its names, fees included; other coins and earlier times do not count."""
    async with bench() as it:
        await it.reader.balances("spot")
        it.truth.booked("ZUSD", "-9", "trade")
        it.truth.booked("XETH", "-5", "withdrawal", fee="0.5")
        assert await it.reader.explain(_SPENT, T0) is None
        it.truth.booked("XETH", "-3.5", "trade")
        said = "since 2026-11-02 12:00 UTC: trade -3.5 ETH, withdrawal -5.5 ETH"
        assert await it.reader.explain(_SPENT, T0) == said
        assert await it.reader.explain(_SPENT, T0 + timedelta(minutes=1)) is None
        staked = Doubt("main/earn/ETH", "main", "ETH", None, D(2), D(0), polls=1)
        it.truth.booked("ETH.F", "-2", "transfer")
        assert await it.reader.explain(staked, T0) == "since 2026-11-02 12:00 UTC: transfer -2 ETH"
        assert await it.reader.explain(_SPENT, T0) == said, "what was staked is another wallet's"
        margin = Doubt("main/margin/ETH", "main", "ETH", None, D(2), D(0), polls=1)
        assert await it.reader.explain(margin, T0) is None, "of positions the ledger tells only fees and profit"


async def test_a_page_that_lacks_movements_explains_nothing() -> None:
    """The venue tells how many there are in all."""
    async with bench() as it:
        await it.reader.balances("spot")
        for _ in range(51):
            it.truth.booked("XETH", "-9", "trade")
        assert await it.reader.explain(_SPENT, T0) is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"apiKey": "unknown"}, "the venue does not know this key"),
        ({"secret": "d3Jvbmc="}, "the secret does not belong to this key"),
    ],
)
async def test_a_wrong_key_is_refused(change: dict[str, str], says: str) -> None:
    """The venue's refusal becomes one, with what to do about it, although its status is 200."""
    async with bench(credentials=KEYS | change) as it:
        for read in (*map(it.reader.balances, WALLETS), it.opened.permissions(), it.reader.explain(_SPENT, T0)):
            with pytest.raises(Refused, match=says):
                await read


@pytest.mark.parametrize(
    ("status", "error", "kind", "says"),
    [
        (200, ["EGeneral:Permission denied"], Refused, "allow Query Funds, Query Open Orders"),
        (200, ["EAPI:Rate limit exceeded"], Unreachable, "EAPI:Rate limit exceeded"),
        (200, ["EService:Throttled: 1793620800"], Unreachable, "EService:Throttled"),
        (200, ["EService:Unavailable"], Unreachable, "EService:Unavailable"),
        (200, ["EGeneral:Invalid arguments"], Refused, "EGeneral:Invalid arguments"),
        (200, ["EQuery:Never heard of"], Unreadable, "EQuery:Never heard of"),
        (200, None, Unreadable, "unknown form"),
        (520, [], Unreachable, "HTTP 520"),
    ],
)
async def test_each_way_to_say_no_is_told_apart(status: int, error: Any, kind: type[Exception], says: str) -> None:
    """What a person has to mend, what passes by itself, and what is not an answer, also where the status is 200."""
    async with bench() as it:
        reply = json.dumps({"error": error, "result": it.truth.balance_ex()})
        it.server.responses[f"{PRIVATE}/BalanceEx"] = {"status": status, "text": reply}
        with pytest.raises(kind, match=f"main: balances: .*{says}"):
            await it.reader.balances("spot")


async def test_public_data_needs_no_key() -> None:
    """Without credentials there is a market reader, no account reader, and no private call."""
    async with bench(credentials=None) as it:
        assert it.opened.reader is None
        assert (await it.market.prices(["ETH"], "USD"))["ETH"].value == 3000
        assert it.paths() == ["/0/public/AssetPairs", "/0/public/Ticker"]


async def test_there_is_no_sandbox() -> None:
    """Asking for one is a configuration error that says so."""
    with pytest.raises(ConfigurationError, match="has no test system"):
        await open_ccxt("main", "kraken", ["spot"], KEYS, clock=ManualClock(), sandbox=True)


@pytest.mark.parametrize(
    "write",
    [
        lambda venue: venue.create_order("ETH/USD", "market", "sell", 1),
        lambda venue: venue.cancel_all_orders(),
        lambda venue: venue.cancel_all_orders_after(1000),
        lambda venue: venue.privatePostWithdraw({"asset": "XETH", "key": "k", "amount": "1"}),
        lambda venue: venue.privatePostWalletTransfer({"asset": "XETH", "amount": "1"}),
        lambda venue: venue.privatePostEarnAllocate({"strategy_id": "s", "amount": "1"}),
        lambda venue: venue.privatePostGetWebSocketsToken(),
        lambda venue: venue.privatePostAddExport({"report": "trades"}),
    ],
)
async def test_nothing_that_writes_leaves(write: Any) -> None:
    """Private calls are POSTs all: those that are not on the list of reading ones never go out."""
    async with bench() as it:
        await it.market.instruments()
        it.paths()
        with pytest.raises(Refused, match="not on the list of this line's calls"):
            await write(it.exchange)
        assert it.paths() == []
