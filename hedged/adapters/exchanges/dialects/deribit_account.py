"""What Deribit holds for a user, from its replies: coins, positions, and the margin behind them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Context, Decimal
from operator import attrgetter

from hedged.adapters.exchanges.dialects.base import Markets, is_plausible
from hedged.adapters.exchanges.shapes import (
    Misshapen,
    Record,
    Row,
    Rows,
    Scalar,
    liquidation_or_none,
    not_negative,
    number,
    positive,
    positive_or_none,
    text,
)
from hedged.model.instrument import Instrument
from hedged.model.snapshot import Balance, Margin, Position

TEXT, NUMBER = Scalar.TEXT, Scalar.NUMBER
ZERO, ONE = Decimal(0), Decimal(1)

_PRICE = Context(prec=12)  # significant digits; the venue rounds the profit it is made of
_CURRENCY = {
    "currency": TEXT,
    "balance": NUMBER,
    "futures_session_rpl": NUMBER,
    "margin_balance": NUMBER,
    "maintenance_margin": NUMBER,
    "available_funds": NUMBER,
}
# every currency of the venue is in the list, with or without coins
SUMMARIES = Record({"result": Record({"summaries": Rows(_CURRENCY, at_least=1)})})
POSITIONS = Record({"result": Rows({"instrument_name": TEXT, "kind": TEXT, "direction": TEXT, "size": NUMBER})})

_SIGNS = {"buy": 1, "sell": -1}  # "zero" is a position that is none
_IN_A_WALLET = "spot"  # a kind of position that is coins, which the balance has
_RESERVES = ("spot_reserve", "additional_reserve")  # set apart for open orders; old accounts' replies lack them


def coins(rows: Iterable[Row], name: Callable[[str], str]) -> tuple[Balance, ...]:
    """One for each currency that has an amount; below zero it is owed."""
    found = []
    for row in rows:
        amount = number(row, "balance") + number(row, "futures_session_rpl")
        reserved = sum((not_negative(row, field) for field in _RESERVES if field in row), ZERO)
        locked = min(reserved, max(amount, ZERO))
        if amount:
            found.append(Balance(name(text(row, "currency")), max(amount, ZERO) - locked, locked, max(-amount, ZERO)))
    return tuple(found)


def is_held(row: Row) -> bool:
    """Whether there is a position; a row with one of its sizes left is one, and will not be understood."""
    sizes = number(row, "size"), number(row, "size_currency") if "size_currency" in row else ZERO
    return any(sizes) and row["kind"] != _IN_A_WALLET


def position(row: Row, markets: Markets) -> Position:
    """A future, inverse in dollars and linear in coins; profit and maintenance in the quote currency.

    The venue's documents call `size` of any future an amount of the quote currency, and of a linear one it has also
    been seen in coins. `size_currency` is coins in every case, so a linear position is counted by that; `size` has
    to agree in one way or the other.
    """
    instrument = markets.contract(row["instrument_name"])
    size, base = _signed(row, "size"), _signed(row, "size_currency")
    mark, profit = positive(row, "mark_price"), number(row, "floating_profit_loss")
    contracts = base if instrument.linear else size
    if instrument.linear:
        trusted = size == base or is_plausible(instrument, base, mark, size)
    else:
        trusted = is_plausible(instrument, size, mark, base * mark)
    in_quote = ONE if instrument.linear else mark
    return Position(
        instrument=instrument.id,
        contracts=contracts,
        entry_price=positive_or_none(row, "average_price") if instrument.linear else _unsettled(size, mark, profit),
        liquidation_price=liquidation_or_none(row, "estimated_liquidation_price"),
        unrealised_pnl=profit * in_quote,
        maintenance_margin=not_negative(row, "maintenance_margin") * in_quote,
        trusted=trusted,
    )


def _signed(row: Row, name: str) -> Decimal:
    """By the direction; the amount itself may be given with its sign or without."""
    amount, sign = number(row, name), _SIGNS.get(row["direction"])
    if not sign or not amount or (amount < 0 < sign):
        raise Misshapen(f"{name} of {row['instrument_name']} is not what its direction says")
    return abs(amount) * sign


def _unsettled(dollars: Decimal, mark: Decimal, profit: Decimal) -> Decimal | None:
    """The price P from which an inverse position's open profit counts: profit = dollars · (1/P − 1/mark) coins."""
    inverse = profit / dollars + ONE / mark
    return _PRICE.divide(ONE, inverse) if inverse > 0 else None


def margin_of(summaries: Sequence[Row], rows: Iterable[Row], markets: Markets) -> Margin | None:
    """The currency nearest to its liquidation among those that positions are settled in, in the quote currency.

    None without positions. Liquidation is at maintenance = margin balance.
    """
    by_currency = {row["currency"]: row for row in summaries}
    if len(by_currency) < len(summaries):
        raise Misshapen("the account has a currency twice")
    prices: dict[str, Decimal] = {}
    for row in rows:
        contract = markets.contract(row["instrument_name"])
        prices[contract.settle] = _settled_in(contract, row, prices.get(contract.settle))
    missing = set(prices) - set(by_currency)
    if missing:
        raise Misshapen(f"the account lacks {', '.join(sorted(missing))}, in which positions are held")
    margins = [_pool(by_currency[settle], price) for settle, price in prices.items()]
    return max(margins, key=attrgetter("tightness"), default=None)


def _settled_in(contract: Instrument, row: Row, known: Decimal | None) -> Decimal:
    """The price of a coin that an inverse contract is settled in; a linear one's settlement is the quote itself."""
    return (known or ONE) if contract.linear else positive(row, "index_price")


def _pool(row: Row, price: Decimal) -> Margin:
    return Margin(
        equity=number(row, "margin_balance") * price,
        maintenance=not_negative(row, "maintenance_margin") * price,
        available=number(row, "available_funds") * price,
    )
