"""What may be asked of Bitget's classic account, and what each reply has to look like. All of it is GET and reads.

The venue writes numbers as text, and blank or null for what has no meaning: `known` tells those apart from zero. A
list that has no rows may be null in the histories of futures, and for the positions of a product that has none; which
its documentation does not say, so that one is believed only where no money of the product's is at risk.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import Fields, Misshapen, Record, Row, Rows, Scalar, Shape, number
from hedged.model.permissions import Permissions

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT

PRODUCTS = ("USDT-FUTURES", "USDC-FUTURES", "COIN-FUTURES")  # the venue's segments of contracts
COIN_MARGINED = "COIN-FUTURES"

_SPOT_MARKET: Fields = {"symbol": TEXT, "baseCoin": TEXT, "quoteCoin": TEXT, "status": PRESENT}
_CONTRACT: Fields = {
    "symbol": TEXT,
    "baseCoin": TEXT,
    "quoteCoin": TEXT,
    "supportMarginCoins": PRESENT,
    "symbolType": TEXT,  # without it ccxt takes the contract for a spot market
    "symbolStatus": PRESENT,
}
_TICKER: Fields = {"symbol": TEXT, "markPrice": PRESENT, "bidPr": PRESENT, "askPr": PRESENT, "ts": PRESENT}
_FUNDING: Fields = {"symbol": TEXT, "fundingRate": PRESENT, "fundingRateInterval": PRESENT, "nextUpdate": PRESENT}
_TIER: Fields = {"symbol": TEXT, "startUnit": NUMBER, "leverage": NUMBER, "keepMarginRate": NUMBER}
_COIN: Fields = {"coin": TEXT, "available": NUMBER, "frozen": NUMBER}
_LENT: Fields = {**_COIN, "borrow": NUMBER, "interest": NUMBER}
_POOL: Fields = {"marginCoin": TEXT, "accountEquity": NUMBER, "unrealizedPL": PRESENT}
_POSITION: Fields = {
    "symbol": TEXT,
    "marginCoin": TEXT,
    "holdSide": TEXT,
    "total": NUMBER,
    "openPriceAvg": NUMBER,
    "marginMode": TEXT,
    "posMode": TEXT,
}
POSITIONS = Rows(_POSITION)


def _data(shape: Shape) -> Record:
    """The envelope of every reply."""
    return Record({"data": shape})


ENDPOINTS: Mapping[tuple[str, str], Endpoint] = {
    # public
    ("GET", "/api/v2/public/time"): Endpoint("server time", _data(Record({"serverTime": NUMBER}))),
    ("GET", "/api/v2/spot/public/symbols"): Endpoint(
        "spot markets", _data(Rows(_SPOT_MARKET, at_least=1)), patience=3.0
    ),
    ("GET", "/api/v2/mix/market/contracts"): Endpoint("contracts", _data(Rows(_CONTRACT, at_least=1)), patience=3.0),
    ("GET", "/api/v2/spot/market/tickers"): Endpoint(
        "spot prices", _data(Rows({"symbol": TEXT, "lastPr": PRESENT, "ts": PRESENT}, at_least=1))
    ),
    ("GET", "/api/v2/mix/market/tickers"): Endpoint("contract tickers", _data(Rows(_TICKER, at_least=1))),
    ("GET", "/api/v2/mix/market/current-fund-rate"): Endpoint("funding rates", _data(Rows(_FUNDING, at_least=1))),
    ("GET", "/api/v2/mix/market/query-position-lever"): Endpoint("margin tiers", _data(Rows(_TIER, at_least=1))),
    # the account
    ("GET", "/api/v2/spot/account/info"): Endpoint(
        "key permissions", _data(Record({"authorities": PRESENT, "ips": PRESENT}))
    ),
    ("GET", "/api/v2/spot/account/assets"): Endpoint("spot wallet", _data(Rows({**_COIN, "locked": NUMBER}))),
    ("GET", "/api/v2/account/funding-assets"): Endpoint("funding wallet", _data(Rows(_COIN))),
    ("GET", "/api/v2/margin/crossed/account/assets"): Endpoint("cross margin wallet", _data(Rows(_LENT))),
    ("GET", "/api/v2/margin/isolated/account/assets"): Endpoint("isolated margin wallet", _data(Rows(_LENT))),
    ("GET", "/api/v2/earn/account/assets"): Endpoint("earn wallet", _data(Rows({"coin": TEXT, "amount": NUMBER}))),
    ("GET", "/api/v2/mix/account/accounts"): Endpoint("futures wallet", _data(Rows(_POOL))),
    ("GET", "/api/v2/mix/position/all-position"): Endpoint("futures positions", _data(PRESENT)),  # POSITIONS or null
    # what became of something
    ("GET", "/api/v2/mix/order/fills"): Endpoint("futures fills", _data(Record({"fillList": PRESENT}))),
    ("GET", "/api/v2/mix/order/orders-history"): Endpoint("futures orders", _data(Record({"entrustedList": PRESENT}))),
    ("GET", "/api/v2/mix/account/bill"): Endpoint("futures bills", _data(Record({"bills": PRESENT}))),
    ("GET", "/api/v2/spot/account/bills"): Endpoint(
        "spot bills",
        _data(Rows({"coin": TEXT, "groupType": TEXT, "businessType": TEXT, "size": NUMBER, "cTime": NUMBER})),
    ),
    ("GET", "/api/v2/margin/crossed/financial-records"): Endpoint(
        "cross margin bills",
        _data(Record({"resultList": Rows({"coin": TEXT, "marginType": TEXT, "amount": NUMBER})})),
    ),
}


def known(row: Row, name: str) -> Decimal | None:
    """A number, or None where the venue leaves the field blank, null or out."""
    value = row.get(name)
    return None if value is None or value == "" else number(row, name)


def key_permissions(data: Row) -> Permissions:
    """`authorities` are codes that end in r (read) or w (write), in older replies words."""
    told, addresses = data["authorities"], data["ips"]
    if not isinstance(told, list) or not all(isinstance(each, str) for each in told):
        raise Misshapen("authorities is not a list of words")
    if addresses is not None and not isinstance(addresses, str):
        raise Misshapen("ips is not text")
    allowed = set(told)
    return Permissions(
        read=bool(allowed & {"cpor", "cpow", "readonly", "trade"}),  # futures holdings
        trade=bool(allowed & {"coow", "trade"}),
        withdraw=bool(allowed & {"wwow", "withdraw"}),
        bound_to_address=bool(addresses),
    )
