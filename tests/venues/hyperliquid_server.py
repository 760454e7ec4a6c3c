"""A local server that speaks Hyperliquid's dialect over real HTTPS.

Every question is a POST to `/info`; in what it keeps (requests, faults, replies) a question goes by the name
`/info/<type>`, with `?dex=<name>` for one of a builder's dex, and an action that is signed by `/exchange/<type>`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yarl
from aiohttp import web

from tests.venues.hyperliquid_orders import HyperliquidOrders
from tests.venues.hyperliquid_signature import address, signer
from tests.venues.hyperliquid_venue import DEXES, HyperliquidVenue
from tests.venues.server import Refusal, VenueServer

ADDRESS = "0x" + "4f" * 20
AGENT_KEY = "0x" + "ab" * 32
AGENT = address(AGENT_KEY)


class _Question:
    """A request under the name of what it asks."""

    def __init__(self, request: web.Request, asked: dict[str, Any]) -> None:
        query = {"dex": asked["dex"]} if "dex" in asked else {}
        self.asked = asked
        kind = asked.get("action", asked).get("type")
        self.url = yarl.URL.build(path=f"{request.path}/{kind}", query=query)
        self.path = self.url.path
        self._request = request

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)


class HyperliquidServer(VenueServer):
    def __init__(
        self, venue: HyperliquidVenue, cert: Path | None = None, key: Path | None = None, port: int = 0
    ) -> None:
        super().__init__(venue, cert, key, port)
        self.address = ADDRESS
        self.desk = HyperliquidOrders(venue)
        self.agents = {AGENT: ADDRESS}  # API wallets, and who has approved them
        self.master = ADDRESS  # of the account, if it is a sub-account
        self.nonces: set[int] = set()
        self.acts: list[dict[str, Any]] = []  # the requests that were signed
        self.hosts: set[str] = set()

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [request for request in self.requests if not request[1].startswith("/info/") and request[0] != "GET"]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.hosts.add(request.host.partition(":")[0])
        if request.path not in {"/info", "/exchange"}:
            return await super()._handle(request)
        asked = json.loads(await request.read())
        return await super()._handle(_Question(request, asked))  # type: ignore[arg-type]

    async def answer(self, request: web.Request) -> Any:
        if not isinstance(request, _Question):
            raise Refusal(422, "Failed to deserialize the JSON body into the target type")
        asked = request.asked
        if request.path.startswith("/exchange/"):
            return self._act(request.path, asked, test="testnet" in request.host)
        order = self.desk.routes().get(("POST", request.path))
        if order is not None:
            return order(asked) if asked["user"] == self.address else []
        if asked["type"] in self._public():
            return self._public()[asked["type"]](asked)
        if asked["type"] not in self._of_an_account() or not str(asked.get("user", "")).startswith("0x"):
            raise Refusal(422, "Failed to deserialize the JSON body into the target type")
        return self._of_an_account()[asked["type"]](asked)

    def _act(self, path: str, request: dict[str, Any], *, test: bool) -> Any:
        """Done for the account whose agent has signed it, once, and not after its time."""
        self.acts.append(request)
        by, now = signer(request, test=test), self.venue.now()
        act = self.desk.routes().get(("POST", path))
        named = request.get("vaultAddress", self.agents.get(by))
        if self.agents.get(by) != self.master or named != self.address or act is None:
            return _err(f"User or API Wallet {by} does not exist.")
        if not now - 172_800_000 < request["nonce"] < now + 86_400_000:
            return _err(f"Invalid nonce: nonce too low {request['nonce']} < {now - 172_800_000}")
        if request["nonce"] in self.nonces:
            return _err(f"Invalid nonce: duplicate nonce {request['nonce']}")
        self.nonces.add(request["nonce"])
        if request.get("expiresAfter", now) < now:
            return _err("Action already expired")
        return act(request["action"])

    def _role(self, who: str) -> dict[str, Any]:
        if who in self.agents:
            return {"role": "agent", "data": {"user": self.agents[who]}}
        if who != self.address:
            return {"role": "user" if who == self.master else "missing"}
        more = {"data": {"master": self.master}} if self.venue.role == "subAccount" else {}
        return {"role": self.venue.role, **more}

    def _public(self) -> dict[str, Callable[[dict[str, Any]], Any]]:
        venue = self.venue
        return {
            "exchangeStatus": lambda _: {"specialStatuses": None, "time": venue.now()},
            "perpDexs": lambda _: venue.dexes(),
            "metaAndAssetCtxs": lambda asked: venue.listing(_dex(asked)),
            "meta": lambda asked: venue.listing(_dex(asked))[0],
            "spotMetaAndAssetCtxs": lambda _: venue.spot_listing(),
        }

    def _of_an_account(self) -> dict[str, Callable[[dict[str, Any]], Any]]:
        """An address without an account gets empty answers, as the venue gives them."""
        venue, nobody = self.venue, HyperliquidVenue(now=self.venue.now)

        def whose(asked: dict[str, Any]) -> HyperliquidVenue:
            return venue if asked["user"] == self.address and venue.role in {"user", "subAccount", "vault"} else nobody

        return {
            "userRole": lambda asked: self._role(asked["user"]),
            "userAbstraction": lambda asked: whose(asked).mode,
            "clearinghouseState": lambda asked: whose(asked).state(_dex(asked)),
            "spotClearinghouseState": lambda asked: whose(asked).spot_state(),
            "delegatorSummary": lambda asked: whose(asked).staking(),
            "userFillsByTime": lambda asked: _since([*whose(asked).fills, *self.desk.fills()], asked),
            "userFunding": lambda asked: _since(whose(asked).fundings, asked),
            "userNonFundingLedgerUpdates": lambda asked: _since(whose(asked).ledger, asked),
        }


def _dex(asked: dict[str, Any]) -> str:
    dex = str(asked.get("dex", ""))
    if dex not in DEXES:
        raise Refusal(500, "null")
    return dex


def _err(said: str) -> dict[str, Any]:
    return {"status": "err", "response": said}


def _since(rows: list[dict[str, Any]], asked: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in rows if row["time"] >= asked["startTime"]]
