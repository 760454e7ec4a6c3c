"""`/alerts` and `/alerts/<event id>`: what fires, and the whole of a message. Read-only.

HTML for people, JSON for whoever accepts that and no HTML. However often it is asked for, the store that the daemon
works with is asked by one request at a time.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import Mapping
from hmac import compare_digest

from aiohttp import web

from hedged.daemon.vitals import Vitals
from hedged.errors import StoreError
from hedged.portfolio import Portfolio
from hedged.ports import Clock
from hedged.tell.listing import Listing, Unkept
from hedged.web.html import POLICY, event_page, overview_page, word_page

_HEADERS = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer", "Vary": "Accept, Authorization"}


class AlertPages:
    """`token`: what is asked for; None: nothing, since only this machine can reach the server."""

    def __init__(self, listing: Listing, portfolio: Portfolio, vitals: Vitals, clock: Clock, token: str | None) -> None:
        self._listing = listing
        self._portfolio = portfolio
        self._vitals = vitals
        self._clock = clock
        self._token = token
        self._one_at_a_time = asyncio.Lock()

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/alerts", self._all, allow_head=False)
        app.router.add_get("/alerts/{event_id:[0-9A-Za-z_-]{1,64}}", self._one, allow_head=False)

    async def _all(self, request: web.Request) -> web.Response:
        if not self._is_allowed(request):
            return _refused(request)
        try:
            async with self._one_at_a_time:
                over = _is_page(request) or "over" in request.query
                found = await self._listing.all(self._clock.now(), over=over, unkept=self._unkept())
        except StoreError as error:
            return _unreadable(request, error)
        return _answer(request, found, overview_page(found, silence=self._silence()) if _is_page(request) else "")

    async def _one(self, request: web.Request) -> web.Response:
        if not self._is_allowed(request):
            return _refused(request)
        try:
            async with self._one_at_a_time:
                unkept = self._unkept()
                found = await self._listing.one(request.match_info["event_id"], self._clock.now(), unkept=unkept)
        except StoreError as error:
            return _unreadable(request, error)
        if found is None:
            return _word(request, 404, "Nothing is kept of this event", _unfound(unkept))
        return _answer(request, found, event_page(found) if _is_page(request) else "")

    def _unkept(self) -> Unkept | None:
        """What this process knows better than the store, while it cannot write there."""
        why, report = self._portfolio.unkept, self._vitals.report
        if why is None:
            return None
        known = {each.event_id: each for each in (*(() if report is None else report.alerts), *self._portfolio.alerts)}
        return Unkept(why, list(known.values()))

    def _silence(self) -> str | None:
        """Why what is shown may not be how things are."""
        if self._vitals.fresh() is not None:
            return None
        silent = self._vitals.silent_for()
        if silent is None:
            return "hedged has not completed a cycle since it was started."
        return f"hedged has completed no cycle for {silent:.0f} s."

    def _is_allowed(self, request: web.Request) -> bool:
        """With the token as a bearer, or as the password of whatever user, which is how browsers ask for one."""
        if self._token is None:
            return True
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            given = _password(given.strip())
        elif scheme.lower() != "bearer":
            return False
        return compare_digest(given.encode(errors="replace"), self._token.encode())


def _password(encoded: str) -> str:
    """Of `user:password` in Base64; nothing where it is none."""
    try:
        return b64decode(encoded, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _is_page(request: web.Request) -> bool:
    accepted = request.headers.get("Accept", "")
    return "application/json" not in accepted or "text/html" in accepted


def _answer(request: web.Request, found: Mapping[str, object], page: str) -> web.Response:
    if _is_page(request):
        return _html(page, 200)
    text = json.dumps(found, ensure_ascii=False)
    return web.Response(text=text, content_type="application/json", headers=_HEADERS)


def _refused(request: web.Request) -> web.Response:
    response = _word(request, 401, "A token is needed", "It is the password; the user may be anything.")
    response.headers["WWW-Authenticate"] = 'Basic realm="hedged", charset="UTF-8"'
    return response


def _unreadable(request: web.Request, error: StoreError) -> web.Response:
    return _word(request, 503, "The alerts cannot be read", f"{error}.")


def _unfound(unkept: Unkept | None) -> str:
    if unkept is None:
        return "It is over and forgotten, could not be kept when it was told, or never was."
    return (
        f"hedged could not record its last cycle ({unkept.why}), so the event may not have been kept, and may not be "
        "over: look at all alerts, which are shown as the running process knows them."
    )


def _word(request: web.Request, status: int, title: str, text: str) -> web.Response:
    if _is_page(request):
        return _html(word_page(title, text), status)
    said = json.dumps({"error": f"{title}: {text}"}, ensure_ascii=False)
    return web.Response(text=said, status=status, content_type="application/json", headers=_HEADERS)


def _html(page: str, status: int) -> web.Response:
    return web.Response(text=page, status=status, content_type="text/html", charset="utf-8", headers=_HEADERS)
