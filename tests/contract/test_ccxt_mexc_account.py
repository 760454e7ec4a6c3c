"""One account at MEXC: its wallets, positions, margin and key, read through real ccxt over real TLS."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.errors import Refused, Unreadable
from hedged.model.instrument import InstrumentId
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Margin, Position
from tests.venues.mexc_bench import INVERSE, PERPETUAL, bench, enveloped
from tests.venues.mexc_venue import Held, Lent, Pool

D = Decimal
SOLANA = InstrumentId("main:SOL/USDT:USDT")
POSITIONS, TICKER = "/api/v1/private/position/open_positions", "/api/v1/contract/ticker"


async def test_reads_each_wallet() -> None:
    """Spot is free and locked, margin carries principal plus interest as debt, futures what was paid in."""
    async with bench() as it:
        spot = await it.reader.balances("spot")
        margin = await it.reader.balances("margin")
        swap = await it.reader.balances("swap")
    assert spot.value == (Balance("ETH", D(10), D("1.5")), Balance("USDT", D(500)))
    assert margin.value == (Balance("SOL", D(1), D(2), D("30.25")),)
    assert swap.value == (Balance("USDT", D(10000)),)
    assert spot.as_of == margin.as_of == swap.as_of == it.clock.now()


async def test_the_futures_wallet_is_neither_profit_nor_bonus() -> None:
    """Coins and dollars as paid in and realised, with profit, loss, bonus and orders on top left out."""
    async with bench() as it:
        it.truth.pools = {"USDT": Pool(D(10000), bonus=D(50), frozen=D(100)), "BTC": Pool(D("0.5"))}
        it.truth.positions["BTC_USD"] = Held(D(300), D(50000))
        swap = await it.reader.balances("swap")
    assert {balance.asset: round(balance.free, 8) for balance in swap.value} == {"USDT": 10000, "BTC": D("0.5")}


async def test_margin_accounts_of_all_pairs_are_added_up() -> None:
    """Each pair is an account of its own; the venue shows five at a time; debts of one coin add up."""
    async with bench() as it:
        for asset in ("BTC", "ETH", "SOL", "LINK", "USDC", "STEPN"):
            it.truth.margin[f"{asset}USDT"] = {
                asset: Lent(D(1), D(0), D("0.5"), D("0.125")),
                "USDT": Lent(D(100), D(10), D(7), D("0.25")),
            }
        margin = {balance.asset: balance for balance in (await it.reader.balances("margin")).value}
        assert it.paths().count("/api/v3/margin/isolated/account") == 2
    assert margin["USDT"] == Balance("USDT", D(600), D(60), D("43.5"))
    assert margin["BTC"] == Balance("BTC", D(1), D(0), D("0.625"))
    assert len(margin) == 7


async def test_a_margin_account_that_is_not_shown_fails_the_read() -> None:
    """A pair that was asked for and is missing from the reply may hold a debt: nothing is read."""
    async with bench() as it:
        it.server.replies["/api/v3/margin/isolated/account"] = json.dumps({"assets": []})
        with pytest.raises(Unreadable, match="assets are not those of the pairs"):
            await it.reader.balances("margin")


async def test_a_venue_that_lends_on_nothing_has_no_margin_wallet() -> None:
    """Where no pair can be asked for, the wallet is refused with the way out, not empty."""
    async with bench() as it:
        it.truth.margin = {}
        with pytest.raises(Refused, match="leave margin out of wallets"):
            await it.reader.balances("margin")


async def test_an_empty_account_is_empty() -> None:
    """A well-formed reply without coins or positions means that there are none, and needs no maintenance margin."""
    async with bench() as it:
        it.truth.spot, it.truth.positions = {}, {}
        assert (await it.reader.balances("spot")).value == ()
        derivatives = (await it.reader.derivatives()).value
    assert derivatives.positions == ()
    assert derivatives.margin == Margin(D(10000), D(0), D(10000))


async def test_positions_are_signed_contracts() -> None:
    """Long and short, linear and inverse, in one read; what the venue does not tell stays unknown."""
    async with bench() as it:
        it.truth.pools["BTC"] = Pool(D(1))
        it.truth.positions = {
            "ETH_USDT": Held(D(-200), D(3100)),
            "SOL_USDT": Held(D(35), D(140)),
            "BTC_USD": Held(D(-6), D(50000)),
        }
        instruments = await it.market.instruments()
        read = await it.reader.derivatives()
    short, long, inverse = read.value.positions
    assert short == Position(PERPETUAL, D(-200), entry_price=D(3100), liquidation_price=D(6000))
    assert (short.unrealised_pnl, short.maintenance_margin, short.trusted) == (None, None, True)
    assert long == Position(SOLANA, D(35), entry_price=D(140))
    assert inverse == Position(INVERSE, D(-6), entry_price=D(50000), liquidation_price=D(120000))
    assert instruments[PERPETUAL].base_quantity(short.contracts, D(3000)) == -2
    assert instruments[SOLANA].base_quantity(long.contracts, D(150)) == D("3.5")
    assert instruments[INVERSE].base_quantity(inverse.contracts, D(60000)) == D("-0.01")
    assert instruments[INVERSE].notional(inverse.contracts, D(60000)) == -600
    assert read.as_of == it.clock.now()


@pytest.mark.parametrize("market_id", ["ETH_USDT", "BTC_USD"])
@pytest.mark.parametrize(
    ("factors", "trusted"),
    [
        ({"oim": 1, "im": 1}, True),
        ({"oim": 1.06, "im": 1.06}, True),  # with fees
        ({"oim": 1, "im": 30}, True),  # the user added to it
        ({"oim": None, "im": 1}, True),
        ({"oim": None, "im": None}, True),  # nothing to hold it against
        ({"oim": 10, "im": 10}, False),
        ({"oim": 0.1, "im": None}, False),
        ({"leverage": 10}, False),
        ({"leverage": None}, True),
    ],
    ids=str,
)
async def test_a_size_that_its_margin_contradicts_is_not_trusted(
    market_id: str, factors: dict[str, float | None], trusted: bool
) -> None:
    """Margin × leverage is about the value at entry, in coins for an inverse contract; ten times as much is not."""
    async with bench() as it:
        it.truth.pools["BTC"] = Pool(D(1))
        it.truth.positions = {market_id: Held(D(-200), it.truth.mark(market_id))}
        (row,) = it.truth.open_positions()
        for name, factor in factors.items():
            row[name] = None if factor is None else row[name] * factor
        it.server.replies[POSITIONS] = enveloped([row])
        (position,) = (await it.reader.derivatives()).value.positions
    assert position.trusted is trusted


async def test_positions_and_margin_are_as_old_as_the_older_reply() -> None:
    """Wallet and positions come in two replies: the read is dated by the one that arrived first."""
    async with bench() as it:
        await it.market.instruments()
        start, arrives = it.clock.now(), asyncio.Event()
        it.server.held[POSITIONS] = arrives
        asking = asyncio.create_task(it.reader.derivatives())
        async with asyncio.timeout(5):
            while "/api/v1/private/account/assets" not in it.paths():
                await asyncio.sleep(0)
            await it.settled()
        it.clock.advance(5)
        arrives.set()
        assert (await asking).as_of == start


async def test_margin_is_equity_without_bonus_and_unknown_maintenance() -> None:
    """Equity is wallet plus unrealised profit; the venue's bonus is not ours; its maintenance is not told."""
    async with bench() as it:
        it.truth.pools["USDT"] = Pool(D(10000), bonus=D(50))
        margin = (await it.reader.derivatives()).value.margin
    assert margin == Margin(equity=D(10200), maintenance=None, available=D(9430))


async def test_a_coin_margined_account_is_valued_at_the_mark() -> None:
    """Equity in bitcoin becomes dollars; the mark is asked for only where it is needed."""
    async with bench() as it:
        it.truth.pools["BTC"] = Pool(D("0.5"))
        it.truth.positions = {"BTC_USD": Held(D(-60), D(60000))}
        margin = (await it.reader.derivatives()).value.margin
        assert it.paths().count(TICKER) == 1
        it.truth.positions = {"ETH_USDT": Held(D(-1), D(3000))}
        await it.reader.derivatives()
        assert TICKER not in it.paths()
    assert margin is not None
    assert (margin.equity, margin.maintenance, margin.available) == (30000, None, D(29400))


async def test_the_pool_that_is_used_most_is_the_margin() -> None:
    """Pools do not back each other: of two, the one whose positions take more of its equity is shown."""
    async with bench() as it:
        it.truth.pools = {"USDT": Pool(D(10000)), "USDC": Pool(D(40))}
        it.truth.positions = {"ETH_USDT": Held(D(-200), D(3000)), "ETH_USDC": Held(D(-1), D(3000))}
        first = (await it.reader.derivatives()).value.margin
        it.truth.pools["USDC"] = Pool(D(100000))
        both = (await it.reader.derivatives()).value
    assert (first.equity, both.margin.equity) == (40, 10000)  # type: ignore[union-attr]
    assert both.equities == {"USDT": D(10000), "USDC": D(100000)}


async def test_a_position_without_its_wallet_is_half_a_reply() -> None:
    """Something backs every position: a reply without that currency is torn."""
    async with bench() as it:
        it.truth.pools = {"USDC": Pool(D(1))}
        with pytest.raises(Unreadable, match="settled in USDT, but no wallet"):
            await it.reader.derivatives()


async def test_no_wallet_and_no_position_is_an_unknown_margin() -> None:
    """Without a wallet in USDT there is no margin to speak of, not a margin of zero."""
    async with bench() as it:
        it.truth.pools, it.truth.positions = {}, {}
        assert (await it.reader.derivatives()).value.margin is None


async def test_a_position_in_an_unlisted_symbol_fails_the_read() -> None:
    """Without its listing a contract's size is unknown: the read names the symbol and gives nothing."""
    async with bench() as it:
        rows = [{**it.truth.open_positions()[0], "symbol": "GONE_USDT"}]
        it.server.replies[POSITIONS] = enveloped(rows)
        with pytest.raises(Unreadable, match="GONE_USDT"):
            await it.reader.derivatives()


@pytest.mark.parametrize(
    ("fields", "says"), [({"positionType": 3}, "neither long nor short"), ({"holdVol": -1}, "below zero")]
)
async def test_a_side_that_is_unknown_fails_the_read(fields: dict[str, Any], says: str) -> None:
    """What is neither 1 nor 2 is not taken for a short, nor a negative size for a long."""
    async with bench() as it:
        it.server.replies[POSITIONS] = enveloped([{**it.truth.open_positions()[0], **fields}])
        with pytest.raises(Unreadable, match=says):
            await it.reader.derivatives()


async def test_a_closed_position_is_none() -> None:
    """A row without contracts is history, whatever contract it was in."""
    async with bench() as it:
        it.server.replies[POSITIONS] = enveloped(
            [{**it.truth.open_positions()[0], "symbol": "GONE_USDT", "holdVol": 0}]
        )
        assert (await it.reader.derivatives()).value.positions == ()


async def test_hedge_mode_is_refused_with_the_way_out() -> None:
    """The venue's own default: the message tells what to close and what to choose; nothing open is nothing in it."""
    async with bench() as it:
        it.truth.position_mode, held = 1, it.truth.positions
        it.truth.positions = {}
        assert (await it.reader.derivatives()).value.positions == ()
        it.truth.positions = held
        with pytest.raises(Refused, match="choose One-Way Mode \\(Futures → Settings → Position Mode\\)"):
            await it.reader.derivatives()


async def test_an_unknown_mode_or_two_positions_in_one_contract_fail_the_read() -> None:
    """A mode that is neither, and a short beside a long in one-way mode, are not understood."""
    async with bench() as it:
        it.truth.position_mode = 3
        with pytest.raises(Unreadable, match="no position mode"):
            await it.reader.derivatives()
        it.truth.position_mode = 2
        it.server.replies[POSITIONS] = enveloped(it.truth.open_positions() * 2)
        with pytest.raises(Unreadable, match="two positions in ETH_USDT"):
            await it.reader.derivatives()


READING = "SPOT_ACCOUNT_READ,SPOT_DEAL_READ,CONTRACT_ACCOUNT_READ,CONTRACT_DEAL_READ,SPOT_WITHDRAW_READ"


@pytest.mark.parametrize(
    ("scopes", "read", "trade", "withdraw"),
    [
        (READING, True, False, False),
        ("SPOT_DEAL_WRITE", False, False, False),
        (f"{READING}, CONTRACT_DEAL_WRITE", True, True, False),
        (f"{READING},SPOT_WITHDRAW_WRITE", True, False, True),
    ],
)
async def test_permissions_of_the_key(scopes: str, read: bool, trade: bool, withdraw: bool) -> None:
    """By the names of its scopes: reading withdrawals is not withdrawing, trading spot is not trading futures."""
    async with bench() as it:
        it.truth.scopes = scopes
        told = await it.opened._line.signed(lambda: it.dialect.permissions(it.connection))
    expires = it.clock.now() + timedelta(days=82)
    assert told == Permissions(read=read, trade=trade, withdraw=withdraw, bound_to_address=False, expires=expires)


async def test_a_bound_key_does_not_expire() -> None:
    """A key that lists addresses is bound to them; without days left there is no date."""
    async with bench() as it:
        it.truth.addresses, it.truth.days_left = "192.0.2.1,192.0.2.2", None
        told = await it.opened._line.signed(lambda: it.dialect.permissions(it.connection))
    assert told is not None
    assert (told.bound_to_address, told.expires) == (True, None)
