"""The pools behind Binance's futures positions: cross margin by asset or as one, and each isolated position by itself.

The venue's totals (`marginBalance`, `maintMargin`) have isolated positions inside, with what is set apart for them and
backs nothing else. So a cross pool is `crossWalletBalance` + `crossUnPnl`, and an isolated position's `isolatedMargin`
is its own wallet and profit. What counts for the account is the pool nearest to its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from hedged.adapters.exchanges.dialects.base import Markets
from hedged.adapters.exchanges.shapes import Misshapen, Row, not_negative, number, positive, text
from hedged.model.snapshot import Margin

ZERO, ONE = Decimal(0), Decimal(1)


def usd_pools(account: Row) -> list[Row]:
    """The margin assets; a wallet that is worth something and lists none is half a reply."""
    if not account["assets"] and number(account, "totalMarginBalance"):
        raise Misshapen("assets is empty although there is a margin balance")
    return list(account["assets"])


def usd_margins(account: Row, held: Sequence[Row]) -> Iterator[Margin]:
    """In dollars, of the open positions `held`.

    In single-asset mode the totals speak of USDT alone while positions in USDC contracts are backed, and liquidated,
    by USDC alone. In multi-assets mode there is one pool, whose totals are the truth, and nothing is isolated.
    """
    assets = usd_pools(account)
    total, by_asset = not_negative(account, "totalMaintMargin"), _by_asset(held)
    together = _is_one(account)
    yield Margin(
        equity=number(account, "totalCrossWalletBalance") + number(account, "totalCrossUnPnl"),
        maintenance=_crossed(total, held if together else by_asset.get("USDT", ())),
        available=number(account, "availableBalance"),
    )
    for row in () if together else assets:
        if row["asset"] != "USDT":
            yield _cross_pool(row, by_asset.get(row["asset"], ()), ONE)
    for row in held:
        if is_isolated(row):
            yield Margin(number(row, "isolatedMargin"), not_negative(row, "maintMargin"))


def coin_margins(account: Row, held: Sequence[Row], markets: Markets) -> Iterator[Margin]:
    """One pool a coin, of those that back the open positions `held`, in dollars at the mark of such a position."""
    needed = {row["symbol"]: row["maintMargin"] for row in account["positions"] if row["symbol"] in _symbols(held)}
    pools = {text(row, "asset"): row for row in account["assets"]}
    backed: dict[str, list[Row]] = {}
    for row in held:
        told = {**row, "maintMargin": needed[row["symbol"]]}
        backed.setdefault(markets.contract(row["symbol"]).settle, []).append(told)
    missing = sorted(set(backed) - set(pools))
    if missing:
        raise Misshapen(f"assets lacks {', '.join(missing)}, which backs a position")
    for coin, rows in backed.items():
        yield _cross_pool(pools[coin], rows, positive(rows[-1], "markPrice"))
        for row in rows:
            if is_isolated(row):
                mark = positive(row, "markPrice")
                yield Margin(number(row, "isolatedMargin") * mark, not_negative(row, "maintMargin") * mark)


def usd_equities(account: Row) -> dict[str, Decimal]:
    """What backs the contracts of each asset, in dollars; nothing in multi-assets mode, where all back all."""
    if _is_one(account):
        return {}
    whole = number(account, "totalCrossWalletBalance") + number(account, "totalCrossUnPnl")
    return {text(row, "asset"): _cross_equity(row) for row in usd_pools(account)} | {"USDT": whole}


def coin_equities(account: Row, held: Sequence[Row], markets: Markets) -> dict[str, Decimal]:
    """Of each coin that backs an open position, in dollars at the mark of such a position."""
    marks = {markets.contract(row["symbol"]).settle: positive(row, "markPrice") for row in held}
    pools = {text(row, "asset"): row for row in account["assets"]}
    return {coin: _cross_equity(pools[coin]) * mark for coin, mark in marks.items()}


def _is_one(account: Row) -> bool:
    """Multi-assets mode: in the other the totals speak of USDT alone."""
    usdt = sum((number(row, "maintMargin") for row in usd_pools(account) if row["asset"] == "USDT"), ZERO)
    return not_negative(account, "totalMaintMargin") != usdt


def _cross_equity(asset: Row) -> Decimal:
    return number(asset, "crossWalletBalance") + number(asset, "crossUnPnl")


def _symbols(rows: Iterable[Row]) -> frozenset[str]:
    return frozenset(row["symbol"] for row in rows)


def _by_asset(held: Iterable[Row]) -> Mapping[str, Sequence[Row]]:
    found: dict[str, list[Row]] = {}
    for row in held:
        found.setdefault(text(row, "marginAsset"), []).append(row)
    return found


def is_isolated(row: Row) -> bool:
    """The rows of USD-M tell no mode; a cross position has nothing set apart."""
    return bool(number(row, "isolatedMargin"))


def _cross_pool(asset: Row, held: Sequence[Row], price: Decimal) -> Margin:
    return Margin(
        equity=_cross_equity(asset) * price,
        maintenance=_crossed(not_negative(asset, "maintMargin"), held) * price,
    )


def _crossed(told: Decimal, held: Sequence[Row]) -> Decimal:
    """What the cross positions need: all that the venue tells, unless some of it is an isolated position's."""
    if not any(is_isolated(row) for row in held):
        return told
    return sum((not_negative(row, "maintMargin") for row in held if not is_isolated(row)), ZERO)
