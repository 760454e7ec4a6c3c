"""What KuCoin holds for a user, from its replies: coins and debts, collateral, positions and margin. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from operator import attrgetter

from hedged.adapters.exchanges.dialects.base import Markets, is_plausible
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import (
    Misshapen,
    Record,
    Row,
    Rows,
    Scalar,
    flag,
    liquidation_or_none,
    not_negative,
    number,
    positive,
    positive_or_none,
    text,
)
from hedged.model.snapshot import Balance, Margin, Position

TEXT, NUMBER = Scalar.TEXT, Scalar.NUMBER
ZERO, ONE = Decimal(0), Decimal(1)

_CROSS = {"currency": TEXT, "total": NUMBER, "hold": NUMBER, "liability": NUMBER}
_HALF = Record(_CROSS)
_POSITION = {
    "symbol": TEXT,
    "currentQty": NUMBER,
    "crossMode": Scalar.PRESENT,
    "settleCurrency": TEXT,
}
ENDPOINTS = {
    ("GET", "/api/v1/accounts"): Endpoint(
        "accounts", Record({"data": Rows({"currency": TEXT, "type": TEXT, "balance": NUMBER, "holds": NUMBER})})
    ),
    ("GET", "/api/v3/margin/accounts"): Endpoint("cross margin", Record({"data": Record({"accounts": Rows(_CROSS)})})),
    ("GET", "/api/v3/isolated/accounts"): Endpoint(
        "isolated margin", Record({"data": Record({"assets": Rows({"baseAsset": _HALF, "quoteAsset": _HALF})})})
    ),
    ("GET", "/api/v1/account-overview"): Endpoint(
        "futures account",
        Record(
            {
                "data": Record(
                    {"currency": TEXT, "accountEquity": NUMBER, "unrealisedPNL": NUMBER, "availableBalance": NUMBER}
                )
            }
        ),
    ),
    ("GET", "/api/v1/positions"): Endpoint("positions", Record({"data": Rows(_POSITION)})),
}

_TYPES: Mapping[str, frozenset[str]] = {"funding": frozenset({"main"}), "spot": frozenset({"trade", "trade_hf"})}
_ELSEWHERE = frozenset({"margin", "margin_v2", "isolated", "isolated_v2", "contract", "option"})  # read by themselves

_MOVE = "move or redeem it into the funding or trading account"

Name = Callable[[str], str]  # the venue's name of a currency → ours


def coins(rows: Iterable[Row], wallet: str, name: Name) -> tuple[Balance, ...]:
    """Of the accounts that make up this wallet; an account of a kind that is not known might be money."""
    found: dict[str, Balance] = {}
    for row in rows:
        if row["type"] not in _ELSEWHERE.union(*_TYPES.values()) and number(row, "balance"):
            raise Misshapen(f"there is {row['currency']} in a {row['type']} account, which is not read: {_MOVE}")
        if row["type"] in _TYPES[wallet]:
            _add(found, name(row["currency"]), number(row, "balance"), not_negative(row, "holds"), ZERO)
    return _held(found)


def margin_coins(cross: Iterable[Row], isolated: Iterable[Row], name: Name) -> tuple[Balance, ...]:
    """Cross and isolated margin together; `liability` is what is owed with its interest."""
    found: dict[str, Balance] = {}
    halves = [half for pair in isolated for half in (pair["baseAsset"], pair["quoteAsset"])]
    for row in [*cross, *halves]:
        total, hold = not_negative(row, "total"), not_negative(row, "hold")
        _add(found, name(row["currency"]), total, hold, not_negative(row, "liability"))
    return _held(found)


def _add(found: dict[str, Balance], asset: str, total: Decimal, hold: Decimal, debt: Decimal) -> None:
    locked = min(hold, max(total, ZERO))
    known = found.get(asset, Balance(asset, ZERO))
    found[asset] = Balance(asset, known.free + total - locked, known.locked + locked, known.debt + debt)


def _held(found: Mapping[str, Balance]) -> tuple[Balance, ...]:
    return tuple(balance for balance in found.values() if balance.free or balance.locked or balance.debt)


def collateral(overviews: Iterable[Row], name: Name) -> tuple[Balance, ...]:
    """Without open profit; below zero where losses have taken more."""
    amounts = ((row["currency"], number(row, "accountEquity") - number(row, "unrealisedPNL")) for row in overviews)
    return tuple(Balance(name(currency), amount) for currency, amount in amounts if amount)


def position(row: Row, markets: Markets) -> Position:
    """In contracts, signed; profit and maintenance in the quote currency, an inverse contract's are in its coin."""
    instrument = markets.contract(row["symbol"])
    contracts, mark = number(row, "currentQty"), positive(row, "markPrice")
    in_quote = ONE if instrument.linear else mark
    worth = abs(number(row, "markValue")) * in_quote
    return Position(
        instrument=instrument.id,
        contracts=contracts,
        entry_price=positive_or_none(row, "avgEntryPrice"),
        liquidation_price=liquidation_or_none(row, "liquidationPrice"),
        unrealised_pnl=number(row, "unrealisedPnl") * in_quote,
        maintenance_margin=None if row.get("posMaint") is None else not_negative(row, "posMaint") * in_quote,
        trusted=is_plausible(instrument, contracts, mark, worth.copy_sign(contracts)),
    )


def margins_of(
    overviews: Sequence[Row], rows: Sequence[Row], markets: Markets
) -> tuple[Margin | None, dict[str, Decimal]]:
    """The pool nearest to its liquidation, in the quote currency, None without positions; and what backs the cross
    positions of each settlement currency.

    A pool with a position whose maintenance is not told makes the whole unknown: it might be the tightest.
    """
    equities = {row["currency"]: row for row in overviews}
    missing = {row["settleCurrency"] for row in rows} - set(equities)
    if missing:
        raise Misshapen(f"no futures account of {', '.join(sorted(missing))}, in which positions are held")
    apart: dict[str, Decimal] = {}
    margins, crossed = [], dict[str, list[Row]]()
    backing: dict[str, Decimal] = {}
    for row in rows:
        if flag(row, "crossMode"):
            crossed.setdefault(row["settleCurrency"], []).append(row)
            continue
        own = number(row, "posMargin") + number(row, "unrealisedPnl")
        apart[row["settleCurrency"]] = apart.get(row["settleCurrency"], ZERO) + own
        margins.append(_pool(own, [row], markets))
    for currency, members in crossed.items():
        equity = number(equities[currency], "accountEquity") - apart.get(currency, ZERO)
        pool = _pool(equity, members, markets)
        available = number(equities[currency], "availableBalance") * _price(members[0], markets)
        margins.append(Margin(pool.equity, pool.maintenance, available))
        backing[markets.contract(members[0]["symbol"]).settle] = pool.equity
    unknown = next((margin for margin in margins if margin.maintenance is None), None)
    return unknown or max(margins, key=attrgetter("tightness"), default=None), backing


def _pool(equity: Decimal, rows: Iterable[Row], markets: Markets) -> Margin:
    rows = list(rows)
    price = _price(rows[0], markets)
    if any(row.get("posMaint") is None for row in rows):
        return Margin(equity * price, None)
    return Margin(equity * price, sum((not_negative(row, "posMaint") for row in rows), ZERO) * price)


def _price(row: Row, markets: Markets) -> Decimal:
    """Of a settlement coin: the mark of an inverse contract; a linear one is settled in its quote."""
    return ONE if markets.contract(text(row, "symbol")).linear else positive(row, "markPrice")
