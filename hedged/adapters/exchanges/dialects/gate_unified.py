"""Gate's unified account: one pool of coins, with what was borrowed of them, that backs USDT perpetuals.

By the venue's documentation the `equity` of a coin is what is there less what was borrowed; that of USDT has the cross
positions' unrealised profit in it, and not the margin of isolated ones. Of every coin but USDT it has to agree with
what is available, frozen and borrowed, else nothing is known. Interest is taken off the coins by the hour, and a coin
that falls below zero by that is owed. The margin is the venue's own: of the whole account in the multi-currency and
the portfolio mode, of USDT alone in the single-currency mode.

Refused are accounts whose Earn funds count as margin (nobody tells whether equity has them) and modes that are not
documented. Dated and bitcoin-settled contracts, isolated margin and Earn are accounts of their own, as in classic mode.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from hedged.adapters.exchanges.dialects.base import DUST, Connection
from hedged.adapters.exchanges.dialects.gate_account import Name, by_asset, is_apart
from hedged.adapters.exchanges.dialects.gate_shapes import NUMBER, known
from hedged.adapters.exchanges.shapes import Misshapen, Record, Row, check, flag, not_negative, number
from hedged.adapters.exchanges.shared_call import together
from hedged.errors import Refused
from hedged.model.snapshot import Balance, Margin

ZERO = Decimal(0)

_SINGLE, _WHOLE = "single_currency", frozenset({"multi_currency", "portfolio"})
_MARGIN_COIN = "USDT"
_POINTS = "POINT"  # pay fees, and are no coin
_ROUNDING = Decimal("0.000001")  # of the largest amount
_COIN = Record({"available": NUMBER, "freeze": NUMBER, "borrowed": NUMBER, "equity": NUMBER})

_OTHER_MODE = "the unified account is in the mode {!r}, which cannot be read: choose one of the documented modes"
_NO_FUTURES = "the unified account does not back USDT perpetuals (usdt_futures): turn them on in its settings"
_EARNING = (
    "Earn funds count as margin of the unified account, and it does not tell whether its coins have them: turn that "
    "off (Unified Account → Settings → Use Earn funds as margin)"
)
_TESTNET = "the testnet's unified account cannot be read: switch it to classic mode"


@dataclass(frozen=True, slots=True)
class Unified:
    mode: str
    totals: Row
    coins: Mapping[str, Row]


async def read(connection: Connection, *, testnet: bool) -> tuple[Unified, datetime]:
    """Raises `Refused` for what cannot be told of this account."""
    account, venue = connection.account, connection.exchange
    if testnet:
        raise Refused(account, "account mode", _TESTNET)
    (totals, arrived), setting = await together(
        connection.timed(venue.privateUnifiedGetAccounts()), venue.privateUnifiedGetUnifiedMode()
    )
    mode = setting["mode"]
    if totals.get("mode", mode) != mode:
        raise Misshapen("mode is another one in the account than in its settings")
    if mode != _SINGLE and mode not in _WHOLE:
        raise Refused(account, "account mode", _OTHER_MODE.format(str(mode)[:20]))
    settings = setting.get("settings", {})
    if not isinstance(settings, dict):
        raise Misshapen("settings is not an object")
    if "usdt_futures" in settings and not flag(settings, "usdt_futures"):
        raise Refused(account, "account mode", _NO_FUTURES)
    coins = _coins(totals)
    earning = [flag(row, "use_funding") for row in (totals, settings) if "use_funding" in row]
    if any(earning) or any(known(row, "funding") for row in coins.values()):
        raise Refused(account, "account mode", _EARNING)
    return Unified(mode, totals, coins), arrived


def _coins(totals: Row) -> Mapping[str, Row]:
    coins = totals["balances"]
    if not isinstance(coins, dict):
        raise Misshapen("balances is not an object")
    for currency, row in coins.items():
        check(row, _COIN, f"balances of {currency[:20]}")
    if not coins and abs(number(totals, "unified_account_total_equity")) >= DUST:
        raise Misshapen("balances is empty although the account is worth something")
    return coins


def balances_of(unified: Unified, positions: Iterable[Row], name: Name) -> tuple[Balance, ...]:
    """What is there and what is owed; `positions` are the open ones in USDT perpetuals."""
    cash = ZERO
    for row in positions:
        cash += number(row, "margin") if is_apart(row) else -number(row, "unrealised_pnl")
    return by_asset(
        _balance(name(currency), row, cash if currency == _MARGIN_COIN else None)
        for currency, row in unified.coins.items()
        if currency != _POINTS
    )


def _balance(asset: str, row: Row, more: Decimal | None) -> Balance:
    """`more`: what is to be added to equity for what is there without unrealised profit; None: equity is just that."""
    net, frozen, borrowed = number(row, "equity"), not_negative(row, "freeze"), not_negative(row, "borrowed")
    if more is None:
        available = number(row, "available")
        largest = max(abs(net), abs(available), frozen, borrowed)
        if abs(available + frozen - borrowed - net) > largest * _ROUNDING:
            raise Misshapen(f"equity of {asset} is not what is available and frozen less what was borrowed")
    net += more or ZERO
    owed = max(borrowed, -net)
    locked = min(frozen, net + owed)
    return Balance(asset, net + owed - locked, locked, owed)


def margin_of(unified: Unified, positions: Sequence[Row]) -> Margin:
    """In dollars. A maintenance of zero while something is backed or owed is not told, and unknown."""
    used = any(not is_apart(row) for row in positions)
    if unified.mode == _SINGLE:
        row = unified.coins.get(_MARGIN_COIN)
        if row is None:
            if used:
                raise Misshapen(f"balances lacks {_MARGIN_COIN}, in which positions are held")
            return Margin(ZERO, ZERO, ZERO)
        names = ("margin_balance", "mm", "available_margin")
    else:
        used = used or any(number(row, "borrowed") for row in unified.coins.values())
        row, names = unified.totals, ("total_margin_balance", "total_maintenance_margin", "total_available_margin")
    equity, needed, available = names
    maintenance = not_negative(row, needed)
    return Margin(number(row, equity), None if used and not maintenance else maintenance, number(row, available))
