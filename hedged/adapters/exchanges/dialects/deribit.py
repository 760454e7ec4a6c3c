"""Deribit: one account with coins in every currency, perpetual and dated futures, inverse and linear.

Coins and the collateral of all contracts lie together: the account is read as wallet `spot`, which `swap` is another
name of here. A currency's coins are its balance and what the session's futures have realised; open profit is the
positions' matter, bonus for fees (`fee_balance`) nobody's. A balance below zero is owed, as in cross collateral.
Sub-accounts need a key of their own.

Positions of all currencies come in one reply. A contract here is one dollar of an inverse future and one coin of a
linear one, as the venue counts orders; the venue's `size_currency` is compared with it. Profit is paid out into the
balance every day at 08:00 UTC, so `entry_price` of an inverse position is not its average price, but the price from
which its open profit counts: what it moves like beside that balance follows from no other.
An option or a combination makes the read of positions fail (`Refused`): what it moves like is not known here, and a
hedge beside it would be of the wrong size. Options belong in a sub-account of their own.

Margin is the venue's own, of the currency nearest to its liquidation; with cross collateral the venue gives every
currency the whole account's figures in its own coin. It tells no tiers, and has neither hedge mode nor isolated margin.
Prices are the venue's index prices. Placing and cancelling orders is GET on this venue: only what is listed is sent.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects import deribit_account, deribit_movements
from hedged.adapters.exchanges.dialects.base import Connection, Dialect, Markets, together
from hedged.adapters.exchanges.dialects.deribit_quotes import QUOTE_ENDPOINTS, index_pairs, read_prices, read_quotes
from hedged.adapters.exchanges.guard import Endpoint, NotSigned, RateLimited
from hedged.adapters.exchanges.shapes import (
    Misshapen,
    Record,
    Row,
    Rows,
    Scalar,
    flag,
    moment,
    not_negative,
    number,
    positive,
    text,
)
from hedged.errors import Refused, Unreachable, VenueError
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Derivatives, Doubt, Quote, Read

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT

_NEVER = 32_503_708_800_000  # milliseconds: when perpetual contracts expire, 08:00 UTC on the first day of 3000
_KINDS = {"linear": True, "reversed": False}
_WRONG_KEY = "the key or its secret is not right, or this machine's clock is more than a minute off"
_SECOND_FACTOR = "the venue wants a second factor for this"
_MAY_NOT = "the key may not do this: allow account:read, trade:read and wallet:read for it"


class Deribit(Dialect):
    exchange: ClassVar[str] = "deribit"
    wallets: ClassVar[frozenset[str]] = frozenset({"spot", "swap"})
    burst: ClassVar[float] = 20.0  # a second's worth
    config: ClassVar[Mapping[str, Any]] = {"has": {"fetchCurrencies": False}}  # fees and networks
    own_margin: ClassVar[bool] = False  # collateral in coins and pools of the venue's own
    refusals: ClassVar[Mapping[str, str]] = {
        "9999": "access by API is switched off for the account",
        "10000": _WRONG_KEY,
        "11042": _MAY_NOT,
        "12005": "the venue does not serve this location",
        "13002": "the venue has blocked the account",
        "13003": _SECOND_FACTOR,
        "13004": _WRONG_KEY,
        "13009": _WRONG_KEY,
        "13012": "a sub-account's key may not do this",
        "13021": _MAY_NOT,
        "13668": _SECOND_FACTOR,
    }
    complaints: ClassVar[Mapping[str, type[VenueError]]] = {
        "10001": Unreachable,  # 'some general failure'
        "10028": RateLimited,
        "10047": RateLimited,
        "11094": Unreachable,  # internal error
        "13004": NotSigned,
        "13008": Unreachable,  # request failed
        "13009": NotSigned,
        "13025": Unreachable,  # switched off for a while
        "13503": Unreachable,  # unavailable
        "13888": Unreachable,  # timed out within the venue
    }
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        ("GET", "/api/v2/public/get_time"): Endpoint("server time", Record({"result": NUMBER})),
        ("GET", "/api/v2/private/get_account_summaries"): Endpoint("account", deribit_account.SUMMARIES),
        ("GET", "/api/v2/private/get_positions"): Endpoint("positions", deribit_account.POSITIONS),
        ("GET", "/api/v2/private/list_api_keys"): Endpoint(
            "key permissions", Record({"result": Rows({"client_id": TEXT, "max_scope": TEXT}, at_least=1)})
        ),
        **QUOTE_ENDPOINTS,
        **deribit_movements.ENDPOINTS,
    }

    def error_code(self, reply: Row) -> str:
        error = reply.get("error")
        return str(error.get("code", "")) if isinstance(error, dict) else ""

    def pool(self, wallet: str) -> str:
        return "spot"

    def prepare(self, exchange: Any) -> None:
        """List futures and index prices only, and sign with the venue's time and with a nonce that is not used twice.

        ccxt measures the difference of the clocks and signs with ours all the same; its nonce is the millisecond,
        which two calls made together share.
        """
        list_instruments, sign = exchange.fetch_markets, exchange.sign
        count = itertools.count()

        async def fetch_markets(params: Any = None) -> list[Any]:
            query = {"currency": "any", "kind": "future", "expired": "false", **(params or {})}
            futures, names = await together(list_instruments(query), exchange.publicGetGetIndexPriceNames())
            return [*futures, *index_pairs(exchange, names["result"])]

        def sign_with_their_time(*args: Any, **kwargs: Any) -> Any:
            ours = exchange.milliseconds
            exchange.milliseconds = lambda: ours() - int(exchange.options.get("timeDifference", 0))
            try:
                return sign(*args, **kwargs)
            finally:
                exchange.milliseconds = ours

        exchange.fetch_markets = fetch_markets
        exchange.sign = sign_with_their_time
        exchange.nonce = lambda: f"{exchange.milliseconds()}{next(count)}"

    def use_sandbox(self, exchange: Any) -> None:
        exchange.set_sandbox_mode(True)

    def reads_contract(self, market: Row) -> bool:
        return bool(market.get("swap") or market.get("future"))

    def instrument(self, account: str, market: Row) -> Instrument:
        """Linear or inverse by the venue's own word, which ccxt's comparison of currencies has to agree with."""
        info = market["info"]
        for name in ("base", "quote", "settle"):
            text(market, name)
        linear = _KINDS.get(text(info, "instrument_type"))
        if info["kind"] != "future" or linear is None or linear != bool(market["linear"]):
            raise Misshapen(f"instrument_type of {market['id']} is none that is understood")
        expiry, perpetual = moment(info, "expiration_timestamp"), text(info, "settlement_period") == "perpetual"
        if not perpetual and number(info, "expiration_timestamp") >= _NEVER:
            raise Misshapen(f"{market['id']} is not perpetual and does not expire")
        return replace(
            super().instrument(account, {**market, "expiry": None}),
            linear=linear,
            lot_size=positive(info, "contract_size"),
            quantity_min=not_negative(info, "min_trade_amount"),
            expiry=None if perpetual else expiry,
            trading=flag(info, "is_active"),
        )

    def multiplier(self, market: Row) -> Decimal:
        """Orders and positions are counted in dollars or coins, not in contracts of `contract_size`."""
        return Decimal(1)

    def delisting(self, market: Row) -> datetime | None:
        info = market["info"]
        limited = market.get("swap") and not_negative(info, "expiration_timestamp") < _NEVER
        return moment(info, "expiration_timestamp") if limited else None

    async def quotes(self, connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
        return await read_quotes(connection, wanted)

    async def prices(self, connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
        return await read_prices(connection, wanted)

    async def balances(self, connection: Connection, wallet: str) -> Read[tuple[Balance, ...]]:
        rows, arrived = await _summaries(connection)
        return Read(deribit_account.coins(rows, connection.exchange.safe_currency_code), arrived)

    async def derivatives(self, connection: Connection, markets: Markets) -> Read[Derivatives]:
        call = connection.timed(connection.exchange.privateGetGetPositions({"currency": "any"}))
        (summaries, account_at), (positions, rows_at) = await together(_summaries(connection), call)
        rows = [row for row in positions["result"] if deribit_account.is_held(row)]
        for row in rows:
            if row["kind"] != "future":
                detail = f"a position in {row['instrument_name']} ({row['kind'].replace('_', ' ')}), which cannot be "
                raise Refused(connection.account, "positions", f"{detail}read: close it or move it to a sub-account")
        held = tuple(deribit_account.position(row, markets) for row in rows)
        if len({position.instrument for position in held}) < len(held):
            raise Misshapen("the reply has a contract twice")
        margin = deribit_account.margin_of(summaries, rows, markets)
        return Read(Derivatives(held, margin), min(account_at, rows_at))

    async def permissions(self, connection: Connection) -> Permissions | None:
        """By the list of all keys; None where the venue asks for a second factor to show it."""
        venue = connection.exchange
        try:
            keys = (await venue.privateGetListApiKeys())["result"]
        except Refused as error:
            if not error.detail.startswith(_SECOND_FACTOR):
                raise
            return None
        row = next((row for row in keys if row["client_id"] == venue.apiKey), None)
        if row is None:
            return None
        scopes, addresses = set(text(row, "max_scope").split()), row.get("ip_whitelist")
        return Permissions(
            read=all(scopes & {f"{part}:read", f"{part}:read_write"} for part in ("account", "trade", "wallet")),
            trade="trade:read_write" in scopes,
            withdraw="wallet:read_write" in scopes,
            bound_to_address=bool(addresses) if isinstance(addresses, list) else None,
        )

    async def explain(
        self, connection: Connection, markets: Markets, doubt: Doubt, since: datetime, held: Collection[str]
    ) -> str | None:
        if doubt.instrument is None:
            return await deribit_movements.explain_balance(connection, doubt, since)
        instrument = markets.instruments.get(doubt.instrument)
        if instrument is None:
            return None  # no longer listed: a person has to look
        market_id = markets.market_ids[instrument.id]
        return await deribit_movements.explain_position(connection, instrument, market_id, doubt, since)


async def _summaries(connection: Connection) -> tuple[Sequence[Row], datetime]:
    """Coins and margin come in one reply: the legs that want it at the same time share it."""
    venue = connection.exchange
    reply, arrived = await connection.shared.ask(
        "account", lambda: connection.timed(venue.privateGetGetAccountSummaries())
    )
    return reply["result"]["summaries"], arrived
