"""Hyperliquid's public data: dexes and what they list, margin tables, marks, spot pairs and their prices."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.dialects.base import Connection, together
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import (
    Misshapen,
    Record,
    Row,
    Rows,
    Scalar,
    Several,
    flag,
    hint,
    not_negative,
    number,
    positive,
    text,
)
from hedged.model.instrument import Instrument, InstrumentId, MarginTier
from hedged.model.snapshot import Quote, Read

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT

_UNIVERSE = Record({"universe": Rows({"name": TEXT}, at_least=1), "marginTables": PRESENT, "collateralToken": NUMBER})
_TOKENS = Record(
    {
        "tokens": Rows({"name": TEXT, "index": NUMBER, "isCanonical": PRESENT}, at_least=1),
        "universe": Rows({"name": TEXT, "tokens": PRESENT}, at_least=1),
    }
)
ENDPOINTS = {
    ("POST", "/info#perpDexs"): Endpoint("dexes", PRESENT),
    ("POST", "/info#metaAndAssetCtxs"): Endpoint(
        "markets and marks", Several((_UNIVERSE, Rows({"markPx": PRESENT}, at_least=1))), patience=3.0
    ),
    ("POST", "/info#spotMetaAndAssetCtxs"): Endpoint(
        "spot markets", Several((_TOKENS, Rows({"coin": TEXT, "markPx": PRESENT}, at_least=1))), patience=3.0
    ),
}

_DIGITS, _PLACES = 5, 6  # of a price: significant digits, and decimal places with those of the quantity
_FLAT_BELOW = 50  # the number of a margin table up to which it is not listed: one bracket at that leverage
_NOTIONAL_MIN = "10"  # what an order has to be worth, in the quote
_STAKED = "HYPE"  # the venue's own coin, which it does not call canonical
TOKENS = "hedgedTokens"  # among ccxt's options: token's number → (its name there, its name here)
DEXES = "hedgedDexes"  # among ccxt's options: dex → (its collateral's name here, its number)


class Names:
    """The venue's tokens by our names, as of the last listing; see the dialect for who has a plain one."""

    def __init__(self, exchange: Any) -> None:
        self._listed: Mapping[int, tuple[str, str]] = exchange.options[TOKENS]

    def __call__(self, row: Row) -> str:
        """Of a row of balances. A token that is not listed yet bears its number."""
        own, index = text(row, "coin"), int(number(row, "token"))
        name, ours = self._listed.get(index, ("", ""))
        return ours if name == own else _numbered(own, index)

    def of(self, own: str) -> str | None:
        """Of the venue's name alone; None unless exactly one token has it."""
        bearers = [ours for name, ours in self._listed.values() if name == own]
        return bearers[0] if len(bearers) == 1 else None


async def names(exchange: Any) -> Names:
    """Names as of the last listing, which is made if there is none."""
    if TOKENS not in exchange.options:
        await exchange.load_markets()
    return Names(exchange)


def _numbered(own: str, index: int) -> str:
    return f"{own}@{index}"


def _named(exchange: Any, tokens: Iterable[Row], backing: Collection[int]) -> dict[int, tuple[str, str]]:
    """Token's number → (its name there, its name here). `backing`: the numbers of those that dexes take."""
    wrapped: Mapping[str, str] = exchange.options["spotCurrencyMapping"]
    rows = {int(number(token, "index")): (text(token, "name"), flag(token, "isCanonical")) for token in tokens}
    known = {_STAKED, *wrapped, *(rows[index][0] for index in backing if index in rows)}
    named: dict[int, tuple[str, str]] = {}
    taken = set(wrapped.values()) - set(wrapped)  # stands for what is wrapped, and for no token of that name
    for index, (own, canonical) in sorted(rows.items(), key=lambda item: (not item[1][1], item[0])):
        if (canonical or own in known) and own not in taken:
            taken.add(own)
            named[index] = (own, str(exchange.safe_currency_code(wrapped.get(own, own))))
        else:
            named[index] = (own, _numbered(own, index))
    return named


async def dexes(exchange: Any) -> tuple[str, ...]:
    """Names of the dexes as of the last listing, which is made if there is none; the first-party one is ""."""
    if DEXES not in exchange.options:
        await exchange.load_markets()
    return tuple(exchange.options[DEXES])


def collateral(exchange: Any) -> Mapping[str, str]:
    """Dex → the currency of its collateral."""
    return {dex: name for dex, (name, _) in exchange.options[DEXES].items()}


def collateral_tokens(exchange: Any) -> Mapping[str, int]:
    """Dex → the number of its collateral's token."""
    return {dex: index for dex, (_, index) in exchange.options[DEXES].items()}


async def read_markets(exchange: Any) -> list[Any]:
    """Unified rows of every dex's perpetuals and of all spot pairs; remembers the dexes for later reads."""
    names = dex_names(await exchange.publicPostInfo({"type": "perpDexs"}))
    asks = (exchange.publicPostInfo(_about(name)) for name in names)
    spot, *listed = await together(exchange.publicPostInfo({"type": "spotMetaAndAssetCtxs"}), *asks)
    backed = {int(number(meta, "collateralToken")) for meta, _ in listed}
    named = _named(exchange, spot[0]["tokens"], backed)
    tokens = {index: ours for index, (_, ours) in named.items()}
    backing: dict[str, tuple[str, int]] = {}
    rows: list[Any] = []
    for dex, (meta, contexts) in zip(names, listed, strict=True):
        token = int(number(meta, "collateralToken"))
        if token not in tokens:
            raise Misshapen("the collateral of a dex is no token that is listed")
        backing[dex] = (tokens[token], token)
        rows += [_contract(exchange, row, context, meta, tokens[token]) for row, context in _paired(meta, contexts)]
    exchange.options[DEXES], exchange.options[TOKENS] = backing, named
    return rows + [_pair(exchange, row, tokens) for row in spot[0]["universe"]]


def dex_names(reply: object) -> list[str]:
    """The reply is a list whose first element, the first-party dex, is null."""
    if not isinstance(reply, list) or not reply or reply[0] is not None:
        raise Misshapen("the list of dexes is not one")
    names = ["", *(text(row, "name") if isinstance(row, dict) else "" for row in reply[1:])]
    if "" in names[1:] or len(set(names)) < len(names):
        raise Misshapen("the list of dexes is not one")
    return names


def _about(dex: str) -> dict[str, str]:
    return {"type": "metaAndAssetCtxs", **({"dex": dex} if dex else {})}


def _paired(meta: Row, contexts: list[Row]) -> list[tuple[Row, Row]]:
    return list(zip(meta["universe"], contexts, strict=True))  # by place alone: of another length nothing is known


def _contract(exchange: Any, row: Row, context: Row, meta: Row, settle: str) -> Any:
    base = str(exchange.safe_currency_code(row["name"])).replace(":", "-")
    kind = {"type": "swap", "swap": True, "spot": False, "contract": True, "linear": True, "inverse": False}
    coins = {"base": base, "quote": settle, "settle": settle, "baseId": row["name"], "quoteId": settle}
    info = {**row, "markPx": context.get("markPx"), "marginTables": meta["marginTables"]}
    return exchange.safe_market_structure(
        {
            "id": row["name"],
            "symbol": f"{base}/{settle}:{settle}",
            **coins,
            **kind,
            "baseName": row["name"],  # by which ccxt.pro asks for it
            "active": True,
            "limits": {"cost": {"min": _NOTIONAL_MIN}},
            "info": info,
        }
    )


def _pair(exchange: Any, row: Row, tokens: Mapping[int, str]) -> Any:
    """A spot pair; one of tokens that are not listed prices nothing."""
    listed = row["tokens"]
    if not isinstance(listed, list) or len(listed) != 2:
        raise Misshapen("the tokens of a spot pair are not two")
    base, quote = (tokens.get(index) if type(index) is int else None for index in listed)
    kind = {"type": "spot", "spot": True, "swap": False, "contract": False, "active": None not in {base, quote}}
    symbol = f"{base}/{quote}" if base and quote else row["name"]
    coins = {"base": base or row["name"], "quote": quote or row["name"], "baseId": base, "quoteId": quote}
    return exchange.safe_market_structure({"id": row["name"], "symbol": symbol, **coins, **kind, "info": row})


def quantity_step(info: Row) -> Decimal:
    return Decimal(1).scaleb(-_places(info))


def _places(info: Row) -> int:
    places = not_negative(info, "szDecimals")
    if places != int(places) or places > _PLACES:
        raise Misshapen("szDecimals is not a number of places")
    return int(places)


def price_step(info: Row) -> Decimal:
    """At the mark as listed."""
    return Decimal(1).scaleb(-price_places(positive(info, "markPx"), _places(info)))


def price_places(price: Decimal, quantity_places: int) -> int:
    """Of an order's price: five significant digits, whole ones always, and no more than six places in all."""
    return min(_PLACES - quantity_places, max(_DIGITS - 1 - price.adjusted(), 0))


def tiers_of(info: Row) -> tuple[MarginTier, ...]:
    """The contract's margin table: maintenance is half of the initial margin at each bracket's highest leverage."""
    table = int(not_negative(info, "marginTableId")) if "marginTableId" in info else 0
    if table < _FLAT_BELOW:
        return (_tier(Decimal(0), positive(info, "maxLeverage")),)
    for listed in info["marginTables"]:
        if listed[0] == table:
            brackets = tuple(
                _tier(not_negative(row, "lowerBound"), positive(row, "maxLeverage")) for row in listed[1]["marginTiers"]
            )
            floors = [bracket.notional_floor for bracket in brackets]
            if floors[:1] != [0] or floors != sorted(set(floors)):
                raise Misshapen("a margin table does not ascend from zero")
            return brackets
    raise Misshapen("a contract's margin table is not listed")


def _tier(floor: Decimal, leverage: Decimal) -> MarginTier:
    return MarginTier(floor, 1 / (2 * leverage), leverage)


async def read_quotes(connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
    """One request for each dex that these are of. The venue tells no time of its own: that of arrival."""
    names = sorted({market_id.rpartition(":")[0] for market_id in wanted})
    replies = await together(*(connection.timed(connection.exchange.publicPostInfo(_about(name))) for name in names))
    quotes = {}
    for (meta, contexts), arrived in replies:
        for row, context in _paired(meta, contexts):
            if row["name"] in wanted:
                quotes[wanted[row["name"]].id] = Read(_quote(context, arrived), arrived)
    return quotes


def _quote(context: Row, now: datetime) -> Quote:
    bid, ask = _impact_prices(context)
    rate = number(context, "funding") if context.get("funding") is not None else None
    next_hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return Quote(
        mark=positive(context, "markPx"),
        bid=bid,
        ask=ask,
        index=positive(context, "oraclePx") if context.get("oraclePx") is not None else None,
        funding_rate=rate,
        funding_interval_hours=None if rate is None else Decimal(1),
        funding_next=None if rate is None else next_hour,
        volume_day=hint(context, "dayNtlVlm"),
    )


def _impact_prices(context: Row) -> tuple[Decimal | None, Decimal | None]:
    """What a sale and a purchase of the venue's impact notional would fetch; none in an empty book."""
    listed = context.get("impactPxs")
    if listed is None:
        return None, None
    if not isinstance(listed, list) or len(listed) != 2:
        raise Misshapen("impactPxs is not two prices")
    bid, ask = (positive({"impactPxs": price}, "impactPxs") for price in listed)
    return (bid, ask) if bid <= ask else (None, None)  # a crossed book is torn


async def read_prices(connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
    """Marks of the spot pairs, in one request; one that has none is absent."""
    ask = connection.exchange.publicPostInfo({"type": "spotMetaAndAssetCtxs"})
    (_, contexts), arrived = await connection.timed(ask)
    return {
        wanted[row["coin"]]: Read(positive(row, "markPx"), arrived)
        for row in contexts
        if row["coin"] in wanted and row["markPx"] is not None
    }
