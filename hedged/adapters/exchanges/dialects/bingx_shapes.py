"""What BingX's replies look like, and the endpoints that are read."""

from __future__ import annotations

from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import Fields, Lists, Misshapen, Record, Row, Rows, Scalar, Shape
from hedged.model.permissions import Permissions

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT

_READ, _PERPETUALS, _WITHDRAW = 2, 3, 5

COINS = Rows({"asset": TEXT, "free": NUMBER, "locked": NUMBER})


def data(shape: Shape) -> Record:
    """The envelope of nearly every reply."""
    return Record({"data": shape})


_CANDLE: Fields = dict.fromkeys(("time", "open", "high", "low", "close"), NUMBER)
_SPOT: Fields = {"symbol": TEXT, "status": PRESENT, "apiStateSell": PRESENT, "apiStateBuy": PRESENT}
_LINEAR: Fields = {
    "symbol": TEXT,
    "currency": TEXT,
    "status": PRESENT,
    "pricePrecision": PRESENT,
    "quantityPrecision": PRESENT,
    "tradeMinQuantity": PRESENT,
    "tradeMinUSDT": PRESENT,
    "apiStateOpen": PRESENT,
    "apiStateClose": PRESENT,
}
_INVERSE: Fields = {
    "symbol": TEXT,
    "status": PRESENT,
    "pricePrecision": PRESENT,
    "minTickSize": NUMBER,  # without it ccxt takes the contract for a spot market
    "minTradeValue": PRESENT,
    "minQty": PRESENT,
}
_MARK = data(
    Rows(
        {
            "symbol": TEXT,
            "markPrice": PRESENT,
            "indexPrice": PRESENT,
            "lastFundingRate": PRESENT,
            "nextFundingTime": PRESENT,
        },
        at_least=1,
    )
)
_BOOK = data(Rows({"symbol": TEXT, "bidPrice": PRESENT, "askPrice": PRESENT}, at_least=1))
_POOL = data(Rows({"asset": PRESENT, "balance": PRESENT}))
_POSITION = data(Rows({"symbol": TEXT, "positionSide": TEXT, "positionAmt": NUMBER}))
_TIER = {"symbol": TEXT, "minPositionVal": NUMBER, "maintMarginRatio": NUMBER}

ENDPOINTS = {
    ("GET", "/openApi/swap/v2/server/time"): Endpoint("server time", data(Record({"serverTime": NUMBER}))),
    ("GET", "/openApi/spot/v1/common/symbols"): Endpoint(
        "spot markets", data(Record({"symbols": Rows(_SPOT, at_least=1)})), patience=3.0
    ),
    ("GET", "/openApi/swap/v2/quote/contracts"): Endpoint(
        "futures markets", data(Rows(_LINEAR, at_least=1)), patience=3.0
    ),
    ("GET", "/openApi/cswap/v1/market/contracts"): Endpoint(
        "coin-margined markets", data(Rows(_INVERSE, at_least=1)), patience=3.0
    ),
    ("GET", "/openApi/swap/v2/quote/premiumIndex"): Endpoint("mark prices", _MARK),
    ("GET", "/openApi/cswap/v1/market/premiumIndex"): Endpoint("coin-margined mark prices", _MARK),
    ("GET", "/openApi/swap/v2/quote/ticker"): Endpoint("futures books", _BOOK),
    ("GET", "/openApi/cswap/v1/market/ticker"): Endpoint("coin-margined books", _BOOK),
    ("GET", "/openApi/spot/v1/ticker/24hr"): Endpoint(
        "spot prices", data(Rows({"symbol": TEXT, "lastPrice": PRESENT}, at_least=1))
    ),
    ("GET", "/openApi/spot/v1/market/kline"): Endpoint("spot candles", data(Lists(5))),
    ("GET", "/openApi/swap/v3/quote/klines"): Endpoint("candles", data(Rows(_CANDLE))),
    ("GET", "/openApi/cswap/v1/market/klines"): Endpoint("coin-margined candles", data(Rows(_CANDLE))),
    ("GET", "/openApi/spot/v1/account/balance"): Endpoint("spot wallet", data(Record({}))),
    ("GET", "/openApi/fund/v1/account/balance"): Endpoint("funding wallet", data(Record({}))),
    ("GET", "/openApi/swap/v3/user/balance"): Endpoint("futures wallet", _POOL),
    ("GET", "/openApi/cswap/v1/user/balance"): Endpoint("coin-margined wallet", _POOL),
    ("GET", "/openApi/swap/v2/user/positions"): Endpoint("futures positions", _POSITION),
    ("GET", "/openApi/cswap/v1/user/positions"): Endpoint("coin-margined positions", _POSITION),
    ("GET", "/openApi/contract/v1/allPosition"): Endpoint(
        "standard futures", data(Rows({"symbol": TEXT, "positionAmt": NUMBER}))
    ),
    ("GET", "/openApi/swap/v1/positionSide/dual"): Endpoint(
        "position mode", data(Record({"dualSidePosition": PRESENT}))
    ),
    ("GET", "/openApi/swap/v1/trade/assetMode"): Endpoint("asset mode", data(Record({"assetMode": TEXT}))),
    ("GET", "/openApi/swap/v1/maintMarginRatio"): Endpoint("margin tiers", data(Rows(_TIER, at_least=1))),
    ("GET", "/openApi/v1/account/apiPermissions"): Endpoint("key permissions", Record({})),
}


def is_blank(row: Row) -> bool:
    """A row of a perpetual account that has never been used: the venue sends one without a name."""
    if row["asset"]:
        return False
    if any(str(value).strip("0.") for name, value in row.items() if name in {"balance", "equity"}):
        raise Misshapen("a margin balance without the name of its asset")
    return True


def is_hedge_mode(row: Row) -> bool:
    """Whether a position says that it is one of two possible ones in its contract.

    `onlyOnePosition` is the mode; `positionSide` is LONG or SHORT in one-way mode as well.
    """
    return "onlyOnePosition" in row and not truth(row, "onlyOnePosition")


def is_open_to_api(info: Row) -> bool:
    """Whether a linear contract can be opened and closed through the API."""
    opens, closes = truth(info, "apiStateOpen"), truth(info, "apiStateClose")
    return opens and closes


def truth(row: Row, name: str) -> bool:
    """The venue writes true and false as such or as text."""
    value = str(row[name]).lower()
    if value not in {"true", "false"}:
        raise Misshapen(f"{name} is neither true nor false")
    return value == "true"


def key_permissions(reply: Row) -> Permissions:
    """The venue's numbers for what a key may do, with and without the usual envelope."""
    told = reply.get("data", reply)
    allowed = told.get("permissions") if isinstance(told, dict) else None
    if not isinstance(allowed, list) or not all(str(each).isdigit() for each in allowed):
        raise Misshapen("permissions is not a list of numbers")
    numbers, addresses = {int(each) for each in allowed}, told.get("ipAddresses")
    return Permissions(
        read=_READ in numbers,
        trade=_PERPETUALS in numbers,
        withdraw=_WITHDRAW in numbers,
        bound_to_address=any(addresses) if isinstance(addresses, list) else None,
    )
