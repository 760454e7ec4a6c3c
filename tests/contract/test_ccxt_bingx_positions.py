"""BingX's positions and margin: signs, units, what is trusted, what is refused, what stays unknown."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest

from hedged.errors import Refused, Unreadable
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Balance, Margin, Position
from tests.venues.bingx_bench import INVERSE, LINEAR, Bench, bench
from tests.venues.bingx_venue import Held

D = Decimal
SOLANA = InstrumentId("main:SOL/USDT:USDT")
POSITIONS, COINS = "/openApi/swap/v2/user/positions", "/openApi/cswap/v1/user/positions"
MODE, ASSETS = "/openApi/swap/v1/positionSide/dual", "/openApi/swap/v1/trade/assetMode"


async def test_positions_are_signed_and_what_the_venue_does_not_tell_is_none() -> None:
    """A short is negative though its amount is not; maintenance is not told, and 0 is no liquidation price."""
    async with bench() as it:
        read = await it.reader.derivatives()
        now = it.clock.now()
    assert read.value.positions == (
        Position(LINEAR, D(-2), entry_price=D(3100), liquidation_price=D(6000), unrealised_pnl=D(200)),
        Position(SOLANA, D(10), entry_price=D(140), unrealised_pnl=D(100)),
    )
    # wallet 10,000 + 300 of profit; 1,240 + 280 of it bound at five times
    assert read.value.margin == Margin(equity=D(10300), maintenance=None, available=D(8780))
    assert read.as_of == now


async def test_positions_and_margin_are_as_old_as_the_oldest_of_them() -> None:
    """They are read together; the time is that of the reply that came first."""
    async with bench() as it:
        await it.reader.derivatives()
        it.paths()
        arrives, first = asyncio.Event(), it.clock.now()
        it.server.held = {POSITIONS: arrives, COINS: arrives}
        read = asyncio.ensure_future(it.reader.derivatives())
        async with asyncio.timeout(5):
            while len(it.server.requests) < 4 or it.line.connection.shared._running:
                await asyncio.sleep(0.01)
        it.clock.advance(2)
        arrives.set()
        assert (await read).as_of == first


async def test_coin_margined_positions_are_in_contracts_and_their_money_in_dollars() -> None:
    """-300 contracts of 10 dollars: profit and margin are turned into dollars at the mark, the wallet stays coins."""
    async with bench() as it:
        it.truth.positions = {"ETH-USD": Held(D(-300), D(3750))}
        derivatives = (await it.reader.derivatives()).value
        contract = (await it.market.instruments())[INVERSE]
        swap = await it.reader.balances("swap")
    (position,) = derivatives.positions
    assert (position.instrument, position.contracts, position.trusted) == (INVERSE, -300, True)
    assert contract.base_quantity(position.contracts, D(3000)) == -1
    # -300 × 10 × (1/3750 − 1/3000) = 0.2 ETH
    assert position.unrealised_pnl == 600
    assert derivatives.margin is not None
    assert (derivatives.margin.equity, derivatives.margin.maintenance) == (D("2.2") * 3000, None)
    assert derivatives.margin.available == (D("2.2") - D("0.16")) * 3000
    assert Balance("ETH", D(2)) in swap.value


async def test_margin_of_several_pools_is_unknown() -> None:
    """USDT, USDC and every coin back their own positions alone: no sum of them is a margin."""
    async with bench() as it:
        it.truth.linear["USDC"] = D(700)
        it.truth.positions = {"ETH-USDC": Held(D(1), D(3000))}
        alone = (await it.reader.derivatives()).value.margin
        it.truth.positions["ETH-USD"] = Held(D(1), D(3000))
        mixed = (await it.reader.derivatives()).value
        del it.truth.linear["USDC"]
        it.truth.positions = {"ETH-USDC": Held(D(1), D(3000))}
        with pytest.raises(Unreadable, match="the margin that backs a position is missing"):
            await it.reader.derivatives()
    assert alone is not None
    assert alone.equity == 700
    assert (len(mixed.positions), mixed.margin) == (2, None)


async def _changed_position(it: Bench, path: str = POSITIONS, **fields: Any) -> Position:
    reply = it.truth.inverse_positions() if "cswap" in path else it.truth.linear_positions()
    reply["data"][0] |= fields
    it.server.replies[path] = json.dumps(reply)
    return (await it.reader.derivatives()).value.positions[0]


@pytest.mark.parametrize(("factor", "trusted"), [("1", True), ("1.019", True), ("1.06", False), ("10", False)])
async def test_a_position_worth_something_else_is_not_trusted(factor: str, trusted: bool) -> None:
    """Contracts times mark must agree with the venue's value within 2 %, the face value with margin × leverage."""
    async with bench() as it:
        assert (await _changed_position(it, positionValue=str(6000 * D(factor)))).trusted is trusted
        it.truth.positions = {"ETH-USD": Held(D(-300), D(3750))}
        it.server.replies = {}
        margin = str(D("0.16") * D(factor))  # 3,000 dollars at 3,750, five times
        coins = await _changed_position(it, "/openApi/cswap/v1/user/positions", initialMargin=margin)
        assert coins.trusted is trusted


@pytest.mark.parametrize(("value", "trusted"), [("6000", True), ("8000", True), ("7000", False), ("80000", False)])
async def test_a_position_may_be_valued_at_its_entry(value: str, trusted: bool) -> None:
    """Two coins that were opened at 4,000 and have their mark at 3,000; what is neither is not trusted."""
    async with bench() as it:
        position = await _changed_position(it, avgPrice="4000", positionValue=value)
    assert position.trusted is trusted


@pytest.mark.parametrize(("amount", "trusted"), [("-2", True), ("2", False)])
async def test_a_signed_amount_must_agree_with_its_profit(amount: str, trusted: bool) -> None:
    """With side BOTH the amount has the sign; a profit of the other direction makes it untrusted."""
    async with bench() as it:
        position = await _changed_position(it, positionSide="BOTH", positionAmt=amount)
    assert (position.contracts, position.trusted) == (D(amount), trusted)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"symbol": "GONE-USDT"}, "GONE-USDT, which the venue does not list"),
        ({"positionSide": "LONG", "positionAmt": "-2"}, "do not tell the direction"),
        ({"positionSide": "SIDEWAYS"}, "do not tell the direction"),
        ({"onlyOnePosition": 2}, "neither true nor false"),
    ],
)
async def test_a_position_that_cannot_be_understood_fails_the_read(fields: dict[str, Any], says: str) -> None:
    """An unlisted contract has no known size, a strange side no direction: the read gives nothing."""
    async with bench() as it:
        with pytest.raises(Unreadable, match=says):
            await _changed_position(it, **fields)


async def test_credit_is_not_equity() -> None:
    """A bonus counts neither where it is in the equity alone nor where it is in the balance as well."""
    async with bench() as it:
        it.truth.positions = {}
        for extra in ({"equity": "10500"}, {"equity": "10500", "bonus": "500"}):
            reply = it.truth.linear_balance()
            reply["data"][0] |= extra
            it.server.replies["/openApi/swap/v3/user/balance"] = json.dumps(reply)
            assert (await it.reader.derivatives()).value.margin == Margin(D(10000), D(0), D(10000))
        reply["data"][0] |= {"balance": "10500", "availableMargin": "10500"}
        it.server.replies["/openApi/swap/v3/user/balance"] = json.dumps(reply)
        assert (await it.reader.derivatives()).value.margin == Margin(D(10000), D(0), D(10000))
        assert (await it.reader.balances("swap")).value[0] == Balance("USDT", D(10000))


async def test_a_margin_balance_without_a_name_fails_the_read() -> None:
    """A blank row stands for an unused account only as long as it is worth nothing."""
    async with bench() as it:
        it.server.replies["/openApi/swap/v3/user/balance"] = json.dumps(
            {"code": 0, "data": [{"asset": "", "balance": "5.0"}]}
        )
        with pytest.raises(Unreadable, match="without the name of its asset"):
            await it.reader.balances("swap")


async def test_hedge_mode_is_refused_with_the_way_out() -> None:
    """It is told by the account's setting, and by the positions where the key is not told; without any it is no matter."""
    held = {"ETH-USDT": Held(D(1), D(3000))}
    for forbidden in ((), (MODE,)):
        async with bench() as it:
            it.truth.hedge_mode, it.truth.positions, it.server.forbidden = True, {}, set(forbidden)
            assert (await it.reader.derivatives()).value.positions == ()
            it.truth.positions = dict(held)
            for _ in range(2):  # asked again, not remembered
                with pytest.raises(Refused, match="switch it to one-way mode .*Position Mode"):
                    await it.reader.derivatives()
            it.truth.hedge_mode = False
            assert len((await it.reader.derivatives()).value.positions) == len(held)


async def test_several_positions_in_one_contract_are_refused() -> None:
    """Long and short, or one position opened in parts, are not read as one; coin-margined rows tell no mode."""
    async with bench() as it:
        it.truth.positions = {"ETH-USD": Held(D(3), D(3000))}
        reply = it.truth.inverse_positions()
        reply["data"].append({**reply["data"][0], "positionSide": "SHORT"})
        it.server.replies[COINS] = json.dumps(reply)
        with pytest.raises(Refused, match="several positions in ETH-USD, close all but one"):
            await it.reader.derivatives()


async def test_multi_assets_mode_is_refused_with_the_way_out() -> None:
    """Its margin coins are in no reply that is read: they would be missing from the exposure."""
    async with bench() as it:
        it.truth.asset_mode = "multiAssetsMode"
        with pytest.raises(Refused, match="switch it to single-asset mode"):
            await it.reader.derivatives()


async def test_settings_are_asked_hourly_and_a_key_that_may_not_know_them_reads_on() -> None:
    """A key that may only read is told neither mode; a setting that could not be asked for is asked for again."""
    async with bench() as it:
        it.server.forbidden = {MODE, ASSETS}
        assert len((await it.reader.derivatives()).value.positions) == 2
        assert MODE in it.paths()
        it.clock.advance(3599)
        await it.reader.derivatives()
        assert MODE not in it.paths()
        it.clock.advance(1)
        it.server.faults[MODE] = "500"
        for _ in range(2):
            assert len((await it.reader.derivatives()).value.positions) == 2
            assert MODE in it.paths()
