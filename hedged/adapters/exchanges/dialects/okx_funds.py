"""What OKX holds for a user, from its replies: coins and debts of each wallet, and the margin behind positions.

The venue leaves a field blank where it has no meaning in the account's mode (spot, futures, multi-currency, portfolio
margin). Blank is then *none* for profit and debt, which must be there, and *unknown* for margin, which need not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter

from hedged.adapters.exchanges.dialects.base import DUST
from hedged.adapters.exchanges.shapes import Misshapen, Record, Row, Rows, Scalar, not_negative, number
from hedged.model.snapshot import Balance, Margin

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT
ZERO, ONE = Decimal(0), Decimal(1)

_NOT_COLLATERAL = ("stgyEq", "rewardBal")  # bots' funds and bonus credit

# mmr leaves out what the liquidation itself would cost; the venue's own ratio has it. Less than this is rounding.
_RATIO_ROUNDING = Decimal("1.001")

_CURRENCY = {
    "ccy": TEXT,
    "eq": NUMBER,
    "cashBal": NUMBER,
    "frozenBal": NUMBER,
    "upl": PRESENT,
    "liab": PRESENT,
    "interest": PRESENT,
}
TRADING = Record({"data": Rows({"details": Rows(_CURRENCY), "totalEq": NUMBER}, at_least=1)})
FUNDING = Record({"data": Rows({"ccy": TEXT, "bal": NUMBER, "frozenBal": NUMBER})})
SAVINGS = Record({"data": Rows({"ccy": TEXT, "amt": NUMBER})})

Name = Callable[[str], str]  # the venue's name of a currency → ours


def known(row: Row, name: str) -> Decimal | None:
    """A number, or None where the venue leaves the field blank or out."""
    return None if row.get(name, "") == "" else number(row, name)


def blank_is_zero(row: Row, name: str) -> Decimal:
    """A number where blank means that there is none of it; the field must be there."""
    return ZERO if row.get(name) == "" else number(row, name)


def trading_coins(account: Row, name: Name) -> tuple[Balance, ...]:
    """One for each currency of the trading account; one that the reply names without amounts is left out."""
    if not account["details"] and abs(number(account, "totalEq")) >= DUST:
        raise Misshapen("details is empty although the account is worth something")
    return _with_amounts(_trading_coin(row, name) for row in account["details"])


def _trading_coin(row: Row, name: Name) -> Balance:
    """Net coins are the equity without unrealised profit: `eq` holds isolated margin and bots too, `cashBal` does not.

    As the venue defines it, equity is after debt and accrued interest (an oversold coin has a negative `cashBal`).
    Where it is not below what is at hand in spite of a debt, the debt cannot be in it and is taken off here; an
    isolated position's debt is in its own equity.
    """
    # what unrealised losses made is owed on paper only, and the positions' matter
    owed = max(_positive_amount(row, "liab") - _positive_amount(row, "uplLiab"), ZERO)
    debt = owed + _positive_amount(row, "interest")
    net = number(row, "eq") - blank_is_zero(row, "upl")
    available = known(row, "availBal")
    at_hand = number(row, "cashBal") if available is None else available + number(row, "frozenBal")
    if owed > _positive_amount(row, "isoLiab") and net >= max(at_hand, ZERO):
        net -= debt
    gross = net + debt
    locked = min(not_negative(row, "frozenBal"), max(gross, ZERO))
    return Balance(name(row["ccy"]), gross - locked, locked, debt)


def _positive_amount(row: Row, field: str) -> Decimal:
    """What the venue gives as a positive amount; blank is none."""
    amount = blank_is_zero(row, field) if field in _CURRENCY else known(row, field) or ZERO
    if amount < 0:
        raise Misshapen(f"{field} is below zero")
    return amount


def funding_coins(rows: Iterable[Row], name: Name) -> tuple[Balance, ...]:
    return _with_amounts(
        Balance(name(row["ccy"]), number(row, "bal") - number(row, "frozenBal"), not_negative(row, "frozenBal"))
        for row in rows
    )


def savings_coins(rows: Iterable[Row], name: Name) -> tuple[Balance, ...]:
    """Lent out or waiting to be: both are the user's."""
    return _with_amounts(Balance(name(row["ccy"]), not_negative(row, "amt")) for row in rows)


def _with_amounts(coins: Iterable[Balance]) -> tuple[Balance, ...]:
    return tuple(coin for coin in coins if coin.free or coin.locked or coin.debt)


@dataclass(frozen=True, slots=True)
class _Pool:
    """Collateral that is liquidated by itself. `ratio` is the venue's: equity ÷ (maintenance + liquidation costs)."""

    equity: Decimal
    maintenance: Decimal | None
    ratio: Decimal | None
    available: Decimal | None = None

    def margin(self) -> Margin:
        needed = self.maintenance
        if self.ratio is not None and self.ratio > 0 and self.equity > 0:
            by_ratio = self.equity / self.ratio
            if needed is None or by_ratio > needed * _RATIO_ROUNDING:
                needed = by_ratio
        return Margin(equity=self.equity, maintenance=needed, available=self.available)


def margin_of(account: Row, positions: Iterable[Row]) -> Margin:
    """The pool nearest to its liquidation, in dollars.

    One pool for all cross positions where the venue gives an adjusted equity, else (futures mode) one for each
    currency; and one for each isolated position. A pool with a position whose maintenance is not told makes the
    whole unknown: it might be the tightest.
    """
    held = [row for row in positions if number(row, "pos")]
    adjusted = known(account, "adjEq")
    pools = [_isolated(row) for row in held if row["mgnMode"] == "isolated"]
    crossed = _crossed(positions)
    if adjusted is not None:
        pools.append(_shared(account, adjusted, used=bool(crossed)))
    else:
        pools.extend(pool for _, pool in _currencies(account, crossed))
    margins = [pool.margin() for pool in pools]
    whole = number(account, "totalEq") if adjusted is None else adjusted
    if any(margin.maintenance is None for margin in margins):
        return Margin(equity=whole, maintenance=None)
    return max(margins, key=attrgetter("tightness"), default=Margin(equity=whole, maintenance=ZERO))


def equities_of(account: Row, positions: Iterable[Row]) -> dict[str, Decimal]:
    """What backs the cross positions of each currency, in dollars; nothing where one equity backs several."""
    crossed, adjusted = _crossed(positions), known(account, "adjEq")
    if adjusted is None:
        return {currency: pool.equity for currency, pool in _currencies(account, crossed)}
    return dict.fromkeys(crossed, adjusted) if len(crossed) == 1 else {}


def _crossed(positions: Iterable[Row]) -> set[str]:
    return {row["ccy"] for row in positions if number(row, "pos") and row["mgnMode"] != "isolated"}


def _shared(account: Row, adjusted: Decimal, *, used: bool) -> _Pool:
    owes = any(_positive_amount(row, "liab") for row in account["details"])
    maintenance = known(account, "mmr")
    if maintenance is None and not used and not owes:
        maintenance = ZERO
    return _Pool(adjusted, maintenance, known(account, "mgnRatio"), known(account, "availEq"))


def _currencies(account: Row, crossed: set[str]) -> Iterator[tuple[str, _Pool]]:
    """A currency's cross collateral: without isolated margin, bots' funds and bonus credit, which do not stand in."""
    details = {row["ccy"]: row for row in account["details"]}
    missing = crossed - set(details)
    if missing:
        raise Misshapen(f"details lacks {', '.join(sorted(missing))}, in which positions are held")
    for ccy in sorted(crossed):
        row = details[ccy]
        equity = number(row, "eq") - (known(row, "isoEq") or ZERO) - sum(known(row, f) or ZERO for f in _NOT_COLLATERAL)
        price = _dollars_per_coin(row)
        maintenance, available = _times(known(row, "mmr"), price), _times(known(row, "availEq"), price)
        yield ccy, _Pool(equity * price, maintenance, known(row, "mgnRatio"), available)


def _isolated(row: Row) -> _Pool:
    equity, price = set_apart(row), _price_of(row)
    if equity is None or price is None:
        return _Pool(ZERO, None, None)
    return _Pool(equity, _times(known(row, "mmr"), price), known(row, "mgnRatio"))


def set_apart(row: Row) -> Decimal | None:
    """An isolated position's own margin and profit; counted in a coin, they are worth the mark."""
    margin, profit, price = known(row, "margin"), known(row, "upl"), _price_of(row)
    return None if margin is None or profit is None or price is None else (margin + profit) * price


def _price_of(row: Row) -> Decimal | None:
    return ONE if is_dollar(row["ccy"]) else known(row, "markPx")


def _dollars_per_coin(row: Row) -> Decimal:
    if is_dollar(row["ccy"]):
        return ONE
    equity, value = number(row, "eq"), number(row, "eqUsd")
    if not equity or value / equity <= 0:
        raise Misshapen(f"eqUsd and eq of {row['ccy']} give no price")
    return value / equity


def is_dollar(currency: str) -> bool:
    """Whether margin in this currency is taken as so many dollars: USD, USDT, USDC …"""
    return currency.startswith("USD")


def _times(amount: Decimal | None, price: Decimal) -> Decimal | None:
    return None if amount is None else amount * price
