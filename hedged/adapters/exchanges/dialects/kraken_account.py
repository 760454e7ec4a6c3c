"""What Kraken holds for a user, from its replies: coins, what they earn in, margin positions, the ledger."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import (
    Misshapen,
    Record,
    Row,
    Scalar,
    milliseconds,
    not_negative,
    number,
    positive,
    positive_or_none,
    text,
)
from hedged.model.snapshot import Balance, Doubt

NUMBER, PRESENT = Scalar.NUMBER, Scalar.PRESENT
ZERO = Decimal(0)

# endings of names, by the venue's "Get Extended Balance" and its article on Asset.S and Asset.M
_EARNING = frozenset({"B", "F", "M", "P", "S"})  # yield, rewards, opted in, bonded, staked
_TOKENISED = "T"
_ON_HOLD = "HOLD"  # of a deposit that has not cleared: the user's, and not to be moved yet
_DAYS = re.compile(r"([A-Z]{2,})\d{2}", re.ASCII)  # a coin that takes so many days to come back: DOT28.S
_STAKED_ETHER = "ETH2"  # its rewards; what they are for is ETH2.S
_ENOUGH = Decimal("0.95")  # of a balance's fall; fees may have taken the rest

ENDPOINTS = {
    ("POST", "/0/private/BalanceEx"): Endpoint("balances", Record({"error": PRESENT, "result": Record({})})),
    ("POST", "/0/private/OpenPositions"): Endpoint("margin positions", Record({"error": PRESENT, "result": PRESENT})),
    ("POST", "/0/private/Ledgers"): Endpoint(
        "ledger", Record({"error": PRESENT, "result": Record({"ledger": PRESENT, "count": NUMBER})})
    ),
}

Name = Callable[[str], str]  # the venue's name of a currency → ours


def last_price(row: object) -> Decimal | None:
    """The last trade's: the first of the two figures of `c`; None: there was none."""
    last = row.get("c") if isinstance(row, dict) else None
    if not isinstance(last, list) or not last:
        raise Misshapen("c is not a list")
    return positive_or_none({"c": last[0]}, "c")


def coins(rows: Mapping[str, Any], name: Name, *, earning: bool) -> tuple[Balance, ...]:
    """Those that earn, or those that do not."""
    found: dict[str, Balance] = {}
    for asset, row in rows.items():
        coin_name, earns = place(asset, name)
        coin = _coin(coin_name, row, on_hold=asset.endswith(f".{_ON_HOLD}"))
        if earns is not earning:
            continue
        other = found.get(coin.asset, Balance(coin.asset, ZERO))
        found[coin.asset] = Balance(
            coin.asset, coin.free + other.free, coin.locked + other.locked, coin.debt + other.debt
        )
    return tuple(coin for coin in found.values() if coin.free or coin.locked or coin.debt)


def place(asset: str, name: Name) -> tuple[str, bool]:
    """The coin that a balance is in, and whether it earns. One of an unknown ending keeps it, and has no price."""
    bare, _, ending = asset.partition(".")
    if ending in _EARNING:
        days = _DAYS.fullmatch(bare)
        bare = days[1] if days else bare
    elif ending not in {"", _TOKENISED, _ON_HOLD}:
        return name(asset), False
    if bare == _STAKED_ETHER:
        return "ETH", True
    return name(bare), ending in _EARNING


def _coin(asset: str, row: object, *, on_hold: bool) -> Balance:
    """What is used of a credit line is not in the balance: available = balance + credit − used − held for orders.

    A balance below zero, as a margin position's loss may leave, is owed.
    """
    if not isinstance(row, dict):
        raise Misshapen(f"{asset} is not an object")
    balance, held = number(row, "balance"), not_negative(row, "hold_trade")
    used = not_negative(row, "credit_used") if "credit_used" in row else ZERO
    amount = max(balance, ZERO)
    locked = amount if on_hold else min(held, amount)
    return Balance(asset, amount - locked, locked, used + amount - balance)


def margin_coins(result: object, exchange: Any) -> tuple[Balance, ...]:
    """Each position as coins against a debt at its cost, locked, for nobody can take them out; sums by coin."""
    held: dict[str, Decimal] = {}
    owed: dict[str, Decimal] = {}
    for bought, got, sold, gave in _positions(result, exchange):
        held[bought] = held.get(bought, ZERO) + got
        owed[sold] = owed.get(sold, ZERO) + gave
    return tuple(Balance(coin, ZERO, held.get(coin, ZERO), owed.get(coin, ZERO)) for coin in {**held, **owed})


def _positions(result: object, exchange: Any) -> Iterator[tuple[str, Decimal, str, Decimal]]:
    """(coin bought, how much, coin sold, how much) of what is still open."""
    if not isinstance(result, dict) and result != []:
        raise Misshapen("result is not an object")
    for row in result.values() if isinstance(result, dict) else ():
        if not isinstance(row, dict):
            raise Misshapen("a margin position is not an object")
        volume, closed = positive(row, "vol"), not_negative(row, "vol_closed")
        base, quote = _pair(text(row, "pair"), exchange)
        if closed > volume or row.get("type") not in {"buy", "sell"}:
            raise Misshapen(f"type or vol_closed of a margin position in {base}/{quote} is not what it should be")
        cost = not_negative(row, "cost") * (volume - closed) / volume
        if volume == closed:
            continue
        if row["type"] == "buy":
            yield base, volume - closed, quote, cost
        else:
            yield quote, cost, base, volume - closed


def _pair(pair: str, exchange: Any) -> tuple[str, str]:
    """Base and quote of a pair by its id or its other name."""
    listed = exchange.markets_by_id.get(pair) or [exchange.options["marketsByAltname"].get(pair)]
    if listed[0] is None:
        raise Misshapen(f"a margin position in {pair}, which the venue does not list")
    return listed[0]["base"], listed[0]["quote"]


def venue_seconds(exchange: Any, when: datetime) -> int:
    """Our time by the venue's clock, in whole seconds: ccxt keeps ours − theirs."""
    return (milliseconds(when) - int(exchange.options["timeDifference"])) // 1000


def explain_balance(result: Row, name: Name, doubt: Doubt, since: datetime, start: int) -> str | None:
    """The movements that account for a fall of a balance, by kind; a page that lacks some explains nothing."""
    subject = (doubt.asset, doubt.subject.rsplit("/", 2)[1] == "earn")
    rows = result["ledger"]
    if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        raise Misshapen("ledger is not an object of objects")
    if number(result, "count") > len(rows):
        return None
    moved: dict[str, Decimal] = {}
    for row in rows.values():
        if number(row, "time") >= start and place(text(row, "asset"), name) == subject:
            kind = text(row, "type")
            moved[kind] = moved.get(kind, ZERO) + number(row, "amount") - not_negative(row, "fee")
    change = doubt.now - doubt.before
    if not change or sum(moved.values(), ZERO) / change < _ENOUGH:
        return None
    listed = ", ".join(f"{kind} {amount:+f} {doubt.asset}" for kind, amount in sorted(moved.items()) if amount)
    return f"since {since:%Y-%m-%d %H:%M} UTC: {listed}"
