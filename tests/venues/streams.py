"""The websockets of local venues: logging in, subscribing, pings, and what they tell. Faults on demand.

    server.streams = Hub("okx", KEYS)
    await server.streams.tell("mark", "ETH-USDT-SWAP", "3100")

One port serves a venue's HTTP and its websockets, as `connect_to` leads all of its names to one place.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from aiohttp import WSMsgType, web

from tests.venues.server import LISTEN_KEYS

MILLISECONDS = 1_793_620_800_000


@dataclass(eq=False)
class Socket:
    """One connection: where it went, what it asked for, and what it said."""

    host: str
    path: str
    ws: web.WebSocketResponse
    topics: set[str] = field(default_factory=set)
    logged_in: bool = False
    said: list[Any] = field(default_factory=list)


class Hub:
    """All websockets of one venue. `fault`: refuse (HTTP 503), hang (no handshake), mute (nothing is answered)."""

    def __init__(self, venue: str, keys: Mapping[str, str]) -> None:
        self.keys = keys
        self.venue = venue
        self.sockets: list[Socket] = []
        self.opened = 0
        self.listen_keys: list[str] = []  # methods
        self.fault = ""
        self.refuse_login = False
        self.news = asyncio.Event()  # set whenever something was said or opened
        self._speech = SPEECHES[venue](self)

    # --- what a server does -----------------------------------------------------------------------------------------

    async def answer(self, request: web.Request) -> web.StreamResponse | None:
        """A websocket, or a listen key; None: no business of streams."""
        if request.path in LISTEN_KEYS:
            self.listen_keys.append(request.method)
            return self._speech.listen_key(request)
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return None
        if self.fault == "refuse":
            return web.Response(status=503)
        if self.fault == "hang":
            await asyncio.sleep(3600)
        return await self._serve(request)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(autoping=self.fault != "mute")
        socket = Socket(request.host, request.path_qs, ws)
        refused = self._speech.opened(socket, request)
        if refused is not None:
            return refused
        await ws.prepare(request)
        self.sockets.append(socket)
        self.opened += 1
        self.news.set()
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    frame = json.loads(message.data) if message.data.startswith("{") else message.data
                    socket.said.append(frame)
                    for reply in () if self.fault == "mute" else self._speech.heard(socket, frame):
                        await self.send(socket, reply)
                    self.news.set()
        finally:
            self.sockets.remove(socket)
            self.news.set()
        return ws

    # --- what a test does -------------------------------------------------------------------------------------------

    async def send(self, socket: Socket, message: Any) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        if self._speech.gzipped:
            await socket.ws.send_bytes(gzip.compress(text.encode()))
        else:
            await socket.ws.send_str(text)

    async def tell(self, kind: str, *args: str) -> int:
        """`mark` (market id, price), `position` (market id, contracts), `balance` (asset, total), `fill` (market id).

        To every connection that subscribed to it; how many those are.
        """
        topic, message = getattr(self._speech, kind)(*args)
        reached = [socket for socket in self.sockets if topic in socket.topics]
        for socket in reached:
            await self.send(socket, message)
        return len(reached)

    async def until(self, topic: str) -> Socket:
        """Wait for a subscription; topics are those of the venue."""
        return (await self.wait(lambda: [it for it in self.sockets if topic in it.topics]))[0]

    async def wait(self, condition: Any) -> Any:
        """Wait for what `condition` returns to be true; it is asked whenever something happens here."""
        async with asyncio.timeout(10):
            while not (found := condition()):
                self.news.clear()
                await self.news.wait()
        return found

    @property
    def said(self) -> list[Any]:
        return [frame for socket in self.sockets for frame in socket.said]

    def sign(self, text: str, form: str) -> str:
        digest = hmac.new(self.keys["secret"].encode(), text.encode(), hashlib.sha256)
        return digest.hexdigest() if form == "hex" else base64.b64encode(digest.digest()).decode()


class Speech:
    """How one venue speaks. Names its topics `marks:ID`, `spot:ID`, `positions`, `balances:WALLET` and `fills`."""

    gzipped = False

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    def opened(self, socket: Socket, request: web.Request) -> web.StreamResponse | None:
        return None

    def listen_key(self, request: web.Request) -> web.Response:
        sent = request.headers.get("X-MBX-APIKEY") or request.headers.get("X-BX-APIKEY")
        if self.hub.refuse_login or sent != self.hub.keys["apiKey"]:
            return web.json_response({"code": -2015, "msg": "Invalid API-key, IP, or permissions"}, status=401)
        token = {"token": "listentoken", "expirationTime": MILLISECONDS + 86_400_000}
        return web.json_response(token if "Token" in request.path else {"listenKey": "listenkey"})

    def heard(self, socket: Socket, frame: Any) -> list[Any]:
        raise NotImplementedError


class Binance(Speech):
    def opened(self, socket: Socket, request: web.Request) -> web.StreamResponse | None:
        if "listenkey" in request.path_qs:
            kind = "COIN-M" if request.host.startswith("dstream") else "USD-M"
            kind = "portfolio" if "/pm/" in request.path else kind
            socket.topics |= {f"positions:{kind}", f"balances:{kind}"}
        return None

    def heard(self, socket: Socket, frame: Any) -> list[Any]:
        if frame["method"] == "SUBSCRIBE":
            kind = "spot" if socket.host.startswith("stream.") else "marks"
            for param in frame["params"]:
                socket.topics.add(f"{kind}:{param.partition('@')[0].upper()}")
            return [{"result": None, "id": frame["id"]}]
        params = frame["params"]
        wallet = "margin"
        if frame["method"] == "userDataStream.subscribe.signature":
            wallet, signature = "spot", params.pop("signature")
            if self.hub.refuse_login or signature != self.hub.sign(urlencode(sorted(params.items())), "hex"):
                error = {"code": -1022, "msg": "Signature for this request is not valid."}
                return [{"id": frame["id"], "status": 400, "error": error}]
        socket.topics.add(f"balances:{wallet}")
        return [{"id": frame["id"], "status": 200, "result": {"subscriptionId": 0}}]

    def mark(self, market: str, price: str) -> tuple[str, Any]:
        message = {"e": "markPriceUpdate", "E": MILLISECONDS, "s": market, "p": price, "P": price, "i": price}
        return f"marks:{market}", {**message, "r": "0.0001", "T": MILLISECONDS}

    def spot(self, market: str, price: str) -> tuple[str, Any]:
        message = {"e": "24hrMiniTicker", "E": MILLISECONDS, "s": market, "c": price, "o": price, "h": price}
        return f"spot:{market}", {**message, "l": price, "v": "1", "q": "1"}

    def position(self, market: str, contracts: str) -> tuple[str, Any]:
        held = {
            "s": market,
            "pa": contracts,
            "ep": "3000",
            "cr": "0",
            "up": "0",
            "mt": "cross",
            "iw": "0",
            "ps": "BOTH",
        }
        return "positions:USD-M", self._update([], [held])

    def wallet(self, asset: str, total: str) -> tuple[str, Any]:
        return "balances:USD-M", self._update([{"a": asset, "wb": total, "cw": total, "bc": "0"}], [])

    def balance(self, asset: str, total: str) -> tuple[str, Any]:
        rows = [{"a": asset, "f": total, "l": "0"}]
        event = {"e": "outboundAccountPosition", "E": MILLISECONDS, "u": MILLISECONDS, "B": rows}
        return "balances:spot", {"subscriptionId": 0, "event": event}

    def _update(self, balances: list[Any], positions: list[Any]) -> Any:
        told = {"m": "ORDER", "B": balances, "P": positions}
        return {"e": "ACCOUNT_UPDATE", "E": MILLISECONDS, "T": MILLISECONDS, "a": told}


class Bybit(Speech):
    def heard(self, socket: Socket, frame: Any) -> list[Any]:
        if frame["op"] == "ping":
            return [{"success": True, "ret_msg": "pong", "conn_id": "c", "req_id": frame["req_id"], "op": "ping"}]
        if frame["op"] == "auth":
            key, expires, signature = frame["args"]
            right = key == self.hub.keys["apiKey"] and signature == self.hub.sign(f"GET/realtime{expires}", "hex")
            if self.hub.refuse_login or not right:
                request = {"op": "auth", "args": frame["args"]}
                return [{"success": False, "ret_msg": "error:USVC1111", "conn_id": "c", "request": request}]
            socket.logged_in = True
            return [{"success": True, "ret_msg": "", "op": "auth", "conn_id": "c"}]
        for topic in frame["args"]:
            if topic.startswith("tickers."):
                kind = "spot" if "spot" in socket.path else "marks"
                socket.topics.add(f"{kind}:{topic.removeprefix('tickers.')}")
            elif socket.logged_in:
                socket.topics.add({"position": "positions", "wallet": "balances:account"}[topic])
        return [{"success": True, "ret_msg": "subscribe", "conn_id": "c", "req_id": frame["req_id"], "op": "subscribe"}]

    def mark(self, market: str, price: str) -> tuple[str, Any]:
        data = {"symbol": market, "lastPrice": price, "markPrice": price, "indexPrice": price}
        data |= {"openInterest": "68744.761", "openInterestValue": "1183601235.91"}  # by which contracts are known
        return f"marks:{market}", {"topic": f"tickers.{market}", "type": "snapshot", "data": data, "ts": MILLISECONDS}

    def spot(self, market: str, price: str) -> tuple[str, Any]:
        data = {"symbol": market, "lastPrice": price, "usdIndexPrice": price}
        return f"spot:{market}", {"topic": f"tickers.{market}", "type": "snapshot", "data": data, "ts": MILLISECONDS}

    def position(self, market: str, contracts: str) -> tuple[str, Any]:
        size = contracts.removeprefix("-")
        side = "" if size == "0" else "Sell" if contracts.startswith("-") else "Buy"
        data = {"category": "linear", "symbol": market, "side": side, "size": size, "entryPrice": "3000"}
        data |= {"positionIdx": 0, "markPrice": "3000", "positionValue": "0", "leverage": "10", "updatedTime": "1"}
        return "positions", {"topic": "position", "id": "i", "creationTime": MILLISECONDS, "data": [data]}

    def balance(self, asset: str, total: str) -> tuple[str, Any]:
        coin = {"coin": asset, "equity": total, "walletBalance": total, "availableToWithdraw": "", "locked": "0"}
        data = [{"accountType": "UNIFIED", "totalEquity": "1", "coin": [coin]}]
        return "balances:account", {"topic": "wallet", "id": "i", "creationTime": MILLISECONDS, "data": data}


class Okx(Speech):
    def heard(self, socket: Socket, frame: Any) -> list[Any]:
        if frame == "ping":
            return ["pong"]
        if frame["op"] == "login":
            given = frame["args"][0]
            signature = self.hub.sign(f"{given['timestamp']}GET/users/self/verify", "base64")
            right = given["apiKey"] == self.hub.keys["apiKey"] and given["sign"] == signature
            if self.hub.refuse_login or not right or given["passphrase"] != self.hub.keys["password"]:
                return [{"event": "error", "msg": f"Illegal request: {json.dumps(frame)}", "code": "60012"}]
            socket.logged_in = True
            return [{"event": "login", "msg": "", "code": "0", "connId": "c"}]
        for arg in frame["args"]:
            if arg["channel"] in {"mark-price", "tickers"}:
                kind = "marks" if arg["channel"] == "mark-price" else "spot"
                socket.topics.add(f"{kind}:{arg['instId']}")
            elif socket.logged_in:
                socket.topics.add({"positions": "positions", "account": "balances:account"}[arg["channel"]])
        return [{"event": "subscribe", "arg": arg, "connId": "c"} for arg in frame["args"]]

    def mark(self, market: str, price: str) -> tuple[str, Any]:
        data = {"instType": "SWAP", "instId": market, "markPx": price, "ts": str(MILLISECONDS)}
        return f"marks:{market}", {"arg": {"channel": "mark-price", "instId": market}, "data": [data]}

    def spot(self, market: str, price: str) -> tuple[str, Any]:
        data = {"instType": "SPOT", "instId": market, "last": price, "askPx": price, "bidPx": price, "ts": "1"}
        return f"spot:{market}", {"arg": {"channel": "tickers", "instId": market}, "data": [data]}

    def position(self, market: str, contracts: str) -> tuple[str, Any]:
        data = {"instId": market, "instType": "SWAP", "pos": contracts, "posSide": "net", "mgnMode": "cross"}
        data |= {"avgPx": "3000", "markPx": "3000", "lever": "3", "upl": "0", "uTime": "1", "cTime": "1"}
        return "positions", {"arg": {"channel": "positions", "instType": "ANY", "uid": "1"}, "data": [data]}

    def balance(self, asset: str, total: str) -> tuple[str, Any]:
        coin = {"ccy": asset, "eq": total, "cashBal": total, "availEq": total, "availBal": total, "frozenBal": "0"}
        data = [{"details": [coin], "uTime": "1"}]
        return "balances:account", {"arg": {"channel": "account", "uid": "1"}, "eventType": "snapshot", "data": data}


class BingX(Speech):
    gzipped = True

    def opened(self, socket: Socket, request: web.Request) -> web.StreamResponse | None:
        if request.query.get("listenKey") == "listenkey" and "swap" in request.host:
            socket.topics |= {"positions", "balances:swap"}
        return None

    def heard(self, socket: Socket, frame: Any) -> list[Any]:
        if frame == "Pong" or "pong" in frame:
            return []
        if frame["dataType"] == "ACCOUNT_UPDATE":
            socket.topics.add("balances:spot")
        else:
            kind = "marks" if "swap" in socket.host else "spot"
            socket.topics.add(f"{kind}:{frame['dataType'].removesuffix('@ticker')}")
        return [{"code": 0, "id": frame["id"], "msg": "SUCCESS", "timestamp": MILLISECONDS}, "Ping"]

    def mark(self, market: str, price: str) -> tuple[str, Any]:
        data = {
            "e": "24hTicker",
            "E": MILLISECONDS,
            "s": market,
            "p": "1",
            "P": "1",
            "c": price,
            "h": price,
            "l": price,
        }
        data |= {"o": price, "v": "1", "q": "1", "C": MILLISECONDS, "A": price, "B": price}
        return f"marks:{market}", {"code": 0, "dataType": f"{market}@ticker", "data": data}

    def spot(self, market: str, price: str) -> tuple[str, Any]:
        return f"spot:{market}", self.mark(market, price)[1]

    def position(self, market: str, contracts: str) -> tuple[str, Any]:
        side = "SHORT" if contracts.startswith("-") else "LONG"
        held = {"s": market, "pa": contracts.removeprefix("-"), "ep": "3000", "up": "0", "mt": "cross", "ps": side}
        told = {"m": "ORDER", "B": [], "P": [held]}
        return "positions", {"e": "ACCOUNT_UPDATE", "E": MILLISECONDS, "a": told}

    def balance(self, asset: str, total: str) -> tuple[str, Any]:
        told = {"m": "DEPOSIT", "B": [{"a": asset, "wb": total, "cw": total, "bc": "0"}]}
        return "balances:spot", {"e": "ACCOUNT_UPDATE", "E": MILLISECONDS, "T": MILLISECONDS, "a": told}


class Mexc(Speech):
    def heard(self, socket: Socket, frame: Any) -> list[Any]:
        method = frame["method"]
        if method == "ping":
            return [{"channel": "pong", "data": MILLISECONDS}]
        if method == "login":
            given = frame["param"]
            signature = self.hub.sign(f"{given['apiKey']}{given['reqTime']}", "hex")
            if self.hub.refuse_login or given["signature"] != signature:
                return [{"channel": "rs.error", "data": "signature validation failed", "ts": MILLISECONDS}]
            socket.topics |= {"balances:swap", "fills"}
            return [{"channel": "rs.login", "data": "success", "ts": MILLISECONDS}]
        socket.topics.add(f"marks:{frame['param']['symbol']}")
        return [{"channel": f"rs.{method}", "data": "success", "ts": MILLISECONDS}]

    def mark(self, market: str, price: str) -> tuple[str, Any]:
        data = {"symbol": market, "lastPrice": float(price), "fairPrice": float(price), "timestamp": MILLISECONDS}
        message = {"symbol": market, "data": data, "channel": "push.ticker", "ts": MILLISECONDS}
        return f"marks:{market}", message

    def fill(self, market: str) -> tuple[str, Any]:
        data = {"category": 1, "fee": 0.1, "feeCurrency": "USDT", "id": "299444585", "isSelf": False, "orderId": "1"}
        data |= {"positionMode": 1, "price": 3000, "profit": 0, "side": 3, "symbol": market, "taker": True}
        data |= {"timestamp": MILLISECONDS, "vol": 5}
        return "fills", {"channel": "push.personal.order.deal", "data": data, "ts": MILLISECONDS}

    def balance(self, asset: str, total: str) -> tuple[str, Any]:
        data = {
            "availableBalance": float(total),
            "bonus": 0,
            "currency": asset,
            "frozenBalance": 0,
            "positionMargin": 0,
        }
        return "balances:swap", {"channel": "push.personal.asset", "data": data, "ts": MILLISECONDS}


class Weex(Speech):
    def opened(self, socket: Socket, request: web.Request) -> web.StreamResponse | None:
        if not request.path.endswith("/private"):
            return None
        given = request.headers
        signature = self.hub.sign(f"{given.get('ACCESS-TIMESTAMP')}/v3/ws/private", "base64")
        right = given.get("ACCESS-KEY") == self.hub.keys["apiKey"] and given.get("ACCESS-SIGN") == signature
        if self.hub.refuse_login or not right or given.get("ACCESS-PASSPHRASE") != self.hub.keys["password"]:
            return web.Response(status=401)
        return None

    def heard(self, socket: Socket, frame: Any) -> list[Any]:
        if frame["method"] == "PONG":
            return []
        for param in frame["params"]:
            kind = "swap" if "contract" in socket.host else "spot"
            prices = f"{'marks' if kind == 'swap' else 'spot'}:{param.removesuffix('@ticker')}"
            socket.topics.add({"account": f"balances:{kind}", "positions": "positions"}.get(param, prices))
        return [{"result": True, "id": int(frame["id"])}, {"event": "ping", "time": str(MILLISECONDS)}]

    def mark(self, market: str, price: str) -> tuple[str, Any]:
        row = {"c": price, "o": price, "h": price, "l": price, "v": "1", "q": "1", "C": MILLISECONDS, "m": price}
        return f"marks:{market}", {"e": "ticker", "E": MILLISECONDS, "s": market, "d": [row]}

    def spot(self, market: str, price: str) -> tuple[str, Any]:
        return f"spot:{market}", self.mark(market, price)[1]

    def position(self, market: str, contracts: str) -> tuple[str, Any]:
        side = "SHORT" if contracts.startswith("-") else "LONG"
        row = {"id": "1", "coin": "USDT", "symbol": market, "side": side, "size": contracts.removeprefix("-")}
        row |= {"marginMode": "CROSSED", "leverage": "10", "openValue": "3000", "updatedTime": str(MILLISECONDS)}
        return "positions", {"e": "positions", "E": MILLISECONDS, "v": 1, "msgEvent": "OrderUpdate", "d": [row]}

    def balance(self, asset: str, total: str) -> tuple[str, Any]:
        row = {"coin": asset, "equity": total, "available": total, "frozen": "0"}
        return "balances:spot", {"e": "account", "E": MILLISECONDS, "v": 1, "msgEvent": "DepositUpdate", "d": [row]}


class Bitget(Speech):
    def heard(self, socket: Socket, frame: Any) -> list[Any]:
        if frame == "ping":
            return ["pong"]
        if frame["op"] == "login":
            given = frame["args"][0]
            signature = self.hub.sign(f"{given['timestamp']}GET/user/verify", "base64")
            right = given["apiKey"] == self.hub.keys["apiKey"] and given["sign"] == signature
            if self.hub.refuse_login or not right or given["passphrase"] != self.hub.keys["password"]:
                return [{"event": "error", "code": "30005", "msg": f"error: {json.dumps(frame)}"}]
            socket.logged_in = True
            return [{"event": "login", "code": "0"}]
        for arg in frame["args"]:
            if arg["channel"] == "ticker":
                socket.topics.add(f"{'spot' if arg['instType'] == 'SPOT' else 'marks'}:{arg['instId']}")
            elif socket.logged_in:
                wallet = "spot" if arg["instType"] == "SPOT" else "swap"
                socket.topics.add({"positions": "positions", "fill": "fills"}.get(arg["channel"], f"balances:{wallet}"))
        return [{"event": "subscribe", "arg": arg} for arg in frame["args"]]

    def mark(self, market: str, price: str) -> tuple[str, Any]:
        data = {"instId": market, "lastPr": price, "markPrice": price, "indexPrice": price, "ts": str(MILLISECONDS)}
        return f"marks:{market}", self._push("USDT-FUTURES", "ticker", market, [data])

    def spot(self, market: str, price: str) -> tuple[str, Any]:
        data = {"instId": market, "lastPr": price, "ts": str(MILLISECONDS)}
        return f"spot:{market}", self._push("SPOT", "ticker", market, [data])

    def position(self, market: str, contracts: str) -> tuple[str, Any]:
        side = "short" if contracts.startswith("-") else "long"
        held = {"posId": "1", "instId": market, "marginCoin": "USDT", "holdSide": side, "posMode": "one_way_mode"}
        held |= {
            "total": contracts.removeprefix("-"),
            "available": "0",
            "marginMode": "crossed",
            "openPriceAvg": "3000",
        }
        return "positions", self._push("USDT-FUTURES", "positions", "default", [held])

    def fill(self, market: str) -> tuple[str, Any]:
        data = {"orderId": "1", "tradeId": "2", "symbol": market, "side": "buy", "baseVolume": "1", "price": "3000"}
        data |= {
            "quoteVolume": "3000",
            "feeDetail": [{"feeCoin": "USDT", "totalFee": "-1"}],
            "cTime": str(MILLISECONDS),
        }
        return "fills", self._push("USDT-FUTURES", "fill", "default", [data])

    def balance(self, asset: str, total: str) -> tuple[str, Any]:
        data = {"coin": asset, "available": total, "frozen": "0", "locked": "0", "limitAvailable": "0"}
        return "balances:spot", self._push("SPOT", "account", "default", [data])

    def _push(self, kind: str, channel: str, market: str, data: list[Any]) -> Any:
        arg = {"instType": kind, "channel": channel, "instId": market}
        return {"action": "snapshot", "arg": arg, "data": data, "ts": MILLISECONDS}


class Deribit(Speech):
    def heard(self, socket: Socket, frame: Any) -> list[Any]:
        reply = {"jsonrpc": "2.0", "id": frame["id"]}
        if frame["method"] == "public/auth":
            given = frame["params"]
            signature = self.hub.sign(f"{given['timestamp']}\n{given['nonce']}\n", "hex")
            right = given["client_id"] == self.hub.keys["apiKey"] and given["signature"] == signature
            if self.hub.refuse_login or not right:
                return [{**reply, "error": {"code": 13004, "message": f"invalid_credentials {given}"}}]
            socket.logged_in = True
            return [{**reply, "result": {"access_token": "token", "expires_in": 900, "token_type": "bearer"}}]
        for channel in frame["params"]["channels"]:
            if channel.startswith("ticker."):
                socket.topics.add(f"marks:{channel.split('.')[1]}")
            elif socket.logged_in:
                socket.topics.add("fills")
        return [{**reply, "result": frame["params"]["channels"]}]

    def mark(self, market: str, price: str) -> tuple[str, Any]:
        data = {"instrument_name": market, "last_price": float(price), "mark_price": float(price), "state": "open"}
        data |= {"timestamp": MILLISECONDS, "stats": {"volume": 1, "high": None, "low": None}}
        return f"marks:{market}", self._push(f"ticker.{market}.100ms", data)

    def fill(self, market: str) -> tuple[str, Any]:
        data = {"trade_id": "1", "trade_seq": 1, "instrument_name": market, "direction": "buy", "amount": 1.0}
        data |= {"price": 3000.0, "fee": 0.1, "fee_currency": "USDC", "order_id": "2", "timestamp": MILLISECONDS}
        return "fills", self._push("user.trades.any.any.raw", [data])

    def _push(self, channel: str, data: Any) -> Any:
        return {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}


class Hyperliquid(Speech):
    def heard(self, socket: Socket, frame: Any) -> list[Any]:
        if frame["method"] == "ping":
            return [{"channel": "pong"}]
        asked = frame["subscription"]
        if asked["type"] == "activeAssetCtx":
            socket.topics.add(f"marks:{asked['coin']}")
        elif asked["user"] == self.hub.keys["walletAddress"]:
            socket.topics.add("fills")
        return [{"channel": "subscriptionResponse", "data": frame}]

    def mark(self, market: str, price: str) -> tuple[str, Any]:
        ctx = {"funding": "0.0000125", "openInterest": "1", "prevDayPx": price, "dayNtlVlm": "1", "premium": "0"}
        ctx |= {"oraclePx": price, "markPx": price, "midPx": price, "impactPxs": [price, price], "dayBaseVlm": "1"}
        return f"marks:{market}", {"channel": "activeAssetCtx", "data": {"coin": market, "ctx": ctx}}

    def fill(self, market: str) -> tuple[str, Any]:
        fill = {"coin": market, "px": "3000", "sz": "1", "side": "B", "time": MILLISECONDS, "startPosition": "0"}
        fill |= {"dir": "Open Long", "closedPnl": "0", "hash": "0x1", "oid": 1, "crossed": True, "fee": "1", "tid": 2}
        return "fills", {"channel": "userFills", "data": {"user": self.hub.keys["walletAddress"], "fills": [fill]}}


class KrakenFutures(Speech):
    CHALLENGE = "123e4567-e89b-12d3-a456-426614174000"

    def heard(self, socket: Socket, frame: Any) -> list[Any]:
        if frame["event"] == "challenge":
            if self.hub.refuse_login or frame["api_key"] != self.hub.keys["apiKey"]:
                return [{"event": "error", "message": f"Invalid API key {frame['api_key']}"}]
            return [{"event": "challenge", "message": self.CHALLENGE}]
        feed = frame["feed"]
        if feed == "ticker":
            socket.topics |= {f"marks:{market}" for market in frame["product_ids"]}
        else:
            told = hashlib.sha256(self.CHALLENGE.encode()).digest()
            signed = hmac.new(base64.b64decode(self.hub.keys["secret"]), told, hashlib.sha512).digest()
            if frame["signed_challenge"] == base64.b64encode(signed).decode():
                socket.topics.add({"open_positions": "positions", "balances": "balances:account"}.get(feed, feed))
        return [{"event": "subscribed", "feed": feed}]

    def mark(self, market: str, price: str) -> tuple[str, Any]:
        told = {"time": MILLISECONDS, "product_id": market, "last": float(price), "markPrice": float(price)}
        told |= {"bid": float(price), "ask": float(price), "bid_size": 1, "ask_size": 1, "index": float(price)}
        return f"marks:{market}", {"feed": "ticker", **told, "volume": 1, "change": 0, "funding_rate": 0}

    def position(self, market: str, contracts: str) -> tuple[str, Any]:
        held = {"instrument": market, "balance": float(contracts), "pnl": 0, "entry_price": 3000, "mark_price": 3000}
        message = {"feed": "open_positions", "account": "a", "positions": [held], "seq": 4, "timestamp": MILLISECONDS}
        return "positions", message

    def fill(self, market: str) -> tuple[str, Any]:
        fill = {"instrument": market, "time": MILLISECONDS, "price": 3000, "seq": 1, "buy": True, "qty": 1}
        fill |= {"order_id": "o", "fill_id": "f", "fill_type": "maker", "fee_paid": 0.1, "fee_currency": "USD"}
        return "fills", {"feed": "fills", "username": "u", "fills": [fill]}

    def balance(self, asset: str, total: str) -> tuple[str, Any]:
        futures = {"currencies": {asset: {"quantity": float(total), "value": 1, "collateral": 1, "available": 1}}}
        message = {"feed": "balances", "account": "a", "timestamp": MILLISECONDS, "seq": 1, "flex_futures": futures}
        return "balances:account", message


class Gate(Speech):
    def heard(self, socket: Socket, frame: Any) -> list[Any]:
        channel, reply = frame["channel"], {"time": frame["time"], "id": frame["id"], "event": frame["event"]}
        if channel == "spot.balances":
            covered = f"channel={channel}&event={frame['event']}&time={frame['time']}"
            signed = hmac.new(self.hub.keys["secret"].encode(), covered.encode(), hashlib.sha512).hexdigest()
            right = frame["auth"]["KEY"] == self.hub.keys["apiKey"] and frame["auth"]["SIGN"] == signed
            if self.hub.refuse_login or not right:
                error = {"code": 4, "message": f"authentication fail {frame['auth']}"}
                return [{**reply, "channel": channel, "error": error, "result": None}]
            socket.topics.add("balances:spot")
        else:
            kind = "spot" if channel.startswith("spot.") else "marks"
            socket.topics |= {f"{kind}:{market}" for market in frame["payload"]}
        return [{**reply, "channel": channel, "error": None, "result": {"status": "success"}}]

    def mark(self, market: str, price: str) -> tuple[str, Any]:
        data = {"contract": market, "last": price, "mark_price": price, "index_price": price, "volume_24h": "1"}
        return f"marks:{market}", self._push("futures.tickers", [data])

    def spot(self, market: str, price: str) -> tuple[str, Any]:
        data = {"currency_pair": market, "last": price, "lowest_ask": price, "highest_bid": price, "base_volume": "1"}
        return f"spot:{market}", self._push("spot.tickers", data)

    def balance(self, asset: str, total: str) -> tuple[str, Any]:
        data = {"timestamp": "1", "timestamp_ms": "1000", "user": "1", "currency": asset, "change": "1"}
        return "balances:spot", self._push(
            "spot.balances", [{**data, "total": total, "available": total, "freeze": "0"}]
        )

    def _push(self, channel: str, data: Any) -> Any:
        return {"time": MILLISECONDS // 1000, "channel": channel, "event": "update", "result": data}


class Kucoin(Speech):
    TOPICS: Mapping[str, str] = {
        "/contractMarket/ticker": "marks",
        "/market/ticker": "spot",
        "/contractMarket/tradeOrders": "fills",
        "/contractAccount/wallet": "balances:swap",
        "/account/balance": "balances:spot",  # and funding
    }

    def listen_key(self, request: web.Request) -> web.Response:
        """Anybody may listen to prices; for the rest the request is signed. The address comes with the token."""
        kind = request.path.rpartition("-")[2]
        sent = request.headers
        if kind == "private":
            signature = self.hub.sign(f"{sent.get('KC-API-TIMESTAMP')}POST{request.raw_path}", "base64")
            right = sent.get("KC-API-KEY") == self.hub.keys["apiKey"] and sent.get("KC-API-SIGN") == signature
            right = right and sent.get("KC-API-PASSPHRASE") == self.hub.sign(self.hub.keys["password"], "base64")
            if self.hub.refuse_login or not right:
                return web.json_response({"code": "400003", "msg": "KC-API-KEY not exists"}, status=401)
        host = "futures" if "futures" in request.host else "spot"
        servers = [
            {
                "endpoint": f"wss://ws-api-{host}.kucoin.com/",
                "encrypt": True,
                "protocol": "websocket",
                "pingInterval": 18000,
                "pingTimeout": 10000,
            }
        ]
        data = {"token": f"listentoken-{kind}", "instanceServers": servers}
        return web.json_response({"code": "200000", "data": data})

    def opened(self, socket: Socket, request: web.Request) -> web.StreamResponse | None:
        token = request.query.get("token")
        socket.logged_in = token == "listentoken-private"
        return None if socket.logged_in or token == "listentoken-public" else web.Response(status=401)

    def heard(self, socket: Socket, frame: Any) -> list[Any]:
        if frame["type"] == "ping":
            return [{"id": frame["id"], "type": "pong", "timestamp": MILLISECONDS}]
        channel, _, markets = frame["topic"].partition(":")
        futures = "futures" in socket.host
        known = channel in self.TOPICS and channel.startswith("/contract") is futures
        if not known or bool(frame.get("privateChannel")) is not (not markets and socket.logged_in):
            told = f"topic {frame['topic']} is not found"
            return [{"id": frame["id"], "type": "error", "code": 404, "data": told}]
        topic = self.TOPICS[channel]
        socket.topics |= {f"{topic}:{market}" for market in markets.split(",")} if markets else {topic}
        return [{"id": frame["id"], "type": "ack"}]

    def mark(self, market: str, price: str) -> tuple[str, Any]:
        data = {"symbol": market, "sequence": 1, "side": "buy", "size": 2, "price": price, "tradeId": "1"}
        data |= {"bestBidSize": 1, "bestBidPrice": price, "bestAskPrice": price, "bestAskSize": 1}
        data |= {"ts": MILLISECONDS * 1_000_000}
        return f"marks:{market}", self._push(f"/contractMarket/ticker:{market}", "ticker", data)

    def spot(self, market: str, price: str) -> tuple[str, Any]:
        data = {"bestAsk": price, "bestAskSize": "1", "bestBid": price, "bestBidSize": "1", "price": price}
        data |= {"sequence": "1", "size": "1", "time": MILLISECONDS}
        return f"spot:{market}", self._push(f"/market/ticker:{market}", "trade.ticker", data)

    def fill(self, market: str) -> tuple[str, Any]:
        data = {"symbol": market, "orderType": "limit", "side": "buy", "orderId": "1", "liquidity": "taker"}
        data |= {"type": "match", "status": "match", "size": "1", "filledSize": "1", "remainSize": "0", "price": "3000"}
        data |= {"matchPrice": "3000", "matchSize": "1", "tradeId": "2", "clientOid": "c", "feeType": "takerFee"}
        data |= {"marginMode": "CROSS", "positionSide": "BOTH", "tradeType": "trade", "canceledSize": "0"}
        data |= {"orderTime": MILLISECONDS * 1_000_000, "ts": MILLISECONDS * 1_000_000}
        return "fills", self._push("/contractMarket/tradeOrders", "symbolOrderChange", data)

    def wallet(self, asset: str, total: str) -> tuple[str, Any]:
        zeros = ("holdBalance", "crossPosMargin", "isolatedOrderMargin", "isolatedPosMargin", "crossUnPnl")
        data = dict.fromkeys(zeros, "0") | {"currency": asset, "equity": total, "walletBalance": total}
        data |= {"availableBalance": total, "version": "1", "timestamp": str(MILLISECONDS)}
        return "balances:swap", self._push("/contractAccount/wallet", "walletBalance.change", data)

    def balance(self, asset: str, total: str) -> tuple[str, Any]:
        data = {"accountId": "a", "currency": asset, "total": total, "available": total, "hold": "0"}
        data |= {"availableChange": "1", "holdChange": "0", "relationEvent": "trade.transfer", "relationEventId": "e"}
        return "balances:spot", self._push("/account/balance", "account.balance", {**data, "time": str(MILLISECONDS)})

    def _push(self, topic: str, subject: str, data: Any) -> Any:
        return {"type": "message", "topic": topic, "subject": subject, "data": data}


SPEECHES = {
    "binance": Binance,
    "bybit": Bybit,
    "okx": Okx,
    "bingx": BingX,
    "mexc": Mexc,
    "weex": Weex,
    "bitget": Bitget,
    "deribit": Deribit,
    "hyperliquid": Hyperliquid,
    "gate": Gate,
    "krakenfutures": KrakenFutures,
    "kucoin": Kucoin,
}
