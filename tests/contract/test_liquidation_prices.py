"""Every venue's liquidation prices, in all the ways in which there may be none."""

from __future__ import annotations

from typing import Any

import pytest

from hedged.errors import Unreadable
from tests.venues.benches import BENCHES, PERPETUALS

# what a venue calls the liquidation price of a position
FIELDS = {
    "binance": "liquidationPrice",
    "bingx": "liquidationPrice",
    "bitget": "liquidationPrice",
    "bybit": "liqPrice",
    "deribit": "estimated_liquidation_price",
    "gate": "liq_price",
    "hyperliquid": "liquidationPx",
    "kucoin": "liquidationPrice",
    "mexc": "liquidatePrice",
    "okx": "liqPx",
    "weex": "liquidatePrice",
}
TELL_NONE = {"coinbase", "krakenfutures"}


def rewritten(node: Any, field: str, value: object) -> Any:
    """The reply with every field of this name set to `value`."""
    if isinstance(node, dict):
        return {key: value if key == field else rewritten(inner, field, value) for key, inner in node.items()}
    return [rewritten(inner, field, value) for inner in node] if isinstance(node, list) else node


async def prices(venue: str, value: object) -> tuple[list[object], list[object]]:
    """Liquidation prices as the venue tells them, and read again with `value` in their place."""
    async with BENCHES[venue].bench() as it:
        answer = it.server.answer
        told = (await it.reader.derivatives()).value

        async def answer_with(request: Any) -> Any:
            return rewritten(await answer(request), FIELDS[venue], value)

        it.server.answer = answer_with
        again = (await it.reader.derivatives()).value
    assert len(again.positions) == len(told.positions)
    return [each.liquidation_price for each in told.positions], [each.liquidation_price for each in again.positions]


def test_every_venue_has_its_field() -> None:
    """Whoever adds a venue with contracts says what it calls the price, or that it tells none."""
    assert FIELDS.keys() | TELL_NONE == set(PERPETUALS)


@pytest.mark.parametrize(
    "value", [None, "", "0", 0, "-123.4"], ids=["null", "blank", "zero", "number zero", "negative"]
)
@pytest.mark.parametrize("venue", FIELDS)
async def test_where_there_is_none_the_positions_are_still_read(venue: str, value: object) -> None:
    """Null, blank, zero or below zero says that there is none, and takes no position down with it."""
    told, again = await prices(venue, value)
    assert any(told)
    assert not any(again)


@pytest.mark.parametrize("value", ["far", "NaN", True])
@pytest.mark.parametrize("venue", FIELDS)
async def test_what_is_no_price_fails_the_read(venue: str, value: object) -> None:
    """A word or a NaN is not "none": the reply is not understood."""
    with pytest.raises(Unreadable, match=FIELDS[venue]):
        await prices(venue, value)
