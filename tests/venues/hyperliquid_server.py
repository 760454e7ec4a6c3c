"""A local server that speaks Hyperliquid's dialect over real HTTPS.

Every question is a POST to `/info`; in what it keeps (requests, faults, replies) a question goes by the name
`/info/<type>`, with `?dex=<name>` for one of a builder's dex.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yarl
from aiohttp import web

from tests.venues.hyperliquid_venue import DEXES, HyperliquidVenue
from tests.venues.server import Refusal, VenueServer

ADDRESS = "0x" + "4f" * 20


class _Question:
    """A request under the name of what it asks."""

    def __init__(self, request: web.Request, asked: dict[str, Any]) -> None:
        query = {"dex": asked["dex"]} if "dex" in asked else {}
        self.asked = asked
        self.url = yarl.URL.build(path=f"{request.path}/{asked.get('type')}", query=query)
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
        self.hosts: set[str] = set()

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [request for request in self.requests if not request[1].startswith("/info/") and request[0] != "GET"]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.hosts.add(request.host.partition(":")[0])
        if request.path != "/info":
            return await super()._handle(request)
        asked = json.loads(await request.read())
        return await super()._handle(_Question(request, asked))  # type: ignore[arg-type]

    async def answer(self, request: web.Request) -> Any:
        if not isinstance(request, _Question):
            raise Refusal(422, "Failed to deserialize the JSON body into the target type")
        asked = request.asked
        if asked["type"] in self._public():
            return self._public()[asked["type"]](asked)
        if asked["type"] not in self._of_an_account() or not str(asked.get("user", "")).startswith("0x"):
            raise Refusal(422, "Failed to deserialize the JSON body into the target type")
        return self._of_an_account()[asked["type"]](asked)

    def _public(self) -> dict[str, Callable[[dict[str, Any]], Any]]:
        venue = self.venue
        return {
            "exchangeStatus": lambda _: {"specialStatuses": None, "time": venue.now()},
            "perpDexs": lambda _: venue.dexes(),
            "metaAndAssetCtxs": lambda asked: venue.listing(_dex(asked)),
            "spotMetaAndAssetCtxs": lambda _: venue.spot_listing(),
        }

    def _of_an_account(self) -> dict[str, Callable[[dict[str, Any]], Any]]:
        """An address without an account gets empty answers, as the venue gives them."""
        venue, nobody = self.venue, HyperliquidVenue(now=self.venue.now)

        def whose(asked: dict[str, Any]) -> HyperliquidVenue:
            return venue if asked["user"] == self.address and venue.role in {"user", "subAccount", "vault"} else nobody

        return {
            "userRole": lambda asked: {"role": venue.role if asked["user"] == self.address else "missing"},
            "userAbstraction": lambda asked: whose(asked).mode,
            "clearinghouseState": lambda asked: whose(asked).state(_dex(asked)),
            "spotClearinghouseState": lambda asked: whose(asked).spot_state(),
            "delegatorSummary": lambda asked: whose(asked).staking(),
            "userFillsByTime": lambda asked: _since(whose(asked).fills, asked),
            "userFunding": lambda asked: _since(whose(asked).fundings, asked),
            "userNonFundingLedgerUpdates": lambda asked: _since(whose(asked).ledger, asked),
        }


def _dex(asked: dict[str, Any]) -> str:
    dex = str(asked.get("dex", ""))
    if dex not in DEXES:
        raise Refusal(500, "null")
    return dex


def _since(rows: list[dict[str, Any]], asked: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in rows if row["time"] >= asked["startTime"]]
