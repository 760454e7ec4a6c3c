"""What WEEX tells of positions and of the collateral behind them, as our values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from hedged.adapters.exchanges.dialects.base import is_plausible
from hedged.adapters.exchanges.shapes import (
    Misshapen,
    Row,
    Rows,
    Scalar,
    liquidation_or_none,
    number,
    positive,
)
from hedged.errors import Refused
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.snapshot import Margin, Position

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT
ZERO = Decimal(0)

SHAPE = Rows(
    {
        "symbol": TEXT,
        "asset": TEXT,
        "side": TEXT,
        "separatedMode": TEXT,
        "size": NUMBER,
        "openValue": NUMBER,
        "unrealizePnl": NUMBER,
        "liquidatePrice": PRESENT,
    }
)
_SIDES = {"LONG": 1, "SHORT": -1}
_SEPARATED = (
    "is in separated position mode, where each order is a position of its own: close its positions, then choose "
    "combined positions for it (Futures → margin mode → Combined)"
)
_SEVERAL = (
    "has more than one position open (a long beside a short, or cross beside isolated), which the venue does not "
    "net: close all but one (Futures → Positions)"
)


def refuse_several(account: str, held: Sequence[tuple[Instrument, Row]]) -> None:
    """`Refused` where a contract's positions cannot be read, and later traded, as one."""
    seen: set[InstrumentId] = set()
    for contract, row in held:
        if row["separatedMode"] == "SEPARATED":
            raise Refused(account, "futures positions", f"{contract.symbol} {_SEPARATED}")
        if row["separatedMode"] != "COMBINED":
            raise Misshapen("separatedMode is neither COMBINED nor SEPARATED")
        if contract.id in seen:
            raise Refused(account, "futures positions", f"{contract.symbol} {_SEVERAL}")
        seen.add(contract.id)


def position(contract: Instrument, row: Row, mark: Row | None) -> Position:
    """The venue gives the value at entry and the profit since: together they are what it holds the position worth."""
    if row["side"] not in _SIDES:
        raise Misshapen("side is neither LONG nor SHORT")
    size, at_entry = positive(row, "size"), positive(row, "openValue")
    contracts, profit = size * _SIDES[row["side"]], number(row, "unrealizePnl")
    worth = at_entry * _SIDES[row["side"]] + profit
    return Position(
        instrument=contract.id,
        contracts=contracts,
        entry_price=at_entry / size,
        liquidation_price=liquidation_or_none(row, "liquidatePrice"),
        unrealised_pnl=profit,
        # without a mark there is nothing to hold it against
        trusted=mark is not None and is_plausible(contract, contracts, positive(mark, "markPrice"), worth),
        isolated_equity=_set_apart(row),
    )


def _set_apart(row: Row) -> Decimal | None:
    """As of the account, whether the margin holds the profit already is told nowhere: a loss counts, a profit not."""
    if row.get("marginType") != "ISOLATED" or "isolatedMargin" not in row or not number(row, "isolatedMargin"):
        return None
    return positive(row, "isolatedMargin") + min(number(row, "unrealizePnl"), ZERO)


def is_pooled(row: Row, position: Position) -> bool:
    """Whether it is known what backs a position: the shared pool, or what is set apart for it."""
    return row.get("marginType") == "CROSSED" or position.isolated_equity is not None


def margin(pools: Mapping[str, Row], held: Sequence[tuple[str, Position]]) -> Margin | None:
    """What backs the positions in cross margin; None where nothing does, or several that cannot be compared.

    `held`: each position with its collateral. An account without any that share shows its USDT. Equity is the lower of
    the two meanings that `balance` may have, and without what is set apart for isolated positions.
    """
    collateral = {asset for asset, position in held if position.isolated_equity is None}
    backing = collateral or {"USDT"}
    if collateral - pools.keys():
        raise Misshapen("there are positions, and no balance of the collateral that backs them")
    if len(backing) > 1 or not backing & pools.keys():
        return None
    ((asset, pool),) = ((asset, pools[asset]) for asset in backing)
    margins = profits = ZERO
    for own, each in held:
        if own == asset and each.isolated_equity is not None:
            profit = each.unrealised_pnl or ZERO
            margins, profits = margins + each.isolated_equity - min(profit, ZERO), profits + profit
    # the loss of those that share, if the balance is without profits; else what it holds of the isolated ones' profit
    less = min(number(pool, "unrealizePnl") - profits, -profits, ZERO)
    return Margin(
        equity=number(pool, "balance") - margins + less,
        maintenance=None,
        available=number(pool, "availableBalance"),
    )
