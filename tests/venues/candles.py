"""Past prices that every local venue answers with, each in its own form: one path a coin, hour by hour."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

HOUR = 3_600_000  # milliseconds
ORIGIN = 1_730_419_200_000  # 2024-11-01 00:00 UTC, where all paths begin
_HOURS = 3 * 8766
_COINS = ("BTC", "ETH", "SOL", "LINK", "UNI", "AAVE", "AVAX", "DOGE", "XRP", "ADA", "USDC")

Asked = Mapping[str, str]
Candle = tuple[int, float, float, float, float]  # opened, open, high, low, close
Answer = Callable[[Asked, "Candles"], Any]


class Candles:
    """The past of a venue at `now`, milliseconds. `listed`: market id → when its first candle opened."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self.listed: dict[str, int] = {}

    def between(self, market_id: str, begin: int | None, end: int | None, limit: int) -> list[Candle]:
        """Those that opened from `begin` to `end`, the first `limit`, or the last without `begin`; the current too."""
        now = self._now()
        first = max(-(-(begin or 0) // HOUR) * HOUR, self.listed.get(market_id, ORIGIN))
        last = min(now if end is None else end, now) // HOUR * HOUR
        if begin is None:
            first = max(first, last - (limit - 1) * HOUR)
        path = _path(market_id)
        hours = range((first - ORIGIN) // HOUR, min((last - ORIGIN) // HOUR + 1, (first - ORIGIN) // HOUR + limit))
        return [(ORIGIN + hour * HOUR, *path[hour]) for hour in hours]

    def settled(self, begin: int) -> list[tuple[int, str]]:
        """Funding from `begin` on, every eight hours: settled when, and the rate, which grows by 1e-7 a time."""
        every = 8 * HOUR
        times = range(-(-begin // every) * every, self._now() + 1, every)
        return [(at, f"{(at - ORIGIN) // every / 10**7:.7f}") for at in times]


@functools.cache
def _path(market_id: str) -> list[tuple[float, float, float, float]]:
    """Open, high, low and close by hour since the origin: a common factor, and noise of the coin's own."""
    coin = next(each for each in _COINS if market_id.startswith(each))
    market = np.random.default_rng(1).standard_normal(_HOURS) * 0.005
    own = np.random.default_rng(zlib.crc32(coin.encode())).standard_normal(_HOURS) * 0.003
    close = 100 * np.exp(np.cumsum(market * (0.8 + len(coin) / 10) + own))
    opened = np.concatenate(([100.0], close[:-1]))
    high, low = np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999
    return [(a, b, c, d) for a, b, c, d in np.round(np.column_stack((opened, high, low, close)), 6).tolist()]


def answer(path: str, asked: Asked, candles: Candles) -> Any:
    """The reply of the venue that has candles under this path; None: no venue has."""
    found = ANSWERS.get(path)
    if found is None and path.startswith("/api/v1/contract/kline/"):
        found = _mexc_contract
        asked = {**asked, "symbol": path.rpartition("/")[2]}
    return found(asked, candles) if found is not None else None


def _number(asked: Asked, name: str) -> int | None:
    return int(asked[name]) if name in asked else None


def _binance(asked: Asked, candles: Candles, most: int = 1000) -> list[list[Any]]:
    rows = candles.between(
        asked["symbol"],
        _number(asked, "startTime"),
        _number(asked, "endTime"),
        min(int(asked.get("limit", 500)), most),
    )
    return [
        [opened, *map(str, prices), "12.5", opened + HOUR - 1, "1250", 40, "6", "600", "0"] for opened, *prices in rows
    ]


def _mexc_spot(asked: Asked, candles: Candles) -> list[list[Any]]:
    return [row[:8] for row in _binance(asked, candles, 500)]


def _mexc_contract(asked: Asked, candles: Candles) -> dict[str, Any]:
    begin, end = int(asked["start"]) * 1000, int(asked["end"]) * 1000
    rows = candles.between(asked["symbol"], begin, end, 2000)
    opened, first, high, low, close = zip(*rows, strict=True) if rows else [()] * 5
    data = {"open": first, "high": high, "low": low, "close": close, "vol": [1.0] * len(rows)}
    return {"success": True, "code": 0, "data": {"time": [each // 1000 for each in opened], **data}}


def _bybit(asked: Asked, candles: Candles) -> dict[str, Any]:
    rows = candles.between(
        asked["symbol"], _number(asked, "start"), _number(asked, "end"), min(int(asked.get("limit", 200)), 1000)
    )
    found = [[str(opened), *map(str, prices), "12.5", "1250"] for opened, *prices in reversed(rows)]
    result = {"category": asked["category"], "symbol": asked["symbol"], "list": found}
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": candles._now()}


def _okx(asked: Asked, candles: Candles) -> dict[str, Any]:
    """`before` and `after` exclude their own time; newest first."""
    rows = candles.between(
        asked["instId"], int(asked["before"]) + 1, int(asked["after"]) - 1, min(int(asked.get("limit", 100)), 300)
    )
    data = [[str(opened), *map(str, prices), "628", "2.5", "62800", "1"] for opened, *prices in reversed(rows)]
    return {"code": "0", "msg": "", "data": data}


def _bingx_spot(asked: Asked, candles: Candles) -> dict[str, Any]:
    """Candles of spot begin at other hours than those of UTC unless asked for."""
    shift = 0 if asked.get("timeZone") == "0" else HOUR // 2
    rows = candles.between(asked["symbol"], int(asked["startTime"]), int(asked["endTime"]), int(asked["limit"]))
    data = [[opened + shift, *prices, 12.5, opened + HOUR - 1, 1250.0] for opened, *prices in reversed(rows)]
    return {"code": 0, "debugMsg": "", "data": data, "timestamp": candles._now()}


def _bingx(asked: Asked, candles: Candles) -> dict[str, Any]:
    rows = candles.between(asked["symbol"], int(asked["startTime"]), int(asked["endTime"]), int(asked["limit"]))
    names = ("open", "high", "low", "close")
    data = [
        {**dict(zip(names, map(str, prices), strict=True)), "volume": "12.5", "time": opened}
        for opened, *prices in reversed(rows)
    ]
    return {"code": 0, "msg": "", "data": data}


def _weex_spot(asked: Asked, candles: Candles) -> list[list[Any]]:
    return _binance({"symbol": asked["symbol"], "limit": asked.get("limit", "300")}, candles)


def _binance_funding(asked: Asked, candles: Candles) -> list[dict[str, Any]]:
    rows = candles.settled(int(asked["startTime"]))[: int(asked["limit"])]
    return [
        {"symbol": asked["symbol"], "fundingRate": rate, "fundingTime": at, "markPrice": "100.0"} for at, rate in rows
    ]


def _bybit_funding(asked: Asked, candles: Candles) -> dict[str, Any]:
    """Newest first, of a period whose end has to be given."""
    rows = [row for row in candles.settled(int(asked["startTime"])) if row[0] <= int(asked["endTime"])]
    found = [
        {"symbol": asked["symbol"], "fundingRate": rate, "fundingRateTimestamp": str(at)}
        for at, rate in reversed(rows[-int(asked["limit"]) :])
    ]
    result = {"category": asked["category"], "list": found}
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": candles._now()}


def _okx_funding(asked: Asked, candles: Candles) -> dict[str, Any]:
    rows = candles.settled(int(asked["before"]) + 1)[-int(asked["limit"]) :]
    data = [
        {
            "instType": "SWAP",
            "instId": asked["instId"],
            "fundingRate": "0.5",
            "realizedRate": rate,
            "fundingTime": str(at),
        }
        for at, rate in reversed(rows)
    ]
    return {"code": "0", "msg": "", "data": data}


ANSWERS: Mapping[str, Answer] = {
    "/fapi/v1/fundingRate": _binance_funding,
    "/dapi/v1/fundingRate": _binance_funding,
    "/v5/market/funding/history": _bybit_funding,
    "/api/v5/public/funding-rate-history": _okx_funding,
    "/api/v3/klines": lambda asked, candles: (_mexc_spot if asked["interval"] == "60m" else _binance)(asked, candles),
    "/fapi/v1/klines": _binance,
    "/dapi/v1/klines": _binance,
    "/v5/market/kline": _bybit,
    "/api/v5/market/candles": _okx,
    "/api/v5/market/history-candles": _okx,
    "/openApi/spot/v1/market/kline": _bingx_spot,
    "/openApi/swap/v3/quote/klines": _bingx,
    "/openApi/cswap/v1/market/klines": _bingx,
    "/api/v3/market/klines": _weex_spot,
    "/capi/v3/market/historyKlines": lambda asked, candles: _binance(asked, candles, 100),
}
