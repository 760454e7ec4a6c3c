"""Bitget's rows of balances, positions and margin as our values. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter
from typing import Any

from hedged.adapters.exchanges.dialects.base import NOTIONAL_TOLERANCE, Markets
from hedged.adapters.exchanges.dialects.bitget_shapes import COIN_MARGINED, POSITIONS, known
from hedged.adapters.exchanges.margin_view import by_currency
from hedged.adapters.exchanges.shapes import (
    Misshapen,
    Row,
    check,
    liquidation_or_none,
    not_negative,
    number,
    positive,
    text,
)
from hedged.errors import Refused
from hedged.model.snapshot import Balance, Margin, Position

ZERO, ONE = Decimal(0), Decimal(1)
Name = Callable[[str], str]  # the venue's name of a coin → ours

ONE_WAY, HEDGE = "one_way_mode", "hedge_mode"
_SIDES = {"long": 1, "short": -1}
_CREDIT = ("coupon", "grant")  # trading bonus and trial funds: lent by the venue
_TELLING_MOVE = Decimal("0.001")  # a mark closer to the entry than this says nothing by the profit
# keepMarginRate leaves out what the liquidation itself would cost; the venue's risk rate has it
_RATIO_ROUNDING = Decimal("1.001")

HEDGE_MODE = (
    "the account is in hedge mode (separate long and short positions): switch it to one-way mode "
    "(Futures → Settings → Position mode → One-way mode)"
)
_MULTI_ASSETS = (
    "the account is in multi-assets mode, whose margin coins are not told with the others: switch it to single-asset "
    "mode (Futures → Settings → Asset mode → Single-asset mode)"
)


@dataclass(frozen=True, slots=True)
class Pool:
    """One coin that backs the contracts of one product, in coins. Bonus and trial funds are in none of them."""

    product: str
    coin: str  # the venue's name
    wallet: Decimal  # without unrealised profit
    equity: Decimal
    available: Decimal | None
    price: Decimal | None  # dollars a coin by the venue's own conversion; None: it tells none
    risk_rate: Decimal | None  # maintenance ÷ equity of the cross positions; liquidated at 1
    mode: object  # the venue's word for whether longs and shorts are kept apart, if it says


def plain_coins(rows: Iterable[Row], name: Name) -> tuple[Balance, ...]:
    """Coins of the spot and the funding account; what is locked there is the user's too."""
    return _by_asset(
        Balance(name(row["coin"]), not_negative(row, "available"), _sum_of(row, ("frozen", "locked"))) for row in rows
    )


def lent_coins(rows: Iterable[Row], name: Name) -> tuple[Balance, ...]:
    """Coins of margin accounts with what was borrowed, which is at hand or sold, and the interest on it."""
    return _by_asset(
        Balance(
            name(row["coin"]),
            not_negative(row, "available"),
            not_negative(row, "frozen"),
            _sum_of(row, ("borrow", "interest")),
        )
        for row in rows
    )


def earning_coins(rows: Iterable[Row], name: Name) -> tuple[Balance, ...]:
    return _by_asset(Balance(name(row["coin"]), not_negative(row, "amount")) for row in rows)


def futures_coins(pools: Iterable[Pool], name: Name) -> tuple[Balance, ...]:
    return _by_asset(Balance(name(pool.coin), pool.wallet) for pool in pools)


def _sum_of(row: Row, names: Iterable[str]) -> Decimal:
    return sum((not_negative(row, name) for name in names if name in row), ZERO)


def _by_asset(coins: Iterable[Balance]) -> tuple[Balance, ...]:
    """One for each asset with any amount: isolated margin has an account for each pair, futures for each product."""
    total: dict[str, Balance] = {}
    for coin in coins:
        if coin.free or coin.locked or coin.debt:
            before = total.get(coin.asset, Balance(coin.asset, ZERO))
            total[coin.asset] = Balance(
                coin.asset, before.free + coin.free, before.locked + coin.locked, before.debt + coin.debt
            )
    return tuple(total.values())


def pool(account: str, product: str, row: Row) -> Pool:
    if row.get("assetMode") == "union":
        raise Refused(account, "futures wallet", _MULTI_ASSETS)
    told, profit = number(row, "accountEquity"), _blank_is_zero(row, "unrealizedPL")
    equity = told - sum((known(row, name) or ZERO for name in _CREDIT), ZERO)
    price: Decimal | None = ONE
    if product == COIN_MARGINED:
        dollars = known(row, "usdtEquity")
        price = dollars / told if dollars and told and dollars / told > 0 else None
    return Pool(
        product=product,
        coin=text(row, "marginCoin"),
        wallet=equity - profit,
        equity=equity,
        available=known(row, "crossedMaxAvailable"),
        price=price,
        risk_rate=known(row, "crossedRiskRate"),
        mode=row.get("posMode"),
    )


def _blank_is_zero(row: Row, name: str) -> Decimal:
    """A number where blank means that there is none of it; the field must be there."""
    return ZERO if row.get(name) == "" else number(row, name)


def open_rows(product: str, told: Any, pools: Collection[Pool]) -> list[Row]:
    """A product's positions that are open. Null is *none* unless its coins carry an open profit or a risk."""
    if told is None:
        if any(each.product == product and (each.equity != each.wallet or each.risk_rate) for each in pools):
            raise Misshapen(f"no positions in {product} are told, although its margin says that there are")
        return []
    check(told, POSITIONS)
    return [row for row in told if number(row, "total")]


def refuse_what_cannot_be_read(account: str, rows: Collection[Row]) -> None:
    """Positions that a person has to change before the account can be read as a whole."""
    for row in rows:
        if row["posMode"] != ONE_WAY:
            raise Refused(account, "futures positions", HEDGE_MODE)
        if row.get("assetMode") == "union":
            raise Refused(account, "futures positions", _MULTI_ASSETS)
    for market_id, times in Counter(row["symbol"] for row in rows).items():
        if times > 1:
            detail = f"several positions in {market_id} (of different margin coins or modes): close all but one"
            raise Refused(account, "futures positions", detail)


def position(row: Row, product: str, pools: Sequence[Pool], markets: Markets) -> Position:
    """Contracts are coins; profit and maintenance are turned into the quote currency where they are told in coins."""
    instrument = markets.contract(text(row, "symbol"))
    contracts, entry = signed(row), not_negative(row, "openPriceAvg")
    mark, profit = known(row, "markPrice"), known(row, "unrealizedPL")
    if mark is not None and mark <= 0:
        raise Misshapen("markPrice is not above zero")
    price = _coin_price(row, product, pools, instrument.base)
    value = None if profit is None or price is None else profit * price
    own = _own_equity(row) if row["marginMode"] == "isolated" else None
    return Position(
        instrument=instrument.id,
        contracts=contracts,
        entry_price=entry or None,
        liquidation_price=liquidation_or_none(row, "liquidationPrice"),
        unrealised_pnl=value,
        maintenance_margin=_maintenance(row),
        trusted=_is_trusted(row, contracts, entry, mark, price=price, profit=value),
        isolated_equity=None if own is None or price is None else own * price,
    )


def signed(row: Row) -> Decimal:
    try:
        return _SIDES[row["holdSide"]] * not_negative(row, "total")
    except KeyError:
        raise Misshapen("holdSide is neither long nor short") from None


def _maintenance(row: Row) -> Decimal | None:
    """By the rate of the position's tier, which holds for all of it, in the quote currency."""
    rate, mark = known(row, "keepMarginRate"), known(row, "markPrice")
    return None if rate is None or mark is None else rate * number(row, "total") * mark


def _coin_price(row: Row, product: str, pools: Sequence[Pool], base: str) -> Decimal | None:
    """What a unit of the position's margin coin is worth in the quote currency."""
    if product != COIN_MARGINED:
        return ONE
    if row["marginCoin"] == base:
        return known(row, "markPrice")
    return next((each.price for each in pools if (each.product, each.coin) == (product, row["marginCoin"])), None)


def _is_trusted(
    row: Row,
    contracts: Decimal,
    entry: Decimal,
    mark: Decimal | None,
    *,
    price: Decimal | None,
    profit: Decimal | None,
) -> bool:
    """Whether the size agrees with the venue's own figures that follow from it: profit, and margin × leverage.

    The margin of a cross position is taken at the mark or at the entry; that of an isolated one the user may change.
    """
    if mark is None or not entry or not contracts:
        return True
    ours = contracts * (mark - entry)
    if profit is not None and abs(mark / entry - 1) >= _TELLING_MOVE:
        slack = NOTIONAL_TOLERANCE * abs(ours) + abs(contracts) * mark * _TELLING_MOVE / 10
        if abs(ours - profit) > slack:
            return False
    margin, leverage = known(row, "marginSize"), known(row, "leverage")
    if row["marginMode"] == "isolated" or price is None or not margin or not leverage:
        return True
    told, values = margin * leverage * price, sorted((abs(contracts) * mark, abs(contracts) * entry))
    return values[0] * (1 - NOTIONAL_TOLERANCE) <= told <= values[1] * (1 + NOTIONAL_TOLERANCE)


def margin_of(pools: Sequence[Pool], rows: Sequence[tuple[str, Row]], positions: Sequence[Position]) -> Margin:
    """The pool nearest to its liquidation, in dollars: each coin of each product by itself, each isolated position too.

    A pool with a position whose maintenance is not told makes the whole unknown: it might be the tightest. `rows` are
    (product, row) and belong to `positions` one by one.
    """
    held = list(zip(rows, positions, strict=True))
    margins = [*(margin or Margin(ZERO, None) for _, margin in _crossed(pools, held)), *_isolated(held, pools)]
    linear = [each for each in pools if each.product != COIN_MARGINED]
    whole = sum((each.equity for each in linear), ZERO)
    if any(margin.maintenance is None for margin in margins):
        return Margin(equity=whole, maintenance=None)
    available = sum((each.available or ZERO for each in linear), ZERO)
    return max(margins, key=attrgetter("tightness"), default=Margin(whole, ZERO, available))


Held = tuple[tuple[str, Row], Position]


def equities_of(
    pools: Sequence[Pool], rows: Sequence[tuple[str, Row]], positions: Sequence[Position]
) -> dict[str, Decimal]:
    """What backs the cross positions of each margin coin, in dollars."""
    crossed = _crossed(pools, list(zip(rows, positions, strict=True)))
    return by_currency((coin, None if margin is None else margin.equity) for coin, margin in crossed)


def _crossed(pools: Sequence[Pool], held: Sequence[Held]) -> Iterator[tuple[str, Margin | None]]:
    """By margin coin; None: not known."""
    backed = sorted({(product, row["marginCoin"]) for (product, row), _ in held if row["marginMode"] != "isolated"})
    for key in backed:
        pool_ = next((each for each in pools if (each.product, each.coin) == key), None)
        if pool_ is None:
            raise Misshapen(f"the {key[1]} account that backs a position is missing")
        mine = [each for each in held if (each[0][0], each[0][1]["marginCoin"]) == key]
        apart = [_own_equity(row) for (_, row), _ in mine if row["marginMode"] == "isolated"]
        needs = [position.maintenance_margin for (_, row), position in mine if row["marginMode"] != "isolated"]
        if pool_.price is None or None in apart:
            yield key[1], None
            continue
        equity = (pool_.equity - sum((each for each in apart if each is not None), ZERO)) * pool_.price
        available = None if pool_.available is None else pool_.available * pool_.price
        yield key[1], Margin(equity, _needed(needs, pool_, equity), available)


def _needed(needs: Collection[Decimal | None], pool_: Pool, equity: Decimal) -> Decimal | None:
    """By the venue's risk rate where that asks for more than the positions' rates do."""
    known_needs = [each for each in needs if each is not None]
    needed = sum(known_needs, ZERO) if len(known_needs) == len(needs) else None
    if pool_.risk_rate and pool_.risk_rate > 0 and equity > 0:
        by_rate = pool_.risk_rate * equity
        if needed is None or by_rate > needed * _RATIO_ROUNDING:
            return by_rate
    return needed


def _isolated(held: Sequence[Held], pools: Sequence[Pool]) -> Iterator[Margin]:
    for (product, row), position_ in held:
        if row["marginMode"] == "isolated":
            own = _own_equity(row)
            price = ONE if product != COIN_MARGINED else None
            for each in pools:
                price = each.price if (each.product, each.coin) == (product, row["marginCoin"]) else price
            if own is None or price is None:
                yield Margin(ZERO, None)
            else:
                yield Margin(own * price, position_.maintenance_margin)


def _own_equity(row: Row) -> Decimal | None:
    """An isolated position's margin and profit, in its margin coin."""
    margin, profit = known(row, "marginSize"), known(row, "unrealizedPL")
    return None if margin is None or profit is None else positive(row, "marginSize") + profit
