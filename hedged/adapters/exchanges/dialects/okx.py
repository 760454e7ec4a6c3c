"""OKX: the trading account with perpetual and dated contracts, linear and inverse; the funding account; savings.

All of spot, margin and derivatives collateral lies in the one trading account: it is read as wallet `spot`, which
`margin` and `swap` are other names of here. `funding` is the funding account, `earn` flexible savings (Simple Earn);
fixed-term and on-chain earn products are not read. A coin's balance is its equity without unrealised profit, coin
margin of inverse contracts included.

Positions come in one reply for all types and are counted in contracts of `ctVal` × `ctMult` coins (inverse: dollars).
A position in options or spot margin makes the read fail: the first is not understood here; the second keeps coins and
debt in the position, where no wallet shows them. Cross margin in multi-currency mode shows as debt in the wallet.

Marks, books and prices come by type, funding rates for all, index prices by quote: for perpetual and dated contracts
quoted in USDT six requests however many. All reading is GET. The demo system has the venue's addresses and a header.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects import okx_funds, okx_movements
from hedged.adapters.exchanges.dialects.base import Connection, Dialect, Markets, is_plausible, together
from hedged.adapters.exchanges.dialects.okx_funds import known, set_apart
from hedged.adapters.exchanges.dialects.okx_quotes import (
    QUOTE_ENDPOINTS,
    read_prices,
    read_quotes,
    read_tiers,
)
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import (
    Misshapen,
    Record,
    Row,
    Rows,
    Scalar,
    liquidation_or_none,
    moment,
    not_negative,
    positive,
    text,
)
from hedged.errors import Refused
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument, InstrumentId, MarginTier
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Derivatives, Doubt, Position, Quote, Read

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT

_POSITION = {"instId": TEXT, "instType": TEXT, "pos": NUMBER, "posSide": TEXT, "mgnMode": TEXT, "ccy": TEXT}
_HEDGE_MODE = (
    "the account is in hedge mode (separate long and short positions): switch it to one-way mode "
    "(Trade → Futures → Settings → Position mode → One-way mode)"
)
_SPOT_MARGIN = (
    "keeps its coins and its debt in a spot margin position, where no wallet shows them: close it "
    "(Trade → Positions), or borrow in multi-currency margin mode with cross margin"
)
_KEY_MISSING = "the key is not sent as it should be: apiKey, secret and password (the passphrase) are all needed"


class Okx(Dialect):
    exchange: ClassVar[str] = "okx"
    hedge_words: ClassVar[str] = _HEDGE_MODE
    wallets: ClassVar[frozenset[str]] = frozenset({"spot", "margin", "swap", "funding", "earn"})
    burst: ClassVar[float] = 20.0  # ten requests of weight 2: what the strictest of these endpoints takes in 2 s
    candles_page: ClassVar[int] = 300
    funding_page: ClassVar[int] = 100  # the newest so many, whenever the period began
    config: ClassVar[Mapping[str, Any]] = {
        "has": {"fetchCurrencies": False},  # signed; networks and withdrawal fees
        "options": {"fetchMarkets": {"types": ["spot", "swap", "future"]}},
    }
    own_margin: ClassVar[bool] = False  # many collaterals and debts in one pool: only the venue's own figures are right
    refusals: ClassVar[Mapping[str, str]] = {
        "50007": "the venue has blocked the account",
        "50030": "the key may not do this: allow reading for it",
        "50038": "the venue's demo system does not have this",
        "50100": "the venue has frozen the key",
        "50101": "the key is of the other system: demo keys need sandbox = true, real ones must not have it",
        "50103": _KEY_MISSING,
        "50104": _KEY_MISSING,
        "50105": "the password is not this key's passphrase",
        "50106": _KEY_MISSING,
        "50107": _KEY_MISSING,
        "50110": "the key is bound to another address than this machine's",
        "50111": "the venue does not know this key",
        "50113": "the signature does not verify: the secret does not belong to this key",
        "50114": "the key is not authorised: create it again",
        "50119": "the key does not exist: it was deleted, or belongs to another site of the venue",
        "50120": "the key may not do this: allow reading for it",
    }
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        ("GET", "/api/v5/public/time"): Endpoint("server time", Record({"data": Rows({"ts": NUMBER}, at_least=1)})),
        ("GET", "/api/v5/account/balance"): Endpoint("trading account", okx_funds.TRADING),
        ("GET", "/api/v5/account/positions"): Endpoint("positions", Record({"data": Rows(_POSITION)})),
        ("GET", "/api/v5/asset/balances"): Endpoint("funding account", okx_funds.FUNDING),
        ("GET", "/api/v5/finance/savings/balance"): Endpoint("savings", okx_funds.SAVINGS),
        ("GET", "/api/v5/account/config"): Endpoint(
            "key permissions", Record({"data": Rows({"perm": TEXT, "ip": PRESENT}, at_least=1)})
        ),
        **QUOTE_ENDPOINTS,
        **okx_movements.ENDPOINTS,
    }

    def pool(self, wallet: str) -> str:
        return "spot" if wallet in {"margin", "swap"} else wallet

    def use_sandbox(self, exchange: Any) -> None:
        exchange.set_sandbox_mode(True)

    def reads_contract(self, market: Row) -> bool:
        return bool(market.get("swap") or market.get("future"))

    def instrument(self, account: str, market: Row) -> Instrument:
        """Linear or inverse by the venue's own word: ccxt compares currencies, and a settlement may be in a third.

        Without a currency or an expiry ccxt would give it the symbol of another market.
        """
        for name in ("base", "quote", "settle"):
            text(market, name)
        if market.get("future"):
            moment(market["info"], "expTime")  # the venue's own: ccxt makes 1 ms of anything true
        kinds = {"linear": True, "inverse": False}
        kind = market["info"].get("ctType")
        if kind not in kinds:
            raise Misshapen(f"ctType of {market['id']} is none that is understood")
        minimum = not_negative(market["info"], "minSz")  # ccxt makes one that cannot be read none
        return replace(super().instrument(account, market), linear=kinds[kind], quantity_min=minimum)

    def multiplier(self, market: Row) -> Decimal:
        row = market["info"]
        linear = row.get("ctType") == "linear"
        if text(row, "ctValCcy") != market["baseId" if linear else "quoteId"]:
            raise Misshapen(f"a contract of {market['id']} is not counted in what its type says")
        return positive(row, "ctVal") * (Decimal(1) if row.get("ctMult", "") == "" else positive(row, "ctMult"))

    def delisting(self, market: Row) -> datetime | None:
        """`expTime` of a perpetual is blank unless it is to be taken off."""
        return moment(market["info"], "expTime") if market.get("swap") and market["info"].get("expTime") else None

    async def quotes(self, connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
        return await read_quotes(connection, wanted)

    async def prices(self, connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
        return await read_prices(connection, wanted)

    async def tiers(
        self, connection: Connection, wanted: Mapping[str, Instrument]
    ) -> Mapping[InstrumentId, tuple[MarginTier, ...]]:
        return await read_tiers(connection, wanted)

    async def balances(self, connection: Connection, wallet: str) -> Read[tuple[Balance, ...]]:
        venue = connection.exchange
        if wallet == "funding":
            reply, arrived = await connection.timed(venue.privateGetAssetBalances())
            return Read(okx_funds.funding_coins(reply["data"], venue.safe_currency_code), arrived)
        if wallet == "earn":
            reply, arrived = await connection.timed(venue.privateGetFinanceSavingsBalance())
            return Read(okx_funds.savings_coins(reply["data"], venue.safe_currency_code), arrived)
        account, arrived = await _trading_account(connection)
        return Read(okx_funds.trading_coins(account, venue.safe_currency_code), arrived)

    async def derivatives(self, connection: Connection, markets: Markets) -> Read[Derivatives]:
        reply = connection.timed(connection.exchange.privateGetAccountPositions())
        (account, account_at), (positions, rows_at) = await together(_trading_account(connection), reply)
        rows = positions["data"]
        _refuse_what_cannot_be_read(connection, rows)
        held = tuple(_position(row, markets) for row in rows if known(row, "pos"))
        margin, equities = okx_funds.margin_of(account, rows), okx_funds.equities_of(account, rows)
        return Read(Derivatives(held, margin, equities=equities), min(account_at, rows_at))

    async def permissions(self, connection: Connection) -> Permissions | None:
        """`perm` is a list in words; `ip` is blank where any address may use the key."""
        row = (await connection.exchange.privateGetAccountConfig())["data"][0]
        allowed = {word.strip() for word in text(row, "perm").split(",")}
        bound = row["ip"]
        if not isinstance(bound, str):
            raise Misshapen("ip is not text")
        return Permissions(
            read=bool(allowed & {"read_only", "trade", "withdraw"}),
            trade="trade" in allowed,
            withdraw="withdraw" in allowed,
            bound_to_address=bool(bound),
        )

    async def hedge_mode(self, connection: Connection, wanted: Mapping[str, Instrument]) -> bool:
        mode = text((await connection.exchange.privateGetAccountConfig())["data"][0], "posMode")
        if mode not in {"net_mode", "long_short_mode"}:
            raise Misshapen("posMode is neither of the two")
        return mode == "long_short_mode"

    async def funding_payments(
        self, connection: Connection, wanted: Mapping[str, Instrument], since: datetime
    ) -> Read[tuple[FundingPayment, ...]] | None:
        return await okx_movements.funding_payments(connection, wanted, since)

    async def explain(
        self, connection: Connection, markets: Markets, doubt: Doubt, since: datetime, held: Collection[str]
    ) -> str | None:
        if doubt.instrument is None:
            return await okx_movements.explain_balance(connection, doubt, since)
        instrument = markets.instruments.get(doubt.instrument)
        if instrument is None:
            return None  # no longer listed: a person has to look
        return await okx_movements.explain_position(
            connection, instrument, markets.market_ids[instrument.id], doubt, since
        )


async def _trading_account(connection: Connection) -> tuple[Any, datetime]:
    """Wallet and margin come in one reply: the legs that want it at the same time share it."""
    venue = connection.exchange
    call = connection.shared.ask("trading account", lambda: connection.timed(venue.privateGetAccountBalance()))
    reply, arrived = await call
    return reply["data"][0], arrived


def _refuse_what_cannot_be_read(connection: Connection, rows: Iterable[Row]) -> None:
    """Positions that a person has to change before the account can be read as a whole."""

    def refuse(detail: str) -> None:
        raise Refused(connection.account, "positions", detail)

    rows = list(rows)
    for row in rows:
        kind, held = text(row, "instType"), known(row, "pos")
        if kind == "MARGIN" and held:
            refuse(f"{row['instId']} {_SPOT_MARGIN}")
        if kind not in {"SWAP", "FUTURES", "MARGIN"} and held:
            refuse(f"a position in {row['instId']} ({kind.lower()}), which cannot be read: close it")
        if kind in {"SWAP", "FUTURES"} and held and row["posSide"] != "net":
            refuse(_HEDGE_MODE)
    counted = Counter(row["instId"] for row in rows if known(row, "pos"))
    for market_id, times in counted.items():
        if times > 1:
            refuse(f"{market_id} is held both cross and isolated: close one of the two")


def _position(row: Row, markets: Markets) -> Position:
    """Profit and maintenance in the quote currency; an inverse contract's are counted in its coin."""
    instrument = markets.contract(text(row, "instId"))
    contracts, mark, worth = known(row, "pos"), known(row, "markPx"), known(row, "notionalUsd")
    if contracts is None or (mark is not None and mark <= 0):
        raise Misshapen(f"pos or markPx of {row['instId']} is not what it should be")
    profit, maintenance = known(row, "upl"), known(row, "mmr")
    if not instrument.linear:
        profit = None if profit is None or mark is None else profit * mark
        maintenance = None if maintenance is None or mark is None else maintenance * mark
    trusted = mark is None or worth is None or is_plausible(instrument, contracts, mark, worth.copy_sign(contracts))
    return Position(
        instrument=instrument.id,
        contracts=contracts,
        entry_price=known(row, "avgPx") or None,
        liquidation_price=liquidation_or_none(row, "liqPx"),
        unrealised_pnl=profit,
        maintenance_margin=maintenance,
        trusted=trusted,
        isolated_equity=set_apart(row) if row["mgnMode"] == "isolated" else None,
    )
