"""Bybit's unified account: its coins and debts, its margin, its positions. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from decimal import Decimal

from hedged.adapters.exchanges.dialects.base import DUST, Markets, is_plausible
from hedged.adapters.exchanges.dialects.bybit_replies import envelope, number_or_none, paged, price_or_none
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import (
    Fields,
    Misshapen,
    Row,
    Rows,
    Scalar,
    liquidation_or_none,
    not_negative,
    number,
    text,
)
from hedged.errors import Refused
from hedged.model.instrument import Instrument
from hedged.model.snapshot import Balance, Margin, Position

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT
ZERO = Decimal(0)

_RATE_STEP = Decimal("0.0001")  # the venue prints its margin rates with four decimals
HEDGE_MODE = (
    "the account is in hedge mode (separate long and short positions): switch it to one-way mode "
    "(Derivatives → settings → Position Mode → One-Way Mode)"
)
# the venue fills in no interest for a coin that is not collateral
_COIN: Fields = {"coin": TEXT, "walletBalance": NUMBER, "borrowAmount": NUMBER, "accruedInterest": PRESENT}
_ACCOUNT: Fields = {
    "accountType": TEXT,
    "totalEquity": PRESENT,
    "accountMMRate": PRESENT,
    "totalMaintenanceMargin": PRESENT,
    "totalAvailableBalance": PRESENT,
    "coin": Rows(_COIN),
}
# the value is blank where nothing is held
_POSITION = {"symbol": TEXT, "side": PRESENT, "size": NUMBER, "positionIdx": NUMBER, "positionValue": PRESENT}

ENDPOINTS = {
    ("GET", "/v5/account/wallet-balance"): Endpoint("unified wallet", envelope({"list": Rows(_ACCOUNT, at_least=1)})),
    ("GET", "/v5/position/list"): Endpoint("positions", paged(_POSITION)),
    ("GET", "/v5/asset/transfer/query-account-coins-balance"): Endpoint(
        "funding wallet", envelope({"balance": Rows({"coin": TEXT, "walletBalance": NUMBER})})
    ),
    ("GET", "/v5/earn/position"): Endpoint("earn wallet", envelope({"list": Rows({"coin": TEXT, "amount": NUMBER})})),
}


def unified_account(reply: Row) -> Row:
    """The account in a wallet-balance reply; one that is worth something and lists no coin is half a reply."""
    accounts: list[Row] = [row for row in reply["result"]["list"] if row["accountType"] == "UNIFIED"]
    if len(accounts) != 1:
        raise Misshapen("the reply does not hold one unified account")
    if not accounts[0]["coin"] and abs(number_or_none(accounts[0], "totalEquity") or ZERO) >= DUST:
        raise Misshapen("coin is empty although the account has equity")
    return accounts[0]


def coins(account: Row) -> list[Balance]:
    return [_coin(row) for row in account["coin"]]


def _coin(row: Row) -> Balance:
    """One coin of the unified account.

    `walletBalance` includes coins that were borrowed (`spotBorrow`) and is itself negative where derivatives lost
    more than there was: the one is owed beside it, the other is a debt and no coin. `borrowAmount` is both together.
    Interest that is blank is none.
    """
    held, borrowed = number(row, "walletBalance"), not_negative(row, "borrowAmount")
    interest, on_spot = _not_below_zero(row, "accruedInterest") or ZERO, _not_below_zero(row, "spotBorrow")
    overdrawn = max(-held, ZERO)
    # where the two are not told apart, both together cannot be less than what is overdrawn
    owed = max(overdrawn, borrowed) if on_spot is None else overdrawn + on_spot
    held = max(held, ZERO)
    locked = min(not_negative(row, "locked"), held) if "locked" in row else ZERO
    return Balance(row["coin"], held - locked, locked, owed + interest)


def _not_below_zero(row: Row, name: str) -> Decimal | None:
    """An amount; None where it is blank or left out."""
    return None if number_or_none(row, name) is None else not_negative(row, name)


def margin(account: Row, *, held: bool) -> Margin | None:
    """In US dollars, taken for the quote currency. None in isolated margin, where every position stands for itself.

    The venue liquidates when `accountMMRate` reaches 1. That is maintenance over equity less the haircut on coins
    that are not dollars, so where the rate is the tighter one, equity is what makes the ratio come out the same.
    Bonus credit is part of the venue's equity and is taken off. The venue may leave the rate blank where nothing is
    `held` or maintained, and the equity too where there is no coin: then there is none.
    """
    if account["accountMMRate"] == "" and account["totalMaintenanceMargin"] == "":
        return None
    maintenance = not_negative(account, "totalMaintenanceMargin")
    idle = not held and not maintenance
    rate = ZERO if idle and account["accountMMRate"] == "" else number(account, "accountMMRate")
    if idle and account["totalEquity"] == "" and not any(_is_anything(row) for row in account["coin"]):
        return Margin(ZERO, ZERO, number_or_none(account, "totalAvailableBalance"))
    equity = number(account, "totalEquity")  # below zero, as the rate may then be, when more is lost than there was
    if equity > 0 and rate - _RATE_STEP > maintenance / equity:
        equity = maintenance / rate
    bonus = sum((_bonus(row) for row in account["coin"]), ZERO)
    return Margin(equity - bonus, maintenance, number_or_none(account, "totalAvailableBalance"))


def _is_anything(row: Row) -> bool:
    return bool(number(row, "walletBalance") or number(row, "borrowAmount") or number_or_none(row, "bonus"))


def _bonus(row: Row) -> Decimal:
    """Bonus credit of one coin in US dollars, at the price by which the venue values the coin."""
    bonus = number_or_none(row, "bonus")
    if not bonus:
        return ZERO
    equity = number(row, "equity")
    if not equity:
        raise Misshapen(f"the bonus in {row['coin']} has no price")
    return bonus * number(row, "usdValue") / equity


def positions(account: str, rows: Iterable[Row], markets: Markets) -> tuple[Position, ...]:
    """Open positions. A symbol that comes twice (a page that moved) must say the same both times."""
    found: dict[str, Row] = {}
    for row in rows:
        if not number(row, "size"):
            continue
        if number(row, "positionIdx"):
            raise Refused(account, "positions", HEDGE_MODE)
        if found.setdefault(row["symbol"], row) != row:
            raise Misshapen(f"two different positions in {row['symbol']}")
    return tuple(_position(row, markets.contract(row["symbol"])) for row in found.values())


def is_hedge_mode(rows: Iterable[Row], wanted: Collection[str]) -> bool | None:
    """By the place that a position has, or would have, in these contracts; None: not told of every one."""
    places = [(row["symbol"], number(row, "positionIdx")) for row in rows]
    if any(place for _, place in places):
        return True
    return False if wanted and {symbol for symbol, _ in places} >= set(wanted) else None


def _position(row: Row, instrument: Instrument) -> Position:
    side, size = text(row, "side"), not_negative(row, "size")
    if side not in {"Buy", "Sell"}:
        raise Misshapen("side is neither Buy nor Sell")
    contracts = size if side == "Buy" else -size
    mark = price_or_none(row, "markPrice")
    entry = price_or_none(row, "avgPrice") or price_or_none(row, "entryPrice")
    maintenance = _not_below_zero(row, "positionMM")
    return Position(
        instrument=instrument.id,
        contracts=contracts,
        entry_price=entry,
        liquidation_price=liquidation_or_none(row, "liqPrice"),
        unrealised_pnl=_in_quote(number_or_none(row, "unrealisedPnl"), instrument, mark),
        maintenance_margin=_in_quote(maintenance, instrument, mark),
        trusted=_is_trusted(row, instrument, contracts, (entry, mark)),
    )


def _in_quote(amount: Decimal | None, instrument: Instrument, mark: Decimal | None) -> Decimal | None:
    """Amounts are in the settlement coin; of an inverse contract only the mark makes them money."""
    if amount is None or instrument.linear:
        return amount
    return None if mark is None else amount * mark


def _is_trusted(row: Row, instrument: Instrument, contracts: Decimal, prices: Iterable[Decimal | None]) -> bool:
    """Whether size and value agree. The venue values most positions at their entry and some at the mark; a wrong
    contract size agrees with neither. The value of an inverse position is in coins.
    """
    value = not_negative(row, "positionValue").copy_sign(contracts)
    return any(
        is_plausible(instrument, contracts, price, value if instrument.linear else value * price)
        for price in prices
        if price is not None
    )
