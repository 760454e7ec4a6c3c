"""What people see of alerts in a browser: all of a message, who may see it, and nothing that runs."""

from __future__ import annotations

import asyncio
import json
import re
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from html.parser import HTMLParser

import aiohttp
import pytest

from hedged.adapters.store.sql import SqlStore
from hedged.app import App, Exchanges
from hedged.app.channels import web_loops
from hedged.model.alert import AlertState, Message, MessageKind, Silence, Told
from hedged.model.finding import Kind, Severity
from hedged.model.policy import World
from hedged.settings import load
from hedged.tell.listing import Listing
from hedged.web.alerts import AlertPages
from hedged.web.figures import Figures
from hedged.web.server import WebOptions, WebServer
from tests.broker import free_port
from tests.build import dec, hedge, policy
from tests.fakes import BrokenStore, FakeVenue, wire
from tests.store_samples import alert, record
from tests.support import T0, HandClock, ManualClock

TOKEN = "CANARY-0123456789abcdef"
EVIL = '<script>alert(1)</script><img src=x onerror="x">&\u202eEVIL'
DAY = timedelta(days=1)


class Site:
    """A server over a store with one alert of each sort."""

    def __init__(self, app: App, clock: ManualClock, venue: FakeVenue) -> None:
        self.app, self.clock, self.venue = app, clock, venue
        self.url = ""

    async def get(self, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
        async with aiohttp.ClientSession() as session, session.get(self.url + path, headers=headers) as response:
            return response.status, await response.text(), dict(response.headers)


async def filled(store: SqlStore) -> None:
    margin = replace(
        alert("x", "m1", at=T0), key=f"margin/{EVIL}", kind=Kind.MARGIN, subject=EVIL, severity=Severity.CRITICAL,
        told_at=T0, told_in="m1", risen_at=T0, text=f"{EVIL}: 12 % of equity left. " + "More is said. " * 100 + "The end.",
        values={"margin_ratio": dec("0.88"), "top_up": dec(2300), "estimated": True, "currency": EVIL, "basis": None},
    )  # fmt: skip
    drifts = [replace(alert(name, f"d-{name}", at=T0), told_at=T0, told_in="g1") for name in ("alts", "main")]
    waits = alert("slow", "p1", AlertState.PENDING, at=T0)
    over = replace(alert("old", "o1", AlertState.RESOLVED, at=T0), told_at=T0, closed_as="resolved")
    gone = replace(alert("gone", "o2", AlertState.RESOLVED, at=T0 - 9 * DAY), told_at=T0 - 9 * DAY, closed_as="removed")
    messages = [
        Message("m1", MessageKind.FIRING, margin.key, Severity.CRITICAL, f"Critical {EVIL}", f"First {EVIL}.", T0),
        Message("g1", MessageKind.FIRING, "drift/*", Severity.WARNING, "Two drift", "- alts\n- main", T0,
                alerts=tuple(Told(each.event_id, each.key, MessageKind.FIRING, each.severity) for each in drifts)),
    ]  # fmt: skip
    await store.record_cycle(record(0, at=T0 - 8 * DAY, alerts=[gone]), [])
    alerts = [margin, *drifts, waits, over]
    await store.record_cycle(record(1, at=T0, alerts=alerts, messages=messages), ["log", "phone"])
    for row in await store.due("log", T0, 10):
        await store.delivered(row.id, T0)
    (first, *_) = await store.due("phone", T0, 10)
    await store.failed(first.id, T0 + timedelta(minutes=1), f"535 {EVIL}")
    await store.acknowledge("drift/alts", f"ann{EVIL}", T0)
    await store.silence(Silence("s1", "drift/main", T0, T0 + DAY, "bob", f"because {EVIL}"))


@pytest.fixture
async def site(tmp_path, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    store = SqlStore(tmp_path / "hedged.sqlite")
    async with serving(store, getattr(request, "param", None)) as made:
        await filled(store)
        yield made


@asynccontextmanager
async def serving(store: SqlStore | BrokenStore, token: str | None = None) -> AsyncIterator[Site]:
    clock = ManualClock()
    venue = FakeVenue(clock)
    portfolio = await wire(policy(hedge("ETH")), clock, venue, store=store)
    app = App(portfolio, [], [], [], None, Exchanges())
    made = Site(app, clock, venue)
    pages = AlertPages(Listing(store, "test", World.PAPER), app.portfolio, app.vitals, clock, token)
    figures = Figures(app, lambda: None)
    server = WebServer(WebOptions("127.0.0.1", 0, token=token), figures, pages, app.vitals, HandClock())
    task = asyncio.create_task(server.run())
    async with asyncio.timeout(10):
        while server.port is None:
            await asyncio.sleep(0.001)
    made.url = f"http://127.0.0.1:{server.port}"
    yield made
    task.cancel()
    await asyncio.wait({task}, timeout=10)
    await store.close()


class Seen(HTMLParser):
    """Elements and attributes of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.style = ""
        self._in_style = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs) -> None:
        self.tags.add(tag)
        self._in_style = tag == "style"
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.style += data
        else:
            self.text += data


PLAIN = {
    *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "a", "article", "span", "ul"),
    *("li", "table", "tr", "th", "td", "time", "br"),
}


@pytest.mark.parametrize("path", ["/alerts", "/alerts/m1", "/alerts/g1", "/alerts/o2", "/alerts/nothing"])
async def test_no_page_has_anything_that_runs(site: Site, path: str) -> None:
    """Names from venues, from people and from services open no tag; the browser is told to run and to load nothing."""
    _, page, headers = await site.get(path)
    seen = Seen(page)
    assert seen.tags <= PLAIN
    assert not [name for name, _ in seen.attributes if name.startswith("on")]
    assert not [value for name, value in seen.attributes if name in {"href", "src"} and ":" in value]
    assert "\u202e" not in page
    rules = dict(rule.strip().split(" ", 1) for rule in headers["Content-Security-Policy"].split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == rules["frame-ancestors"] == "'none'"
    hashed = re.fullmatch(r"'sha256-(.+)'", rules["style-src"])
    assert hashed is not None
    assert b64decode(hashed[1]) == sha256(seen.style.encode()).digest(), "else the browser would not take the style"
    assert set(rules) == {"default-src", "base-uri", "form-action", "frame-ancestors", "style-src"}
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


async def test_what_fires_who_was_told_and_what_failed(site: Site) -> None:
    """All in one page: severity, since when, by whom it is kept quiet, each channel, and what is over."""
    status, page, _ = await site.get("/alerts")
    text = Seen(page).text
    assert status == 200
    assert "3 alerts firing" in text
    assert "critical since 2026-11-02 12:00 UTC" in text
    assert "log: firing of 2026-11-02 12:00 UTC, delivered 2026-11-02 12:00 UTC" in text
    assert "1 attempt in vain: 535 <script>" in text
    assert "Not confirmed" in text
    assert "Acknowledged by ann" in text
    assert "Silenced by bob" in text
    assert "pending since" in text
    assert "over since" in text
    assert "2 messages for phone wait." in text
    assert text.index("critical since") < text.index("warning since") < text.index("pending since")
    assert ("href", "alerts/m1") in Seen(page).attributes, "relative, so that a proxy may put it below a path"


async def test_the_whole_of_a_message(site: Site) -> None:
    """Every sentence of it, the numbers, what was said and what became of that; a channel's limit is none here."""
    status, page, _ = await site.get("/alerts/m1")
    text = Seen(page).text
    assert status == 200
    assert text.count("More is said.") == 100
    assert "The end." in text
    assert "margin ratio0.88" in text
    assert "top up2,300" in text
    assert "estimatedyes" in text
    assert "basisunknown" in text
    assert "First <script>" in text, "the message itself, as it was sent"


async def test_a_group_leads_to_its_alerts(site: Site) -> None:
    """The link in a message about several shows each of them."""
    _, page, _ = await site.get("/alerts/g1")
    text = Seen(page).text
    assert "Two drift" in text
    assert "drift/alts" in text
    assert "drift/main" in text


async def test_what_is_long_over_is_shown_as_long_as_it_is_kept(site: Site) -> None:
    """Out of the list after a day, and still at its own address."""
    _, listed, _ = await site.get("/alerts")
    assert "drift/gone" not in listed
    status, page, _ = await site.get("/alerts/o2")
    assert status == 200
    assert "no longer in the configuration" in page
    status, page, _ = await site.get("/alerts/ffff")
    assert status == 404
    assert "Nothing is kept of this event" in page


async def test_the_same_as_json(site: Site) -> None:
    """For whoever accepts JSON: the objects of `hedged alerts --json`, with their schema."""
    listing = Listing(site.app.portfolio.store, "test", World.PAPER)
    async with aiohttp.ClientSession(headers={"Accept": "application/json"}) as session:
        async with session.get(f"{site.url}/alerts") as response:
            found = await response.json()
        assert found["schema"] == "hedged.alerts/1"
        assert found == await listing.all(site.clock.now())
        async with session.get(f"{site.url}/alerts?over") as response:
            assert await response.json() == await listing.all(site.clock.now(), over=True)
        async with session.get(f"{site.url}/alerts/m1") as response:
            found = await response.json()
        assert found["schema"] == "hedged.event/1"
        assert found["alerts"][0]["values"]["top_up"] == "2,300"
        assert found == await listing.one("m1", site.clock.now())
        async with session.get(f"{site.url}/alerts/ffff") as response:
            assert (response.status, set(await response.json())) == (404, {"error"})


NEEDED = "A token is needed"


def basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.mark.parametrize("site", [TOKEN], indirect=True)
@pytest.mark.parametrize("path", ["/alerts", "/alerts/m1", "/alerts/ffff"])
@pytest.mark.parametrize(
    ("given", "status"),
    [
        (None, 401),
        (f"Bearer {TOKEN}", 200),
        (basic("", TOKEN), 200),
        (basic("whoever", TOKEN), 200),
        (basic(TOKEN, ""), 401),
        (basic("me", TOKEN + "x"), 401),
        (basic("me", TOKEN[:-1]), 401),
        (f"Basic {TOKEN}", 401),
        ("Basic ÿÿ", 401),
        (f"Digest {TOKEN}", 401),
        ("Bearer ", 401),
        ("", 401),
    ],
)
async def test_the_token_is_asked_for(site: Site, path: str, given: str | None, status: int) -> None:
    """As a bearer, or as a password, which is how a browser asks; without it nothing of the portfolio is told."""
    headers = {} if given is None else {"Authorization": given}
    got, page, answered = await site.get(path, **headers)
    assert got == (404 if status == 200 and path.endswith("ffff") else status)
    assert TOKEN not in page
    if status == 401:
        assert answered["WWW-Authenticate"].startswith("Basic ")
        assert " ".join(Seen(page).text.split()) == f"{NEEDED} {NEEDED} It is the password; the user may be anything."


@pytest.mark.parametrize("site", [TOKEN], indirect=True)
@pytest.mark.parametrize("path", ["/alerts", "/metrics"])
async def test_a_token_of_any_bytes_is_only_wrong(site: Site, path: str) -> None:
    """A header need not be text."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(site.url.rpartition(":")[2]))
    asked = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer "
    writer.write(asked.encode() + b"\xff\xfe\r\n\r\n")
    assert (await reader.readline()).split()[1] == b"401"
    writer.close()


@pytest.mark.parametrize(
    ("host", "status"), [("hedged.example.org", 401), ("hedged.lan", 401), ("127.0.0.1", 401), ("evil.example", 421)]
)
async def test_the_address_that_people_use_is_known(site: Site, tmp_path, host: str, status: int) -> None:
    """Asked for by the host of `url` or one of `names`, as behind a proxy, it answers; by any other it does not."""
    (tmp_path / "credentials").mkdir(mode=0o700)
    (tmp_path / "credentials" / "web-token").write_text(TOKEN)
    (tmp_path / "credentials" / "web-token").chmod(0o600)
    port = free_port()
    file = tmp_path / "mine.toml"
    file.write_text(
        '[[accounts]]\nname = "sim"\nexchange = "simulated"\n'
        f'[web]\nlisten = "127.0.0.1:{port}"\nurl = "https://Hedged.example.org/alarms/"\nnames = ["hedged.lan"]\n'
    )
    settings = load(file, {"HOME": str(tmp_path)})
    assert settings.web.url == "https://Hedged.example.org/alarms"
    (serve,) = web_loops(settings, site.app, settings.web_token(), HandClock())
    task = asyncio.create_task(serve())
    site.url = f"http://127.0.0.1:{port}"
    async with asyncio.timeout(10):
        while True:
            try:
                got, page, _ = await site.get("/alerts", Host=host)
                break
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.001)
    assert got == status
    assert "drift" not in page
    task.cancel()
    await asyncio.wait({task}, timeout=10)


async def test_pages_are_read_only(site: Site) -> None:
    """Nothing can be asked for but to be shown."""
    async with aiohttp.ClientSession() as session:
        for path in ("/alerts", "/alerts/m1"):
            for method in ("post", "put", "delete", "patch", "options"):
                async with getattr(session, method)(site.url + path) as response:
                    assert response.status == 405
            async with session.get(site.url + path, headers={"Host": "evil.example"}) as response:
                assert response.status == 421


async def test_a_page_says_when_it_may_be_old(site: Site) -> None:
    """Alerts of a daemon whose cycles fail are those of the last good one, and look like it."""
    _, page, _ = await site.get("/alerts")
    assert "hedged has not completed a cycle since it was started." in page
    await site.app.cycle(site.clock.now(), ())
    _, page, _ = await site.get("/alerts")
    assert "Not up to date" not in page
    site.clock.advance(181)
    _, page, _ = await site.get("/alerts")
    assert "hedged has completed no cycle for 181 s." in page


async def test_a_store_that_cannot_be_read_is_said(site: Site) -> None:
    """No empty page: nothing fires and nothing is known are not the same."""
    await site.app.portfolio.store.close()
    for path in ("/alerts", "/alerts/m1"):
        status, page, _ = await site.get(path)
        assert status == 503
        assert "cannot be read" in page


async def test_while_cycles_cannot_be_recorded_the_page_shows_what_the_process_knows() -> None:
    """What the store has is long over by then, and what fires is in no store: the page says so, and leads to it."""
    store = BrokenStore()
    async with serving(store) as site:
        site.venue.hold(ETH=0)
        await site.app.cycle(site.clock.now(), ())
        store.broken.add("record_cycle")
        site.venue.hold(ETH=100)
        told = []
        for _ in range(3):
            site.clock.advance(60)
            told += (await site.app.cycle(site.clock.now(), ())).messages
        degraded = next(each.event_id for each in told if each.key == "store_degraded/store")
        over = next(each.event_id for each in told if each.key == "no_exposure/alts")
        assert [each.key for each in await store.alerts() if each.state is AlertState.FIRING] == ["no_exposure/alts"]

        _, page, _ = await site.get("/alerts")
        text = Seen(page).text
        assert "1 alert firing" in text
        assert "hedged could not record its last cycle: disk full." in text
        assert "critical since" in text
        assert text.index("Not recorded") < text.index("store_degraded/store") < text.index("Over within the last day")
        assert text.index("Over within the last day") < text.index("no_exposure/alts")
        assert "Not confirmed" not in text, "what is told now is kept nowhere, so nobody knows whom it reached"

        status, page, _ = await site.get(f"/alerts/{degraded}")
        assert status == 200
        assert "Not recorded" in page
        assert "store_degraded/store" in page
        _, page, _ = await site.get(f"/alerts/{over}")
        assert "over since" in page, "stored as firing, and over as the process knows"
        status, page, _ = await site.get("/alerts/ffff")
        assert status == 404
        assert "It is over" not in page
        assert "disk full" in page
        assert "may not have been kept" in page

        _, body, _ = await site.get("/alerts", Accept="application/json")
        found = json.loads(body)
        assert found["not_recorded"] == "disk full"
        assert [(each["key"], each["confirmed"]) for each in found["alerts"]] == [("store_degraded/store", None)]

        store.broken.clear()
        site.clock.advance(60)
        await site.app.cycle(site.clock.now(), ())
        _, page, _ = await site.get("/alerts")
        assert "Not recorded" not in page
        _, body, _ = await site.get("/alerts", Accept="application/json")
        assert "not_recorded" not in json.loads(body)


async def test_a_message_about_several_that_is_not_stored_shows_each_of_them() -> None:
    """Its link leads to its alerts as they are now, although no word of it could be kept."""
    store = BrokenStore()
    async with serving(store) as site:
        portfolio = site.app.portfolio
        await site.app.cycle(site.clock.now(), ())
        portfolio.unkept = "disk full"
        portfolio.alerts = [replace(alert(name, f"d-{name}", at=T0), told_at=T0, told_in="g1") for name in ("a", "b")]
        status, page, _ = await site.get("/alerts/g1")
        assert status == 200
        assert "drift/a" in page
        assert "drift/b" in page
        assert "Not recorded" in page


async def test_a_link_to_what_is_not_stored_does_not_say_that_it_is_over(site: Site) -> None:
    """It may never have been kept: after a restart nobody can tell any more."""
    _, page, _ = await site.get("/alerts/ffff")
    assert "It is over and forgotten, could not be kept when it was told, or never was." in page


async def test_an_event_of_many_messages_is_a_page_of_bounded_size(site: Site) -> None:
    """Hundreds of repeats: the newest are shown, and how many more there are; JSON has all of them."""
    store = site.app.portfolio.store
    first = alert("busy", "b1", at=T0)
    for number in range(310):
        at = T0 + timedelta(hours=number)
        told = replace(first, severity=Severity.CRITICAL, told_at=at, told_in="b1")
        message = Message("b1", MessageKind.REPEAT, first.key, Severity.CRITICAL, "t", f"Number {number}.", at)
        await store.record_cycle(record(100 + number, at=at, alerts=[told], messages=[message]), ["log"])
    _, page, _ = await site.get("/alerts/b1")
    text = Seen(page).text
    assert "… and 10 more, which are in the JSON." in text
    assert "Number 309." in text
    assert "Number 10." in text
    assert "Number 9." not in text
    assert text.index("Number 309.") < text.index("Number 308.")
    assert page.count("log: repeat of") == 300
    _, body, _ = await site.get("/alerts/b1", Accept="application/json")
    said = json.loads(body)["messages"]
    assert len(said) == 310
    assert all(len(each["deliveries"]) == 1 for each in said)
    assert all(each["deliveries"][0]["at"] == each["at"] for each in said)


async def test_a_message_about_many_is_a_page_of_bounded_size(site: Site) -> None:
    """So many alerts as fit are shown, and how many more there are."""
    many = [replace(alert(f"h{number}", f"e{number}", at=T0), told_at=T0, told_in="g2") for number in range(302)]
    told = tuple(Told(each.event_id, each.key, MessageKind.FIRING, each.severity) for each in many)
    message = Message("g2", MessageKind.FIRING, "drift/*", Severity.WARNING, "Many drift", "x", T0, alerts=told)
    await site.app.portfolio.store.record_cycle(record(9, at=T0, alerts=many, messages=[message]), ["log"])
    _, page, _ = await site.get("/alerts/g2")
    assert page.count("<h3>drift/h") == 300
    assert "… and 2 more, which are in the JSON." in page


async def test_what_fires_before_the_store_could_be_read_is_shown() -> None:
    """A daemon that could not read what its last process left records nothing, and knows its own alerts all the same."""
    store = BrokenStore()
    async with serving(store) as site:
        store.broken.add("memory")
        for _ in range(2):
            site.clock.advance(60)
            await site.app.cycle(site.clock.now(), ())
        _, page, _ = await site.get("/alerts")
        assert "Not recorded" in page
        assert "store_degraded/store" in page
