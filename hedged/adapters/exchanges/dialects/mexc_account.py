"""MEXC's wallets, positions and margin pools as values of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.dialects.base import Connection, Markets
from hedged.adapters.exchanges.shapes import (
    Misshapen,
    Row,
    liquidation_or_none,
    not_negative,
    number,
    positive,
    positive_or_none,
)
from hedged.errors import Refused
from hedged.model.instrument import Instrument
from hedged.model.snapshot import Balance, Margin, Position

ZERO = Decimal(0)

_HEDGE_MODE, _ONE_WAY = 1, 2
_ISOLATED, _CROSS = "1", "2"  # openType
_SIDES = {1: 1, 2: -1}  # positionType → sign: long, short
_APART_AT_MOST = 2  # times
_PAIRS_A_CALL = 5  # margin accounts that the venue shows at once
HEDGED = (
    "the account is in hedge mode (separate long and short positions): close all futures positions and orders, then "
    "choose One-Way Mode (Futures → Settings → Position Mode)"
)
_NO_MARGIN = "the venue lists no pair for margin trading now, so nothing can be asked: leave margin out of wallets"


def coin(venue: Any, name: str) -> str:
    """How ccxt calls a coin, and with it every market and instrument; the venue calls some of them otherwise."""
    unified: str = venue.safe_currency_code(name)
    return unified


async def spot_wallet(connection: Connection) -> tuple[list[Balance], datetime]:
    venue = connection.exchange
    reply, arrived = await connection.timed(venue.spotPrivateGetAccount())
    coins = [
        Balance(coin(venue, row["asset"]), not_negative(row, "free"), not_negative(row, "locked"))
        for row in reply["balances"]
    ]
    return coins, arrived


async def margin_wallet(connection: Connection) -> tuple[list[Balance], datetime]:
    """The accounts of all pairs that the venue lends on, added up by coin. One that is not shown fails the read."""
    venue = connection.exchange
    listed = await venue.load_markets()
    pairs = sorted(market["id"] for market in listed.values() if market["spot"] and market["margin"] is True)
    if not pairs:
        raise Refused(connection.account, "margin wallet", _NO_MARGIN)
    asked = [",".join(part) for part in _parts(pairs)]
    replies = await asyncio.gather(
        *(connection.timed(venue.spotPrivateGetMarginIsolatedAccount({"symbols": part})) for part in asked)
    )
    rows = [row for reply, _ in replies for row in reply["assets"]]
    if sorted(row["symbol"] for row in rows) != pairs:
        raise Misshapen("assets are not those of the pairs that were asked for")
    return _added_up(venue, rows), min(arrived for _, arrived in replies)


def _parts(pairs: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(pairs), _PAIRS_A_CALL):
        yield pairs[start : start + _PAIRS_A_CALL]


def _added_up(venue: Any, rows: Iterable[Row]) -> list[Balance]:
    total: dict[str, Balance] = {}
    for side in (row[name] for row in rows for name in ("baseAsset", "quoteAsset")):
        asset = coin(venue, side["asset"])
        so_far = total.get(asset, Balance(asset, ZERO))
        debt = not_negative(side, "borrowed") + not_negative(side, "interest")
        total[asset] = Balance(
            asset,
            so_far.free + not_negative(side, "free"),
            so_far.locked + not_negative(side, "locked"),
            so_far.debt + debt,
        )
    return list(total.values())


async def pools(connection: Connection) -> tuple[Sequence[Row], datetime]:
    """Futures wallet and margin come in one reply: the legs that want it at the same time share it."""
    venue = connection.exchange
    reply, arrived = await connection.shared.ask(
        "futures wallet", lambda: connection.timed(venue.contractPrivateGetAccountAssets())
    )
    return reply["data"], arrived


async def swap_wallet(connection: Connection) -> tuple[list[Balance], datetime]:
    """What was paid in and realised: unrealised profit belongs to the positions, bonus credit to the venue."""
    rows, arrived = await pools(connection)
    coins = [
        Balance(
            coin(connection.exchange, row["currency"]),
            number(row, "equity") - number(row, "unrealized") - not_negative(row, "bonus"),
        )
        for row in rows
    ]
    return coins, arrived


def check_mode(account: str, mode: Decimal, rows: Iterable[Row]) -> None:
    """Of what is open: hedge mode is that of a new account, and nothing in it is one-way as well."""
    if not any(not_negative(row, "holdVol") for row in rows):
        return
    if is_hedge_mode(mode):
        raise Refused(account, "position mode", HEDGED)


def is_hedge_mode(mode: Decimal) -> bool:
    if mode not in {_HEDGE_MODE, _ONE_WAY}:
        raise Misshapen("data is no position mode of the venue's")
    return mode == _HEDGE_MODE


def positions(rows: Iterable[Row], markets: Markets) -> dict[str, Position]:
    """Open positions by market id."""
    held: dict[str, Position] = {}
    for row in rows:
        if not not_negative(row, "holdVol"):
            continue
        if row["symbol"] in held:
            raise Misshapen(f"two positions in {row['symbol']}, although the account is in one-way mode")
        held[row["symbol"]] = _position(row, markets.contract(row["symbol"]))
    return held


def isolated(rows: Iterable[Row], contracts: Mapping[str, Instrument]) -> dict[str, Row]:
    """The rows of isolated linear positions that tell what is set apart for them, by market id."""
    return {
        row["symbol"]: row
        for row in rows
        if not_negative(row, "holdVol")
        and str(row.get("openType")) == _ISOLATED
        and row.get("im") is not None
        and number(row, "im") > 0
        and contracts[row["symbol"]].linear
    }


def set_apart(position: Position, contract: Instrument, row: Row, tickers: Mapping[str, Row]) -> Position:
    """With the margin of an isolated position and its profit; unknown without its entry or its mark."""
    if position.entry_price is None or row["symbol"] not in tickers:
        return position
    mark = positive(tickers[row["symbol"]], "fairPrice")
    profit = contract.notional(position.contracts, mark) - contract.notional(position.contracts, position.entry_price)
    return replace(position, isolated_equity=number(row, "im") + profit)


def is_pooled(rows: Iterable[Row], held: Mapping[str, Position]) -> bool:
    """Whether it is known of every open position what backs it: its currency's pool, or what is set apart for it."""
    return all(
        str(row.get("openType")) == _CROSS or held[row["symbol"]].isolated_equity is not None
        for row in rows
        if not_negative(row, "holdVol")
    )


def _position(row: Row, contract: Instrument) -> Position:
    side = number(row, "positionType")
    if side not in _SIDES:
        raise Misshapen("positionType is neither long nor short")
    contracts, entry = not_negative(row, "holdVol") * _SIDES[int(side)], positive_or_none(row, "openAvgPrice")
    return Position(
        instrument=contract.id,
        contracts=contracts,
        entry_price=entry,
        liquidation_price=liquidation_or_none(row, "liquidatePrice"),
        trusted=_is_trusted(row, contract, contracts, entry),
    )


def _is_trusted(row: Row, contract: Instrument, contracts: Decimal, entry: Decimal | None) -> bool:
    """Whether margin × leverage is about what the contracts were worth at their entry; nothing told, nothing checked.

    The margin that a position was opened with (`oim`) or holds now (`im`, which the user may add to) may have fees in
    it, or be of another price. What a wrong contract size makes of it is ten times as much or more.
    """
    margins = [number(row, name) for name in ("oim", "im") if row.get(name) is not None]
    if entry is None or row.get("leverage") is None or not any(margins):
        return True
    worth = abs(contract.notional(contracts, entry)) / (Decimal(1) if contract.linear else entry)
    told = [margin * number(row, "leverage") for margin in margins]
    return any(worth / _APART_AT_MOST <= each <= worth * _APART_AT_MOST for each in told)


def margins(
    venue: Any,
    rows: Iterable[Row],
    contracts: Mapping[str, Instrument],
    tickers: Mapping[str, Row],
    held: Mapping[str, Position],
) -> tuple[Margin | None, dict[str, Decimal]]:
    """The pool that the positions in cross margin use most of; with none the one in USDT, None if the venue shows none.

    What is set apart for an isolated position is in its currency's equity, and backs no other. A pool of coins is
    valued at the mark of a contract that it backs. `contracts`, `tickers` and `held` are by market id. And what backs
    the positions of each settlement currency.
    """
    by_currency = {coin(venue, row["currency"]): row for row in rows}
    apart: dict[str, Decimal] = {}
    for name, position in held.items():
        settle = contracts[name].settle
        apart[settle] = apart.get(settle, ZERO) + (position.isolated_equity or ZERO)
    shared = {name: each for name, each in contracts.items() if held[name].isolated_equity is None}
    if not shared:
        if "USDT" not in by_currency:
            return None, {}
        idle = _pool(by_currency["USDT"], Decimal(1), maintenance=None if held else ZERO)
        return replace(idle, equity=idle.equity - apart.get("USDT", ZERO)), {}
    found, backing = [], {}
    for name, contract in shared.items():
        if contract.settle not in by_currency:
            raise Misshapen(f"there is a position settled in {contract.settle}, but no wallet of it")
        row = by_currency[contract.settle]
        if not contract.linear and name not in tickers:
            raise Misshapen(f"{name} has no mark to value its margin at")
        price = Decimal(1) if contract.linear else positive(tickers[name], "fairPrice")
        pool = _pool(row, price)
        pool = replace(pool, equity=pool.equity - apart.get(contract.settle, ZERO) * price)
        found.append((_use(row), pool))
        backing[contract.settle] = pool.equity
    return max(found, key=lambda use_and_pool: use_and_pool[0])[1], backing


def _pool(row: Row, price: Decimal, maintenance: Decimal | None = None) -> Margin:
    return Margin(
        equity=_equity(row) * price, maintenance=maintenance, available=number(row, "availableBalance") * price
    )


def _equity(row: Row) -> Decimal:
    return number(row, "equity") - not_negative(row, "bonus")


def _use(row: Row) -> Decimal:
    """Share of a pool's equity that its positions hold as margin; the venue tells no maintenance margin."""
    used, equity = not_negative(row, "positionMargin"), _equity(row)
    if not used:
        return ZERO
    return used / equity if equity > 0 else Decimal("Infinity")
