"""A local server that speaks Coinbase's dialect over real HTTPS and verifies its tokens, of both kinds of keys.

A refused token is answered with 401 and a word of plain text, as the venue does.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.venues.coinbase_venue import CoinbaseVenue
from tests.venues.server import Refusal, VenueServer

API_KEY = "organizations/00000000-0000-0000-0000-000000000000/apiKeys/11111111-2222-3333-4444-HEDGEDTEST00"
EC_KEY = ec.derive_private_key(0x6865646765642074657374206B6579, ec.SECP256R1())
SECRET = EC_KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
).decode()
ED_NAME = "11111111-2222-3333-4444-HEDGEDTEST01"
ED_KEY = ed25519.Ed25519PrivateKey.from_private_bytes(b"hedged test seed of thirty-two b")
_ED_PUBLIC = ED_KEY.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
ED_SECRET = base64.b64encode(b"hedged test seed of thirty-two b" + _ED_PUBLIC).decode()
HOST = "api.coinbase.com"
VALID_FOR = 120  # seconds

_TRANSACTIONS = re.compile(r"/v2/accounts/([^/]+)/transactions")


class CoinbaseServer(VenueServer):
    def __init__(self, venue: CoinbaseVenue, cert: Path | None = None, key: Path | None = None, port: int = 0) -> None:
        super().__init__(venue, cert, key, port)
        self.keys = dict(VERIFIERS)

    async def answer(self, request: web.Request) -> Any:
        path = request.path.removeprefix("/api/v3/brokerage/")
        if request.method == "GET" and path in self.public():
            return self.public()[path](request)
        if request.method != "GET" or (path not in self.signed() and not _TRANSACTIONS.fullmatch(request.path)):
            raise Refusal(404, {"error": "NOT_FOUND", "error_details": "", "message": "no such path"})
        self._check_token(request)
        account = _TRANSACTIONS.fullmatch(request.path)
        if account:
            rows = self.venue.transactions.get(account[1], [])
            return {"pagination": {"next_uri": None}, "data": rows[: int(request.query["limit"])]}
        return self.signed()[path](request)

    def _check_token(self, request: web.Request) -> None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer":
            raise _unauthorized()
        claims = verified(token, self.keys, self.venue.now() / 1000)
        target = f"{request.method} {HOST}{request.path}"
        if claims is None or not (claims.get("uri") == target or claims.get("uris") == [target]):
            raise _unauthorized()

    def public(self) -> dict[str, Callable[[web.Request], Any]]:
        venue = self.venue
        return {
            "time": lambda _: venue.time(),
            "market/products": lambda request: venue.products(
                request.query["product_type"], request.query.getall("product_ids", [])
            ),
            "market/product_book": lambda request: venue.book(request.query["product_id"]),
        }

    def signed(self) -> dict[str, Callable[[web.Request], Any]]:
        venue = self.venue
        return {
            "accounts": lambda request: venue.accounts(request.query.get("cursor", "")),
            "cfm/balance_summary": lambda _: venue.balance_summary(),
            "cfm/positions": lambda _: venue.cfm_positions(),
            "key_permissions": lambda _: venue.key_permissions(),
            "orders/historical/fills": lambda request: {"fills": _since(venue.fills, request), "cursor": ""},
        }


def verified(token: str, keys: Mapping[str, Callable[[bytes, bytes], None]], seconds: float) -> dict[str, Any] | None:
    """What a token claims, if one of these keys has signed it and it is good at this time."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    header, claims = (json.loads(_decoded(part)) for part in parts[:2])
    verify = keys.get(claims["sub"])
    fresh = claims["nbf"] - 1 <= seconds < claims["exp"] and claims["exp"] - claims["nbf"] <= VALID_FOR
    if verify is None or not fresh or header["kid"] != claims["sub"]:
        return None
    try:
        verify(f"{parts[0]}.{parts[1]}".encode(), _decoded(parts[2]))
    except InvalidSignature:
        return None
    return dict(claims)


def _since(fills: list[dict[str, Any]], request: web.Request) -> list[dict[str, Any]]:
    start = datetime.fromisoformat(request.query["start_sequence_timestamp"])
    products = request.query.getall("product_ids")
    mine = [row for row in fills if row["product_id"] in products]
    recent = [row for row in mine if datetime.fromisoformat(row["sequence_timestamp"]) >= start]
    return recent[: int(request.query["limit"])]


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _verify_ec(signed: bytes, signature: bytes) -> None:
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    EC_KEY.public_key().verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))


def _verify_ed(signed: bytes, signature: bytes) -> None:
    ED_KEY.public_key().verify(signature, signed)


VERIFIERS: Mapping[str, Callable[[bytes, bytes], None]] = {API_KEY: _verify_ec, ED_NAME: _verify_ed}


def _unauthorized() -> web.HTTPUnauthorized:
    return web.HTTPUnauthorized(text="Unauthorized\n")
