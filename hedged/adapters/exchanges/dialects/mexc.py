"""MEXC: spot and isolated-margin wallets, futures margined in stablecoins (linear) and in the coin itself (inverse).

- Positions are counted in contracts: coins (linear) or dollars (inverse) per contract are the venue's `contractSize`.
- One call answers for the positions of every settlement currency. It has no mark, notional, unrealised profit or
  maintenance margin: the mark is the ticker's `fairPrice`, the others stay unknown. With no notional to compare with,
  the size is held against margin × leverage. A position in a contract that is not listed fails the read.
- Each settlement currency has a pool of its own. What the core sees as the account's margin is the pool that open
  positions use most of. Bonus credit is neither equity nor coins, although the venue counts it in both.
- An isolated position (`openType` 1) has the venue's liquidation price and is a pool of its own: its `im` is set apart,
  and its profit by the ticker's mark. Of an inverse one that is not worked out: while there is any, the account's
  maintenance and the liquidation prices that the venue leaves out stay unknown.
- The funding rate comes with all tickers in one call; when it is due and how often is told one contract at a time,
  and asked again only after that moment has passed.
- The venue lends on the pairs that it lists for margin trading, each an account of its own; the margin wallet is
  their sum.
- Some coins have another name here than elsewhere (`STEPN` is what others call GMT): ccxt's names are used throughout.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects import mexc_account, mexc_movements
from hedged.adapters.exchanges.dialects.base import Connection, Dialect, Markets
from hedged.adapters.exchanges.dialects.mexc_endpoints import ENDPOINTS
from hedged.adapters.exchanges.dialects.mexc_tiers import tiers_of
from hedged.adapters.exchanges.guard import ClockSkew, Endpoint
from hedged.adapters.exchanges.shapes import (
    Misshapen,
    Row,
    hint,
    moment,
    not_negative,
    number,
    positive,
    positive_or_none,
)
from hedged.errors import ConfigurationError, VenueError
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument, InstrumentId, MarginTier
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Derivatives, Doubt, Quote, Read

_STATES = frozenset(range(5))  # 0 enabled, 1 delivery, 2 completed, 3 offline, 4 paused
_SCHEDULES_MAX = 20  # funding schedules asked in one read: what the venue allows in two seconds
_NO_SANDBOX = "exchange = mexc  sandbox = true  has no test system: leave sandbox out"


@dataclass(frozen=True, slots=True)
class _Schedule:
    """When a contract's funding is due next, and how often it is."""

    hours: Decimal
    due: datetime


class Mexc(Dialect):
    exchange: ClassVar[str] = "mexc"
    hedge_words: ClassVar[str] = mexc_account.HEDGED
    wallets: ClassVar[frozenset[str]] = frozenset({"spot", "margin", "swap"})
    burst: ClassVar[float] = 500.0  # what the venue allows in ten seconds, per endpoint
    candles_page: ClassVar[int] = 500  # spot; contracts would give 2,000
    config: ClassVar[Mapping[str, Any]] = {
        "has": {"fetchCurrencies": False},  # signed; networks and withdrawal fees
    }
    refusals: ClassVar[Mapping[str, str]] = {
        "401": "the key is unknown or may not read futures",
        "402": "the key has expired: renew it, or make one that is bound to an address",
        "406": "the key is bound to another address",
        "602": "the signature does not verify: the secret does not belong to this key",
        "701": "the key may not do this: allow reading of the futures account for it",
        "703": "the key may not do this: allow reading of futures orders for it",
        "1000": "the futures account does not exist: open it once on the venue's site",
        "10072": "the venue does not know this key",
        "700001": "the key has expired or is malformed: copy it again, or make another",
        "700002": "the signature does not verify: the secret does not belong to this key",
        "700006": "the key is bound to another address",
        "700007": "the key may not do this: allow reading for it",
    }
    complaints: ClassVar[Mapping[str, type[VenueError]]] = {"513": ClockSkew}  # more than 10 s from the venue's time
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = ENDPOINTS

    def __init__(self) -> None:
        self._schedules: dict[str, _Schedule] = {}  # market id → as last told

    def use_sandbox(self, exchange: Any) -> None:
        raise ConfigurationError(_NO_SANDBOX)

    def reads_contract(self, market: Row) -> bool:
        return bool(market.get("swap"))

    def instrument(self, account: str, market: Row) -> Instrument:
        """A contract settled in a third currency has no size in coins; ccxt makes a missing minimum none."""
        info = market["info"]
        if market["settle"] not in {market["quote"], market["base"]}:
            raise Misshapen(f"{market['id']} is settled in neither of its coins")
        if number(info, "state") not in _STATES:
            raise Misshapen("state is not one of the venue's")
        return replace(super().instrument(account, market), quantity_min=not_negative(info, "minVol"))

    async def candles(self, connection: Connection, symbol: str, begin: int, end: int) -> Sequence[Sequence[object]]:
        """Ccxt ends a page of spot by itself, and would pass its own word for the end on to the venue."""
        ends = {"end": end // 1000} if ":" in symbol else {}
        fetch = connection.exchange.fetch_ohlcv
        rows: Sequence[Sequence[object]] = await fetch(symbol, "1h", begin, self.candles_page, ends)
        return rows

    def multiplier(self, market: Row) -> Decimal:
        return positive(market["info"], "contractSize")

    def delisting(self, market: Row) -> datetime | None:
        return None  # announced on the site only

    async def quotes(self, connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
        rows, schedules = await asyncio.gather(_tickers(connection), self._funding(connection, wanted))
        return {
            wanted[row["symbol"]].id: _quote(wanted[row["symbol"]], row, schedules.get(row["symbol"]))
            for row in rows
            if row["symbol"] in wanted
        }

    async def _funding(self, connection: Connection, wanted: Collection[str]) -> Mapping[str, _Schedule]:
        """Schedules of these contracts. One that is not told stays unknown and is asked next time; marks go on."""
        now = connection.clock.now()
        known = {name: self._schedules[name] for name in wanted if name in self._schedules}
        current = {name: schedule for name, schedule in known.items() if schedule.due > now}
        due = [name for name in wanted if name not in current][:_SCHEDULES_MAX]
        told = await asyncio.gather(*(_schedule(connection, name) for name in due))
        fresh = {name: schedule for name, schedule in zip(due, told, strict=True) if schedule is not None}
        self._schedules.update(fresh)
        return {**current, **fresh}

    async def prices(self, connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
        rows, arrived = await connection.timed(connection.exchange.spotPublicGetTickerPrice())
        prices = {wanted[row["symbol"]]: positive_or_none(row, "price") for row in rows if row["symbol"] in wanted}
        return {asset: Read(price, arrived) for asset, price in prices.items() if price is not None}

    async def balances(self, connection: Connection, wallet: str) -> Read[tuple[Balance, ...]]:
        reads = {
            "spot": mexc_account.spot_wallet,
            "margin": mexc_account.margin_wallet,
            "swap": mexc_account.swap_wallet,
        }
        coins, arrived = await reads[wallet](connection)
        return Read(tuple(coin for coin in coins if coin.free or coin.locked or coin.debt), arrived)

    async def derivatives(self, connection: Connection, markets: Markets) -> Read[Derivatives]:
        venue = connection.exchange
        mode, (pools, pools_at), (rows, rows_at) = await asyncio.gather(
            venue.contractPrivateGetPositionPositionMode(),
            mexc_account.pools(connection),
            connection.timed(venue.contractPrivateGetPositionOpenPositions()),
        )
        mexc_account.check_mode(connection.account, number(mode, "data"), rows["data"])
        held = mexc_account.positions(rows["data"], markets)
        contracts = {name: markets.contract(name) for name in held}
        isolated = mexc_account.isolated(rows["data"], contracts)
        marks = await _marks(connection) if isolated or any(not each.linear for each in contracts.values()) else {}
        held |= {
            name: mexc_account.set_apart(held[name], contracts[name], row, marks) for name, row in isolated.items()
        }
        self.one_pool = mexc_account.is_pooled(rows["data"], held)
        margin, equities = mexc_account.margins(connection.exchange, pools, contracts, marks, held)
        return Read(Derivatives(tuple(held.values()), margin, equities=equities), min(pools_at, rows_at))

    async def hedge_mode(self, connection: Connection, wanted: Mapping[str, Instrument]) -> bool:
        reply = await connection.exchange.contractPrivateGetPositionPositionMode()
        return mexc_account.is_hedge_mode(number(reply, "data"))

    async def funding_payments(
        self, connection: Connection, wanted: Mapping[str, Instrument], since: datetime
    ) -> Read[tuple[FundingPayment, ...]] | None:
        return await mexc_movements.funding_payments(connection, wanted, since)

    async def explain(
        self, connection: Connection, markets: Markets, doubt: Doubt, since: datetime, held: Collection[str]
    ) -> str | None:
        if doubt.instrument is not None:
            market_id = markets.market_ids.get(doubt.instrument)
            if market_id is None:
                return None  # no longer listed: a person has to look
            return await mexc_movements.explain_position(connection, market_id, doubt, since)
        return await mexc_movements.explain_balance(connection, markets, doubt, since, held)

    async def permissions(self, connection: Connection) -> Permissions | None:
        """By the scopes' names. A key that is bound to no address expires; the venue tells in how many days."""
        venue = connection.exchange
        reply, arrived = await connection.timed(venue.spotPrivateGetApiKeyInfo({"accessKey": venue.apiKey}))
        scopes = {scope.strip() for scope in reply["permissions"].split(",")}
        addresses, days = reply.get("ipWhiteList"), reply.get("remainingValidity")
        ends = days is not None and number(reply, "remainingValidity") > 0
        return Permissions(
            read=any(scope.endswith(("ACCOUNT_READ", "DEAL_READ")) for scope in scopes),
            trade="CONTRACT_DEAL_WRITE" in scopes,
            withdraw=any("WITHDRAW" in scope and not scope.endswith("READ") for scope in scopes),
            bound_to_address=bool(addresses.strip()) if isinstance(addresses, str) else None,
            expires=arrived + timedelta(days=int(days)) if ends else None,
        )

    async def tiers(
        self, connection: Connection, wanted: Mapping[str, Instrument]
    ) -> Mapping[InstrumentId, tuple[MarginTier, ...]]:
        """From the risk limits of the listing, which count contracts: their value is taken at the present mark."""
        listed = await connection.exchange.load_markets()
        rules = {market["id"]: market["info"] for market in listed.values() if market["swap"]}
        marks = await _marks(connection)
        found = {
            instrument.id: tiers_of(rules[name], instrument, positive(marks[name], "fairPrice"))
            for name, instrument in wanted.items()
            if name in rules and name in marks
        }
        return {name: tiers for name, tiers in found.items() if tiers}


async def _tickers(connection: Connection) -> Sequence[Row]:
    """All contracts' prices come in one reply: the legs that want it at the same time share it."""
    reply = await connection.shared.ask("contract tickers", connection.exchange.contractPublicGetTicker)
    rows: Sequence[Row] = reply["data"]
    return rows


async def _marks(connection: Connection) -> Mapping[str, Row]:
    return {row["symbol"]: row for row in await _tickers(connection)}


async def _schedule(connection: Connection, market_id: str) -> _Schedule | None:
    """When a contract's funding is due; None: the venue did not say."""
    try:
        reply = await connection.exchange.contractPublicGetFundingRateSymbol({"symbol": market_id})
        row = reply["data"]
        if row["symbol"] != market_id:
            return None
        return _Schedule(positive(row, "collectCycle"), moment(row, "nextSettleTime"))
    except (VenueError, Misshapen):
        return None


def _quote(contract: Instrument, row: Row, schedule: _Schedule | None) -> Read[Quote]:
    bid, ask = positive_or_none(row, "bid1"), positive_or_none(row, "ask1")
    if bid is not None and ask is not None and bid > ask:
        bid = ask = None  # a crossed book is torn
    quote = Quote(
        mark=positive(row, "fairPrice"),
        bid=bid,
        ask=ask,
        index=positive_or_none(row, "indexPrice"),
        funding_rate=number(row, "fundingRate"),
        funding_interval_hours=schedule.hours if schedule else None,
        funding_next=schedule.due if schedule else None,
        volume_day=hint(row, "amount24") if contract.linear else None,
        high_day=hint(row, "high24Price"),
        low_day=hint(row, "lower24Price"),
    )
    return Read(quote, moment(row, "timestamp"))
