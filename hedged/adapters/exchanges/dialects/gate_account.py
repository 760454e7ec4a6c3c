"""Gate's rows of balances, positions and margin as our values. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter

from hedged.adapters.exchanges.dialects.base import Markets, is_plausible
from hedged.adapters.exchanges.dialects.gate_shapes import SEGMENTS, Segment, known
from hedged.adapters.exchanges.margin_view import by_currency
from hedged.adapters.exchanges.shapes import Misshapen, Row, liquidation_or_none, not_negative, number, positive, text
from hedged.errors import Refused
from hedged.model.snapshot import Balance, Margin, Position

ZERO, ONE = Decimal(0), Decimal(1)
UNIFIED = SEGMENTS[0]  # the contracts that a unified account backs
Name = Callable[[str], str]  # the venue's name of a coin → ours

HEDGE_MODE = (
    "the account is in hedge mode (separate long and short positions): switch it to one-way mode "
    "(Futures → Preferences → Position Mode → One-Way Mode)"
)
_UNCLEAR = (
    "the account is a unified account that does not tell what backs {}: close what is there, or switch it to classic "
    "mode (Assets → Unified Account → Account Mode)"
)


@dataclass(frozen=True, slots=True)
class Pool:
    """What backs one segment's contracts, in its settlement currency. Bonus is in none of the first two."""

    segment: Segment
    wallet: Decimal  # without unrealised profit
    equity: Decimal
    available: Decimal
    maintenance: Decimal | None  # of all cross positions; None: the account is in the older mode, and does not say
    is_hedged: bool  # long and short in one contract are kept apart
    is_shared: bool  # part of a unified account, and no pool of its own


def pool(row: Row, segment: Segment) -> Pool:
    if text(row, "currency").lower() != segment.settle:
        raise Misshapen("currency is not the one that was asked for")
    wallet, mode = number(row, "total"), known(row, "margin_mode")
    newer = row.get("enable_evolved_classic") is True
    available = known(row, "cross_available") if newer else None
    return Pool(
        segment=segment,
        wallet=wallet,
        equity=wallet + number(row, "unrealised_pnl"),
        available=number(row, "available") if available is None else available,
        maintenance=known(row, "cross_maintenance_margin") if newer else None,
        is_hedged=row.get("in_dual_mode") is True or (row.get("position_mode") or "single") != "single",
        is_shared=row.get("enable_credit") is True or (mode is not None and mode != 0),
    )


def is_unified(pools: Iterable[Pool]) -> bool:
    """As the futures account says: USDT perpetuals are what a unified account backs."""
    return any(each.is_shared and each.segment == UNIFIED for each in pools)


def refuse_unclear(account: str, pools: Sequence[Pool], held: Iterable[Segment] = ()) -> None:
    """Contracts that the venue does not name among those of a unified account, and that say that they are in it."""
    open_there, unified = set(held), is_unified(pools)
    for each in pools:
        known_pool = not each.is_shared or (unified and each.segment == UNIFIED)
        if not known_pool and (each.wallet or each.equity or each.segment in open_there):
            raise Refused(account, "account mode", _UNCLEAR.format(each.segment.path.removeprefix("/api/v4/")))


def plain_coins(rows: Iterable[Row], name: Name) -> tuple[Balance, ...]:
    return by_asset(
        Balance(name(row["currency"]), not_negative(row, "available"), not_negative(row, "locked")) for row in rows
    )


def lent_coins(pairs: Iterable[Row], name: Name) -> tuple[Balance, ...]:
    """Both sides of every isolated pair; what was borrowed is at hand or sold, and owed with its interest."""
    return by_asset(
        Balance(
            name(row["currency"]),
            not_negative(row, "available"),
            not_negative(row, "locked"),
            not_negative(row, "borrowed") + not_negative(row, "interest"),
        )
        for pair in pairs
        for row in (pair["base"], pair["quote"])
    )


def earning_coins(rows: Iterable[Row], name: Name) -> tuple[Balance, ...]:
    return by_asset(Balance(name(row["currency"]), not_negative(row, "amount")) for row in rows)


def futures_coins(pools: Iterable[Pool], name: Name) -> tuple[Balance, ...]:
    """Of the segments that are pools of their own."""
    return by_asset(Balance(name(each.segment.settle.upper()), each.wallet) for each in pools if not each.is_shared)


def by_asset(coins: Iterable[Balance]) -> tuple[Balance, ...]:
    """One for each asset with any amount."""
    total: dict[str, Balance] = {}
    for coin in coins:
        if coin.free or coin.locked or coin.debt:
            before = total.get(coin.asset, Balance(coin.asset, ZERO))
            total[coin.asset] = Balance(
                coin.asset, before.free + coin.free, before.locked + coin.locked, before.debt + coin.debt
            )
    return tuple(total.values())


def refuse_hedge_mode(account: str, pools: Iterable[Pool], rows: Sequence[Row]) -> None:
    """Positions of an account in hedge mode, or several in one contract; `rows` are of open ones."""
    if rows and (any(each.is_hedged for each in pools) or any(row["mode"] != "single" for row in rows)):
        raise Refused(account, "futures positions", HEDGE_MODE)
    for market_id, times in Counter(row["contract"] for row in rows).items():
        if times > 1:
            raise Refused(account, "futures positions", f"several positions in {market_id}; {HEDGE_MODE}")


def position(row: Row, markets: Markets) -> Position:
    """Profit, maintenance and worth are told in the settlement currency; an inverse contract's are worth the mark."""
    instrument = markets.contract(text(row, "contract"))
    contracts, mark = number(row, "size"), positive(row, "mark_price")
    price = ONE if instrument.linear else mark
    worth, maintenance = not_negative(row, "value") * price, _maintenance(row)
    return Position(
        instrument=instrument.id,
        contracts=contracts,
        entry_price=not_negative(row, "entry_price") or None,
        liquidation_price=liquidation_or_none(row, "liq_price"),
        unrealised_pnl=number(row, "unrealised_pnl") * price,
        maintenance_margin=None if maintenance is None else maintenance * price,
        trusted=is_plausible(instrument, contracts, mark, worth.copy_sign(contracts)),
        isolated_equity=_own_equity(row) * price if is_apart(row) else None,
    )


def _maintenance(row: Row) -> Decimal | None:
    """In the settlement currency: as told, or by the position's rate, of which the average is the right one."""
    told = known(row, "maintenance_margin")
    if told:
        return told
    rate = known(row, "average_maintenance_rate") or known(row, "maintenance_rate")
    return rate * number(row, "value") if rate else None


Held = tuple[Segment, Row, Position]


def margin_of(pools: Sequence[Pool], held: Sequence[Held], shared: Margin | None = None) -> Margin:
    """The pool nearest to its liquidation, in dollars: each segment by itself, each isolated position too.

    `shared`: of a unified account, which is a pool also where it backs no position: it may owe.

    A pool with a position whose maintenance is not told makes the whole unknown: it might be the tightest.
    """
    margins = [
        *(margin for _, margin in _crossed(pools, held)),
        *(_isolated(*each) for each in held if is_apart(each[1])),
        *([] if shared is None else [shared]),
    ]
    dollars = [each for each in pools if each.segment.settle != "btc"]
    whole = sum((each.equity for each in dollars), ZERO if shared is None else shared.equity)
    if any(margin.maintenance is None for margin in margins):
        return Margin(equity=whole, maintenance=None)
    return max(
        margins,
        key=attrgetter("tightness"),
        default=Margin(whole, ZERO, sum((each.available for each in dollars), ZERO)),
    )


def equities_of(pools: Sequence[Pool], held: Sequence[Held], shared: Margin | None = None) -> dict[str, Decimal]:
    """What backs the cross positions of each currency, in dollars."""
    found = [(currency, margin.equity) for currency, margin in _crossed(pools, held)]
    if shared is not None and any(segment == UNIFIED and not is_apart(row) for segment, row, _ in held):
        found.append((UNIFIED.settle.upper(), shared.equity))
    return by_currency(found)


def _crossed(pools: Sequence[Pool], held: Sequence[Held]) -> Iterator[tuple[str, Margin]]:
    for each in pools:
        mine = [(row, position_) for segment, row, position_ in held if segment == each.segment]
        crossed = [(row, position_) for row, position_ in mine if not is_apart(row)]
        if not crossed:
            continue
        price = ONE if each.segment.settle != "btc" else positive(crossed[0][0], "mark_price")
        apart = sum((_own_equity(row) for row, _ in mine if is_apart(row)), ZERO)
        needs = [position_.maintenance_margin for _, position_ in crossed]
        told = [need for need in needs if need is not None]
        needed = sum(told, ZERO) if len(told) == len(needs) else None
        if each.maintenance:
            needed = max(each.maintenance * price, needed or ZERO)
        yield each.segment.settle.upper(), Margin((each.equity - apart) * price, needed, each.available * price)


def _isolated(segment: Segment, row: Row, position_: Position) -> Margin:
    price = ONE if segment.settle != "btc" else positive(row, "mark_price")
    return Margin(_own_equity(row) * price, position_.maintenance_margin)


def _own_equity(row: Row) -> Decimal:
    """An isolated position's margin and profit, in its settlement currency."""
    return not_negative(row, "margin") + number(row, "unrealised_pnl")


def is_apart(row: Row) -> bool:
    """A leverage of zero is the venue's word for cross margin, unless it tells the mode itself."""
    mode = row.get("pos_margin_mode")
    return mode == "isolated" if mode in {"isolated", "cross"} else number(row, "leverage") != 0
