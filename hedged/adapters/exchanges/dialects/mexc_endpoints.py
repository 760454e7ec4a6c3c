"""What may be asked of MEXC, and what each reply has to look like. All of it is GET and reads.

Contract replies come in an envelope, `{"success": true, "code": 0, "data": …}`; one whose `success` is not true is no
answer, whatever its code says. Spot replies are bare.
"""

from __future__ import annotations

from collections.abc import Mapping

from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import Columns, Fields, Lists, Record, Rows, Scalar, Shape

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT


def _enveloped(data: Scalar | Shape) -> Record:
    return Record({"success": Scalar.TRUE, "data": data})


def _paged(fields: Fields) -> Record:
    return _enveloped(Record({"resultList": Rows(fields)}))


_SPOT_MARKET: Fields = {"symbol": TEXT, "status": PRESENT, "baseAsset": TEXT, "quoteAsset": TEXT}
_CONTRACT: Fields = {"symbol": TEXT, "baseCoin": TEXT, "quoteCoin": TEXT, "settleCoin": TEXT, "state": PRESENT}
_TICKER: Fields = {
    "symbol": TEXT,
    "fairPrice": PRESENT,
    "indexPrice": PRESENT,
    "bid1": PRESENT,
    "ask1": PRESENT,
    "fundingRate": PRESENT,
    "timestamp": PRESENT,
}
_FUNDING: Fields = {"symbol": TEXT, "collectCycle": NUMBER, "nextSettleTime": NUMBER}
_COINS: Fields = {"asset": TEXT, "free": NUMBER, "locked": NUMBER}
_LENT: Fields = {**_COINS, "borrowed": NUMBER, "interest": NUMBER}
_POOL: Fields = {
    "currency": TEXT,
    "positionMargin": NUMBER,
    "availableBalance": NUMBER,
    "equity": NUMBER,
    "unrealized": NUMBER,
    "bonus": NUMBER,
}
_POSITION: Fields = {
    "symbol": TEXT,
    "positionType": NUMBER,
    "holdVol": NUMBER,
    "openAvgPrice": NUMBER,
    "liquidatePrice": PRESENT,
}
_ORDER: Fields = {
    "symbol": TEXT,
    "side": NUMBER,
    "dealVol": NUMBER,
    "category": NUMBER,
    "profit": NUMBER,
    "takerFee": NUMBER,
    "makerFee": NUMBER,
    "feeCurrency": PRESENT,
    "updateTime": NUMBER,
}
_TRANSFER: Fields = {"currency": TEXT, "amount": NUMBER, "type": TEXT, "state": TEXT, "createTime": NUMBER}
_SPOT_TRADE: Fields = {"symbol": TEXT, "qty": NUMBER, "quoteQty": NUMBER, "isBuyer": PRESENT}
_SPOT_TRANSFER: Fields = {"asset": TEXT, "amount": NUMBER, "status": TEXT, "timestamp": NUMBER}

ENDPOINTS: Mapping[tuple[str, str], Endpoint] = {
    # public
    ("GET", "/api/v3/time"): Endpoint("server time", Record({"serverTime": NUMBER})),
    ("GET", "/api/v3/exchangeInfo"): Endpoint(
        "spot markets", Record({"symbols": Rows(_SPOT_MARKET, at_least=1)}), patience=3.0
    ),
    ("GET", "/api/v1/contract/detail"): Endpoint("contracts", _enveloped(Rows(_CONTRACT, at_least=1)), patience=3.0),
    ("GET", "/api/v3/ticker/price"): Endpoint("spot prices", Rows({"symbol": TEXT, "price": PRESENT}, at_least=1)),
    ("GET", "/api/v1/contract/ticker"): Endpoint("contract tickers", _enveloped(Rows(_TICKER, at_least=1))),
    ("GET", "/api/v1/contract/funding_rate/{}"): Endpoint("funding schedule", _enveloped(Record(_FUNDING))),
    ("GET", "/api/v3/klines"): Endpoint("spot candles", Lists(5)),
    ("GET", "/api/v1/contract/kline/{}"): Endpoint(
        "contract candles", _enveloped(Columns(("time", "open", "high", "low", "close")))
    ),
    # the account
    ("GET", "/api/v3/account"): Endpoint("spot wallet", Record({"balances": Rows(_COINS)})),
    ("GET", "/api/v3/margin/isolated/account"): Endpoint(
        "margin wallet",
        Record({"assets": Rows({"symbol": TEXT, "baseAsset": Record(_LENT), "quoteAsset": Record(_LENT)})}),
    ),
    ("GET", "/api/v3/apiKeyInfo"): Endpoint("key permissions", Record({"permissions": TEXT})),
    ("GET", "/api/v1/private/account/assets"): Endpoint("futures wallet", _enveloped(Rows(_POOL))),
    ("GET", "/api/v1/private/position/open_positions"): Endpoint("futures positions", _enveloped(Rows(_POSITION))),
    ("GET", "/api/v1/private/position/position_mode"): Endpoint("position mode", _enveloped(NUMBER)),
    # what became of something
    ("GET", "/api/v1/private/order/list/order_deals"): Endpoint(
        "futures fills", _enveloped(Rows({"symbol": TEXT, "side": NUMBER, "vol": NUMBER, "timestamp": NUMBER}))
    ),
    ("GET", "/api/v1/private/order/list/history_orders"): Endpoint("futures orders", _enveloped(Rows(_ORDER))),
    ("GET", "/api/v1/private/account/transfer_record"): Endpoint("futures transfers", _paged(_TRANSFER)),
    ("GET", "/api/v1/private/position/funding_records"): Endpoint(
        "funding payments", _paged({"symbol": TEXT, "funding": NUMBER, "settleTime": NUMBER})
    ),
    ("GET", "/api/v3/capital/transfer"): Endpoint("transfers", Record({"rows": Rows(_SPOT_TRANSFER)})),
    ("GET", "/api/v3/capital/withdraw/history"): Endpoint(
        "withdrawals", Rows({"coin": TEXT, "amount": NUMBER, "status": NUMBER, "applyTime": NUMBER})
    ),
    ("GET", "/api/v3/myTrades"): Endpoint("spot fills", Rows(_SPOT_TRADE)),
}
