"""Bybit: the unified trading account (UTA 2.0), its funding and earn wallets, linear and inverse contracts.

Wallets: the unified account keeps spot coins, borrowed coins and the collateral of derivatives in one place. That
pool is `spot`; `margin` and `swap` are other names for it and add nothing. `funding` is the funding account, `earn`
flexible savings and on-chain staking; both need their own permission of the key.

Contracts: linear positions are counted in coins, so one contract is one coin; inverse ones in US dollars, one dollar
a contract, margined in the coin. A wallet balance never contains unrealised profit. Positions are read per settlement
coin (linear) and for all inverse contracts at once. Options are looked for hourly; while one is held the account is
refused.

Margin is told in US dollars, which stand for the quote currency here; in isolated margin there is none for the
account (`None`). A liquidation price that the venue leaves blank is none within the prices at which the contract may
trade; none is computed, for the coins that are collateral move with the price and may be what the contracts hedge.
Inverse margin tiers are told in coins, which our tiers cannot say: they stay unknown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, cast

from hedged.adapters.exchanges.dialects import bybit_account, bybit_limits, bybit_movements
from hedged.adapters.exchanges.dialects.base import Connection, Dialect, Markets
from hedged.adapters.exchanges.dialects.bybit_replies import all_pages, envelope, number_or_none, price_or_none
from hedged.adapters.exchanges.dialects.corner import Corner
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import (
    Lists,
    Misshapen,
    Record,
    Row,
    Rows,
    Scalar,
    hint,
    moment,
    not_negative,
    positive,
    positive_or_none,
    text,
)
from hedged.errors import Unreachable, VenueError
from hedged.model.effect import FundingPayment
from hedged.model.instrument import ContractKind, Instrument, InstrumentId, MarginTier
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Derivatives, Doubt, Quote, Read

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT

_ONE_POOL = frozenset({"spot", "margin", "swap"})
_SETTLE_COINS = frozenset({"USDT", "USDC"})  # of linear contracts; more, if the venue lists any
_PAGE = 200  # positions; the most that the venue gives at once
_EARN = ("FlexibleSaving", "OnChain")

_LISTED = {"symbol": TEXT, "status": TEXT, "baseCoin": TEXT, "quoteCoin": TEXT}

_SETTLED = {"symbol": TEXT, "fundingRate": NUMBER, "fundingRateTimestamp": NUMBER}


class Bybit(Dialect):
    exchange: ClassVar[str] = "bybit"
    hedge_words: ClassVar[str] = bybit_account.HEDGE_MODE
    wallets: ClassVar[frozenset[str]] = _ONE_POOL | {"funding", "earn"}
    own_margin: ClassVar[bool] = False  # coins are collateral: only the venue's own liquidation prices are right
    burst: ClassVar[float] = 150.0  # three seconds of what ccxt paces; the venue counts 600 requests in five
    candles_page: ClassVar[int] = 1000
    funding_page: ClassVar[int] = 200
    config: ClassVar[Mapping[str, Any]] = {
        "has": {"fetchCurrencies": False},  # signed; networks and withdrawal fees
        "options": {
            "fetchMarkets": {"types": ["spot", "linear", "inverse"]},
            "enableUnifiedMargin": False,  # preset: ccxt would ask with two signed calls
            "enableUnifiedAccount": True,
        },
    }
    refusals: ClassVar[Mapping[str, str]] = {
        "10003": "the venue does not know this key (mainnet, testnet and demo have their own)",
        "10004": "the signature does not verify: the secret does not belong to this key",
        "10005": "the key may not do this: allow reading this wallet for it",
        "10007": "the key was not accepted: copy it again",
        "10008": "the account is banned",
        "10009": "this address is banned",
        "10010": "the key is bound to another address",
        "10020": "the account is not a unified trading account: upgrade it",
        "10024": "the venue's compliance rules forbid it",
        "10028": "the account is not a unified trading account: upgrade it",
        "33004": "the key has expired: make a new one",
    }
    complaints: ClassVar[Mapping[str, type[VenueError]]] = dict.fromkeys(
        ("5004", "10000", "10016", "10429", "131200", "131201"), Unreachable
    )
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        ("GET", "/v5/market/time"): Endpoint("server time", Record({"time": NUMBER})),
        ("GET", "/v5/market/instruments-info"): Endpoint(
            "markets", envelope({"list": Rows(_LISTED)}), patience=3.0
        ),  # empty: nothing is about to be launched
        ("GET", "/v5/market/tickers"): Endpoint(
            "tickers", envelope({"list": Rows({"symbol": TEXT, "lastPrice": PRESENT}, at_least=1)})
        ),
        ("GET", "/v5/market/kline"): Endpoint("candles", envelope({"list": Lists(5)})),
        ("GET", "/v5/market/funding/history"): Endpoint("past funding", envelope({"list": Rows(_SETTLED)})),
        **bybit_account.ENDPOINTS,
        **bybit_limits.ENDPOINTS,
        **bybit_movements.ENDPOINTS,
    }

    def __init__(self) -> None:
        self._options = Corner("options")
        self._funding_hours: dict[str, Decimal | None] = {}  # market id → hours, of the last listing

    def error_code(self, reply: Row) -> str:
        return str(reply.get("retCode", reply.get("ret_code", "")))

    def pool(self, wallet: str) -> str:
        return "spot" if wallet in _ONE_POOL else wallet

    def use_sandbox(self, exchange: Any) -> None:
        exchange.set_sandbox_mode(True)

    def reads_contract(self, market: Row) -> bool:
        return bool((market.get("swap") or market.get("future")) and (market.get("linear") or market.get("inverse")))

    def instrument(self, account: str, market: Row) -> Instrument:
        """With the rules from the venue's own row: ccxt makes a missing minimum none."""
        if market.get("future") and not _has_end(market["info"]):
            raise Misshapen(f"{market['id']} is dated and has no date")
        text(market["info"], "settleCoin")  # ccxt would guess
        listed, lots = market["info"], market["info"]["lotSizeFilter"]
        contract = replace(
            super().instrument(account, market),
            tick_size=positive(listed["priceFilter"], "tickSize"),
            lot_size=positive(lots, "qtyStep"),
            quantity_min=not_negative(lots, "minOrderQty"),
            notional_min=price_or_none(lots, "minNotionalValue") or Decimal(0),  # blank for inverse contracts
        )
        minutes = price_or_none(listed, "fundingInterval")
        self._funding_hours[market["id"]] = None if minutes is None else minutes / 60
        return contract

    def multiplier(self, market: Row) -> Decimal:
        """Not ccxt's size, which is an inverse contract's smallest order: positions are counted in single dollars."""
        return Decimal(1)

    def delisting(self, market: Row) -> datetime | None:
        return moment(market["info"], "deliveryTime") if market.get("swap") and _has_end(market["info"]) else None

    async def quotes(self, connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
        """One request for all linear contracts and one for all inverse ones, each only if any is wanted."""
        categories = sorted({_category(instrument) for instrument in wanted.values()})
        replies = await asyncio.gather(*(_tickers(connection, category) for category in categories))
        return {
            wanted[row["symbol"]].id: Read(self._quote(wanted[row["symbol"]], row), moment(reply, "time"))
            for reply in replies
            for row in reply["result"]["list"]
            if row["symbol"] in wanted  # no id is in both categories
        }

    def _quote(self, instrument: Instrument, row: Row) -> Quote:
        """One ticker. Dated contracts have no funding; a book that is crossed is torn and counts as none."""
        bid, ask = price_or_none(row, "bid1Price"), price_or_none(row, "ask1Price")
        if bid is not None and ask is not None and bid > ask:
            bid = ask = None
        quote = Quote(
            mark=positive(row, "markPrice"),
            bid=bid,
            ask=ask,
            index=price_or_none(row, "indexPrice"),
            bid_size=hint(row, "bid1Size"),
            ask_size=hint(row, "ask1Size"),
            volume_day=hint(row, "turnover24h" if instrument.linear else "volume24h"),
            high_day=hint(row, "highPrice24h"),
            low_day=hint(row, "lowPrice24h"),
        )
        if instrument.kind is not ContractKind.PERPETUAL:
            return quote
        return replace(
            quote,
            funding_rate=number_or_none(row, "fundingRate"),
            # the ticker's is fresher than the listing's, where the venue gives it: it changes in wild markets
            funding_interval_hours=price_or_none(row, "fundingIntervalHour") or self._funding_hours.get(row["symbol"]),
            funding_next=moment(row, "nextFundingTime") if price_or_none(row, "nextFundingTime") else None,
        )

    async def prices(self, connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
        reply = await _tickers(connection, "spot")
        rows = [row for row in reply["result"]["list"] if row["symbol"] in wanted]
        prices = {wanted[row["symbol"]]: positive_or_none(row, "lastPrice") for row in rows}
        return {asset: Read(price, moment(reply, "time")) for asset, price in prices.items() if price is not None}

    async def balances(self, connection: Connection, wallet: str) -> Read[tuple[Balance, ...]]:
        venue = connection.exchange
        if wallet == "funding":
            request = {"accountType": "FUND"}
            reply, arrived = await connection.timed(venue.privateGetV5AssetTransferQueryAccountCoinsBalance(request))
            coins = [Balance(row["coin"], not_negative(row, "walletBalance")) for row in reply["result"]["balance"]]
        elif wallet == "earn":
            asked = (venue.privateGetV5EarnPosition({"category": category}) for category in _EARN)
            replies, arrived = await connection.timed(asyncio.gather(*asked))
            coins = _merged(row for reply in replies for row in reply["result"]["list"])
        else:
            account, arrived = await _unified_account(connection)
            coins = bybit_account.coins(account)
        return Read(tuple(coin for coin in coins if coin.free or coin.locked or coin.debt), arrived)

    async def derivatives(self, connection: Connection, markets: Markets) -> Read[Derivatives]:
        """One request for the wallet and one for each segment: USDT, USDC, inverse; more if a segment has pages."""
        linear = {contract.settle for contract in markets.contracts.values() if contract.linear}
        segments = [{"category": "linear", "settleCoin": coin} for coin in sorted(_SETTLE_COINS | linear)]
        segments.append({"category": "inverse"})
        (account, account_at), read, _ = await asyncio.gather(
            _unified_account(connection),
            asyncio.gather(*(_segment(connection, segment) for segment in segments)),
            self._options.refuse(connection, lambda: _options(connection, markets), "symbol"),
        )
        rows = [row for rows, _ in read for row in rows]
        positions = bybit_account.positions(connection.account, rows, markets)
        as_of = min(account_at, *(arrived for _, arrived in read))
        return Read(Derivatives(positions, bybit_account.margin(account, held=bool(positions))), as_of)

    async def hedge_mode(self, connection: Connection, wanted: Mapping[str, Instrument]) -> bool | None:
        """Asked of each contract, whose empty positions are told as well: each has a mode of its own."""
        asked = ({"category": _category(contract), "symbol": name} for name, contract in wanted.items())
        read = await asyncio.gather(*(_segment(connection, each) for each in asked))
        return bybit_account.is_hedge_mode([row for rows, _ in read for row in rows], wanted)

    async def funding_payments(
        self, connection: Connection, wanted: Mapping[str, Instrument], since: datetime
    ) -> Read[tuple[FundingPayment, ...]] | None:
        return await bybit_movements.funding_payments(connection, wanted, since)

    async def explain(
        self, connection: Connection, markets: Markets, doubt: Doubt, since: datetime, held: Collection[str]
    ) -> str | None:
        if doubt.instrument is None:
            wallet = self.pool(doubt.subject.rsplit("/", 2)[1])
            return await bybit_movements.explain_balance(connection, wallet, doubt, since)
        market_id = markets.market_ids.get(doubt.instrument)
        if market_id is None:
            return None  # no longer listed: a person has to look
        category = _category(markets.instruments[doubt.instrument])
        return await bybit_movements.explain_position(connection, category, market_id, doubt, since)

    async def permissions(self, connection: Connection) -> Permissions | None:
        reply = await connection.exchange.privateGetV5UserQueryApi()
        return bybit_limits.key_permissions(reply["result"])

    async def tiers(
        self, connection: Connection, wanted: Mapping[str, Instrument]
    ) -> Mapping[InstrumentId, tuple[MarginTier, ...]]:
        """One request a contract: the whole table comes fifteen contracts at a time."""
        linear = [market_id for market_id, instrument in wanted.items() if instrument.linear]
        ask = connection.exchange.publicGetV5MarketRiskLimit
        read = await asyncio.gather(
            *(all_pages(ask, {"category": "linear", "symbol": market_id}) for market_id in linear)
        )
        found = {
            wanted[market_id].id: bybit_limits.margin_tiers([row for row in rows if row["symbol"] == market_id])
            for market_id, rows in zip(linear, read, strict=True)
        }
        return {name: tiers for name, tiers in found.items() if tiers}


def _category(instrument: Instrument) -> str:
    return "linear" if instrument.linear else "inverse"


def _has_end(listed: Row) -> bool:
    if "deliveryTime" not in listed:
        raise Misshapen(f"{listed['symbol']} lacks deliveryTime")
    return bool(number_or_none(listed, "deliveryTime"))


async def _tickers(connection: Connection, category: str) -> Row:
    reply: Row = await connection.exchange.publicGetV5MarketTickers({"category": category})
    return reply


async def _unified_account(connection: Connection) -> tuple[Row, datetime]:
    """Coins and margin come in one reply: the legs that want it at the same time share it."""
    ask = connection.exchange.privateGetV5AccountWalletBalance
    reply, arrived = await connection.shared.ask(
        "unified account", lambda: connection.timed(ask({"accountType": "UNIFIED"}))
    )
    return bybit_account.unified_account(reply), arrived


async def _segment(connection: Connection, segment: Mapping[str, str]) -> tuple[list[Row], datetime]:
    """All positions of a segment, as old as the first page of them."""
    arrivals: list[datetime] = []

    async def ask(request: Mapping[str, Any]) -> Row:
        reply, arrived = await connection.timed(connection.exchange.privateGetV5PositionList(request))
        arrivals.append(arrived)
        return cast(Row, reply)

    rows = await all_pages(ask, {**segment, "limit": _PAGE})
    return rows, arrivals[0]


async def _options(connection: Connection, markets: Markets) -> list[Row]:
    """Open positions that are in no listed contract."""
    rows, _ = await _segment(connection, {"category": "option"})
    return [row for row in rows if not_negative(row, "size") and row["symbol"] not in markets.contracts]


def _merged(rows: Iterable[Row]) -> list[Balance]:
    """A coin is in as many rows as there are products it was put into."""
    amounts: dict[str, Decimal] = {}
    for row in rows:
        amounts[row["coin"]] = amounts.get(row["coin"], Decimal(0)) + not_negative(row, "amount")
    return [Balance(coin, amount) for coin, amount in amounts.items()]
