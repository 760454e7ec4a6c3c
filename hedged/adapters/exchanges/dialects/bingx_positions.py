"""BingX's rows of positions and margin as our values. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hedged.adapters.exchanges.dialects.base import Markets, is_plausible
from hedged.adapters.exchanges.shapes import (
    Misshapen,
    Row,
    liquidation_or_none,
    not_negative,
    number,
    positive,
    positive_or_none,
    text,
)
from hedged.errors import Refused
from hedged.model.instrument import Instrument
from hedged.model.snapshot import Margin, Position

ZERO = Decimal(0)

_TELLING_MOVE = Decimal("0.001")  # a mark closer to the entry than this says nothing by the sign of the profit


@dataclass(frozen=True, slots=True)
class Pool:
    """One asset that backs perpetuals, in coins. Trial funds and other credit are in none of the three."""

    asset: str
    linear: bool
    wallet: Decimal  # without unrealised profit
    equity: Decimal
    available: Decimal


def pool(row: Row, asset: str, *, linear: bool) -> Pool:
    """One row of either account, in the words of the perpetual accounts or of the older replies.

    Credit that the venue has lent may be in `equity` alone or in `balance` too, so the smaller reading counts.
    """
    text(row, "asset")
    older = "crossUnPnl" in row
    wallet, profit = number(row, "balance"), number(row, "crossUnPnl" if older else "unrealizedProfit")
    equity = wallet + profit if older else number(row, "equity")
    own = min(wallet + profit, equity - sum(not_negative(row, name) for name in ("bonus", "coupon") if name in row))
    available = number(row, "availableBalance" if older else "availableMargin")
    return Pool(asset, linear, own - profit, own, min(available, own))


def refuse_several_in_one_contract(account: str, rows: Collection[Row], way_out: str) -> None:
    """Long and short in one contract, or one position opened in parts, are not read as one position."""
    seen: set[str] = set()
    for row in rows:
        if row["symbol"] in seen:
            detail = f"several positions in {row['symbol']}, close all but one; {way_out}"
            raise Refused(account, "futures positions", detail)
        seen.add(row["symbol"])


def position(row: Row, markets: Markets) -> Position:
    instrument = markets.contract(text(row, "symbol"))
    contracts = _signed(row)
    apart = instrument.linear and is_isolated(row)
    return Position(
        instrument=instrument.id,
        contracts=contracts,
        entry_price=positive_or_none(row, "avgPrice") if "avgPrice" in row else None,
        liquidation_price=liquidation_or_none(row, "liquidationPrice"),
        unrealised_pnl=_profit(row, instrument),
        maintenance_margin=None,
        trusted=_is_trusted(row, instrument, contracts),
        isolated_equity=positive(row, "margin") if apart else None,
    )


def is_isolated(row: Row) -> bool:
    """Whether the venue tells that something is set apart for a position, and how much: `margin`, with its profit."""
    return row.get("isolated") is True and "margin" in row and number(row, "margin") > 0


def is_pooled(row: Row, position: Position) -> bool:
    """Whether it is known what backs a position: the shared pool, or what is set apart for it."""
    return row.get("isolated") is False or position.isolated_equity is not None


def _signed(row: Row) -> Decimal:
    """LONG and SHORT are told beside the amount, also in one-way mode; with BOTH the amount has the sign."""
    side, amount = row["positionSide"], number(row, "positionAmt")
    if side == "BOTH":
        return amount
    if side == "SHORT":
        return -abs(amount)
    if side == "LONG" and amount > 0:
        return amount
    raise Misshapen("positionSide and positionAmt do not tell the direction")


def _optional(row: Row, name: str) -> Decimal | None:
    return number(row, name) if name in row else None


def _profit(row: Row, instrument: Instrument) -> Decimal | None:
    """In the quote currency; of a coin-margined position the venue tells it in coins."""
    profit = _optional(row, "unrealizedProfit")
    if profit is None or instrument.linear:
        return profit
    return profit * positive(row, "markPrice") if "markPrice" in row else None


def _is_trusted(row: Row, instrument: Instrument, contracts: Decimal) -> bool:
    """Whether the size agrees with what the venue says the position is worth, where it says so: at its mark or entry.

    Coin-margined rows lack the value; margin × leverage × entry price is the face value of the contracts, in dollars.
    """
    if "markPrice" not in row:
        return True
    mark = positive(row, "markPrice")
    if row["positionSide"] == "BOTH" and not _profit_has_the_sign(row, contracts, mark):
        return False
    if instrument.linear:
        worth = _optional(row, "positionValue")
    else:
        parts = [_optional(row, name) for name in ("initialMargin", "leverage", "avgPrice")]
        worth = None
        if all(part is not None for part in parts):
            worth = Decimal(1)
            for part in parts:
                worth *= part or ZERO
    if worth is None:
        return True
    value = abs(worth).copy_sign(contracts)
    prices = {mark, _optional(row, "avgPrice") or mark}
    return any(is_plausible(instrument, contracts, price, value) for price in prices)


def _profit_has_the_sign(row: Row, contracts: Decimal, mark: Decimal) -> bool:
    entry, profit = _optional(row, "avgPrice"), _optional(row, "unrealizedProfit")
    if not entry or not profit or abs(mark / entry - 1) < _TELLING_MOVE:
        return True
    return (profit > 0) is ((mark - entry) * contracts > 0)


def margin_of(pools: Sequence[Pool], rows: Sequence[Row], markets: Markets) -> Margin | None:
    """The pool that backs the positions in cross margin, in the quote currency; None: several do, each for itself.

    What is set apart for an isolated position is in its asset's equity, and backs no other. Without positions there is
    nothing to maintain; without any that share, the linear pools together are what there is.
    """
    backing: dict[tuple[str, bool], Decimal] = {}  # (asset, linear) → price of the asset in the quote currency
    apart: dict[str, Decimal] = {}  # asset of linear contracts → in it, set apart
    for row in rows:
        instrument = markets.contract(row["symbol"])
        if instrument.linear and is_isolated(row):
            apart[instrument.settle] = apart.get(instrument.settle, ZERO) + number(row, "margin")
            continue
        price = Decimal(1) if instrument.linear else positive(row, "markPrice")
        backing[instrument.settle, instrument.linear] = price
    if not backing:
        linear = [each for each in pools if each.linear]
        if not linear:
            return None
        equity = sum((each.equity for each in linear), ZERO) - sum(apart.values(), ZERO)
        return Margin(equity, None if rows else ZERO, sum((each.available for each in linear), ZERO))
    if len(backing) > 1:
        return None
    (((asset, is_linear), price),) = backing.items()
    for each in pools:
        if (each.asset, each.linear) == (asset, is_linear):
            own = each.equity - (apart.get(asset, ZERO) if is_linear else ZERO)
            return Margin(equity=own * price, maintenance=None, available=each.available * price)
    raise Misshapen("the margin that backs a position is missing")
