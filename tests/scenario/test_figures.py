"""What Prometheus reads of a daemon: the figures, what is absent of them, and who may ask."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import subprocess
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from hedged.app import App, Exchanges
from hedged.daemon.vitals import Vitals
from hedged.model.policy import World
from hedged.model.snapshot import Margin
from hedged.tell.listing import Listing
from hedged.web.alerts import AlertPages
from hedged.web.figures import Figures
from hedged.web.server import CONNECTIONS_MAX, WebOptions, WebServer
from tests.build import hedge, policy
from tests.fakes import BrokenStore, FakeVenue, wire
from tests.scenario.test_app import Ear, FakeClockOf, FakeHeartbeat
from tests.support import T0, HandClock, ManualClock, need

TOKEN = "CANARY-0123456789abcdef"


class Stage:
    """A daemon's portfolio over a venue that answers by hand."""

    def __init__(self, app: App, venue: FakeVenue, clock: ManualClock) -> None:
        self.app, self.venue, self.clock = app, venue, clock
        self.bytes: int | None = 4096
        self.figures = Figures(app, lambda: self.bytes)

    async def cycle(self) -> None:
        await self.app.after_cycle(await self.app.cycle(self.clock.now(), ()))

    def text(self, accept: str = "") -> str:
        return self.figures.exposition(accept)[0].decode()

    def read(self) -> dict[tuple[str, ...], float]:
        """Name and label values, in the order of the labels' names → value."""
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(self.text())
            for sample in family.samples
            if sample.name.startswith("hedged_")
        }


@pytest.fixture
async def stage() -> Stage:
    clock = ManualClock()
    venue = FakeVenue(clock)
    portfolio = await wire(policy(hedge("ETH")), clock, venue, store=BrokenStore())
    return Stage(App(portfolio, [Ear()], [], [], None, Exchanges()), venue, clock)


def promtool(*arguments: str, given: str | None = None) -> str:
    """What promtool has to say; "" where all is well."""
    done = subprocess.run(
        [need("promtool"), *arguments], input=given, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr if done.returncode or given is not None else ""


async def test_a_cycle_in_figures(stage: Stage) -> None:
    """Ratios, margin, alerts, orders and times of a cycle that found drift and traded it."""
    stage.venue.hold(ETH=12)
    stage.venue.margin = Margin(equity=Decimal(1000), maintenance=Decimal(600))
    stage.clock.advance(60)
    await stage.cycle()
    read = stage.read()
    drift = 10 / 12 - 1
    assert read["hedged_hedge_ratio", "alts"] == pytest.approx(10 / 12)
    assert read["hedged_drift_ratio", "alts"] == pytest.approx(drift)
    assert read["hedged_target_ratio", "alts"] == 1
    assert read["hedged_band_ratio", "alts"] == 0.05
    assert read["hedged_exposure_value", "alts"] == 36_000
    assert read["hedged_hedge_value", "alts"] == 30_000
    assert read["hedged_hedge_state", "alts", "under"] == 1
    assert read["hedged_hedge_state", "alts", "ok"] == 0
    assert read["hedged_margin_ratio", "main"] == 0.6
    assert read["hedged_last_success_timestamp_seconds",] == T0.timestamp() + 60
    assert read["hedged_interval_seconds",] == 60
    assert read["hedged_cycle_duration_seconds_count",] == read["hedged_cycles_total", "completed"] == 1
    assert read["hedged_cycle_duration_seconds_bucket", "+Inf"] == 1
    assert read["hedged_orders_total", "filled"] == 1
    assert read["hedged_orders_total", "rejected"] == 0
    assert read["hedged_alerts_total", "drift", "warning"] == 1
    assert read["hedged_alerts_total", "margin", "warning"] == 1
    assert read["hedged_alerts_firing", "warning"] == 2
    assert read["hedged_alerts_firing", "critical"] == 0
    assert read["hedged_alert_since_timestamp_seconds", "drift", "warning", "alts"] == T0.timestamp() + 60
    assert read["hedged_outbox_messages", "log"] == 2
    assert read["hedged_outbox_messages", "ear"] == 0
    assert (read["hedged_paused",], read["hedged_halted",]) == (0, 0)
    assert read["hedged_store_bytes",] == 4096
    assert read["hedged_proposals_waiting",] == 0
    await stage.cycle()
    assert stage.read()["hedged_alerts_total", "margin", "warning"] == 1, "it goes on firing: no new alert"


async def test_before_the_first_cycle_nothing_is_known(stage: Stage) -> None:
    """No ratio, no time, no stop, no number of alerts: counts alone begin at 0."""
    stage.bytes = None
    stage.app.heartbeat = FakeHeartbeat()
    stage.app.heartbeat.delivered_at, stage.app.heartbeat.problem = None, None
    read = stage.read()
    counts = {name for name, *_ in read if re.search(r"_total$|_bucket$|_count$|_sum$", name)}
    assert {name for name, *_ in read} - counts == {
        "hedged_build_info",
        "hedged_portfolio_info",
        "hedged_interval_seconds",
    }
    assert {value for (name, *_), value in read.items() if name in counts} == {0}
    assert read["hedged_portfolio_info", "paper", "test", "paper"] == 1


async def test_what_is_not_known_is_absent(stage: Stage) -> None:
    """A price that is not told: no ratio, no drift, no exposure, and the target all the same; nothing is 0 or NaN."""
    stage.venue.price.clear()
    stage.venue.marks.clear()
    await stage.cycle()
    read = stage.read()
    names = {name for name, *_ in read}
    assert {"hedged_target_ratio", "hedged_hedge_state"} <= names
    assert names.isdisjoint(
        {
            "hedged_hedge_ratio",
            "hedged_drift_ratio",
            "hedged_exposure_value",
            "hedged_margin_ratio",
            "hedged_liquidation_distance_ratio",
            "hedged_heartbeat_up",
        }
    )
    assert read["hedged_hedge_state", "alts", "blocked"] == 1


async def test_figures_of_long_ago_are_absent(stage: Stage) -> None:
    """After three intervals without a cycle the ratios are gone; when the last was, and that cycles fail, stays."""
    await stage.cycle()
    stage.clock.advance(180)
    assert ("hedged_hedge_ratio", "alts") in stage.read()
    stage.clock.advance(1)
    stage.venue.faults["derivatives"] = RuntimeError("a defect")
    with pytest.raises(RuntimeError):
        await stage.cycle()
    read = stage.read()
    assert {name for name, *_ in read}.isdisjoint({"hedged_hedge_ratio", "hedged_alerts_firing", "hedged_hedge_state"})
    assert read["hedged_last_success_timestamp_seconds",] == T0.timestamp()
    assert read["hedged_cycles_total", "failed"] == 1


async def test_a_cycle_that_cannot_be_kept_is_counted(stage: Stage) -> None:
    """The store is full: completed, unrecorded, and how much waits in the outbox is not known."""
    stage.app.portfolio.store.broken = {"record_cycle", "backlog"}
    await stage.cycle()
    read = stage.read()
    assert (read["hedged_cycles_total", "completed"], read["hedged_cycles_unrecorded_total",]) == (1, 1)
    assert "hedged_outbox_messages" not in {name for name, *_ in read}


async def test_connections_in_figures(stage: Stage) -> None:
    """Weight and clock of a venue, and whether the switch answers."""
    venue = FakeClockOf(-0.25)
    venue.weight = 12.5
    stage.app.exchanges.venues["main"] = venue
    stage.app.heartbeat = FakeHeartbeat()
    stage.app.heartbeat.delivered_at, stage.app.heartbeat.problem = T0, "success: status 500"
    await stage.cycle()
    read = stage.read()
    assert read["hedged_cycle_request_weight", "main"] == 12.5
    assert read["hedged_clock_skew_seconds", "main"] == -0.25
    assert read["hedged_heartbeat_up",] == 0
    assert read["hedged_heartbeat_delivered_timestamp_seconds",] == T0.timestamp()


@pytest.mark.parametrize("name", ["alts", 'a"b\\c\n{}', "ünïcödé/#+"])
async def test_promtool_has_nothing_to_say(name: str) -> None:
    """Names, units and help are as Prometheus wants them, whatever a hedge is called."""
    clock = ManualClock()
    venue = FakeVenue(clock)
    venue.margin = Margin(equity=Decimal(1000), maintenance=Decimal(600))
    portfolio = await wire(policy(hedge("ETH", name=name)), clock, venue)
    stage = Stage(App(portfolio, [], [], [], FakeHeartbeat(), Exchanges()), venue, clock)
    stage.app.heartbeat.delivered_at, stage.app.heartbeat.problem = T0, None
    await stage.cycle()
    assert ("hedged_hedge_ratio", name) in stage.read()
    assert promtool("check", "metrics", given=stage.text()) == ""


async def test_openmetrics_for_those_who_ask(stage: Stage) -> None:
    """Prometheus asks for it first."""
    body, content_type = stage.figures.exposition("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


# over HTTP


def pages(stage: Stage, token: str | None = None) -> AlertPages:
    listing = Listing(stage.app.portfolio.store, "main", World.PAPER)
    return AlertPages(listing, stage.app.portfolio, stage.app.vitals, stage.clock, token)


@contextlib.asynccontextmanager
async def served(stage: Stage, host: str = "127.0.0.1", **options: Any) -> AsyncIterator[tuple[WebServer, str]]:
    clock = HandClock()
    server = WebServer(
        WebOptions(host, 0, **options), stage.figures, pages(stage, options.get("token")), stage.app.vitals, clock
    )
    task = asyncio.create_task(server.run())
    async with asyncio.timeout(10):
        while server.port is None:
            await asyncio.sleep(0.001)
    try:
        yield server, f"http://127.0.0.1:{server.port}"
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=10)
        assert task.done()


async def test_no_answer_names_the_program_or_is_kept(stage: Stage) -> None:
    """Not the library and its version, on any path, also where there is nothing."""
    async with served(stage) as (_, url), aiohttp.ClientSession() as session:
        for path, status in (("/metrics", 200), ("/healthz", 200), ("/nothing", 404)):
            async with session.get(url + path) as response:
                assert (response.status, response.headers["Server"]) == (status, "hedged")
                assert response.headers["Cache-Control"] == "no-store"
        async with session.post(f"{url}/metrics") as response:
            assert (response.status, response.headers["Allow"]) == (405, "GET")


async def ask(url: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.request(method, url, headers=headers) as response:
        return response.status, await response.text()


async def test_health_is_the_process_and_readiness_a_cycle(stage: Stage) -> None:
    """Alive at once; ready after a cycle, and no longer three intervals after it."""
    async with served(stage) as (_, url):
        assert await ask(f"{url}/healthz") == (200, "ok\n")
        assert await ask(f"{url}/readyz") == (503, "no cycle has been completed yet, at an interval of 60 s\n")
        await stage.cycle()
        assert await ask(f"{url}/readyz") == (200, "ready\n")
        stage.clock.advance(181)
        assert await ask(f"{url}/readyz") == (503, "no cycle was completed for 181 s, at an interval of 60 s\n")
        assert await ask(f"{url}/healthz") == (200, "ok\n")


@pytest.mark.parametrize(
    ("listens", "host", "status"),
    [
        ("127.0.0.1", "127.0.0.1:9464", 200),
        ("127.0.0.1", "localhost:1", 200),
        ("127.0.0.1", "[::1]:9464", 200),
        ("127.0.0.1", "hedged.lan", 200),
        ("127.0.0.1", "HEDGED.lan:9464", 200),
        ("127.0.0.1", "evil.example:9464", 421),
        ("127.0.0.1", "127.0.0.1.evil.example", 421),
        ("127.0.0.1", "192.0.2.7:9464", 421),
        ("127.0.0.1", "", 421),
        ("127.0.0.1", "[::1", 421),
        ("0.0.0.0", "192.0.2.7:9464", 200),
        ("0.0.0.0", "evil.example", 421),
    ],
)
async def test_a_name_that_is_not_ours_is_refused(stage: Stage, listens: str, host: str, status: int) -> None:
    """A page that has its own name point here gets nothing, on any path."""
    async with served(stage, listens, names=("Hedged.LAN",)) as (_, url):
        for path in ("/metrics", "/healthz", "/readyz", "/nothing"):
            got, text = await ask(f"{url}{path}", Host=host)
            expected = {"/readyz": 503, "/nothing": 404}.get(path, 200) if status == 200 else 421
            assert (path, got) == (path, expected)
            assert status == 200 or "hedged_" not in text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
async def test_nothing_but_get(stage: Stage, method: str) -> None:
    """There is nothing to be changed over it."""
    async with served(stage) as (_, url):
        for path in ("/metrics", "/healthz", "/readyz"):
            assert (await ask(url + path, method))[0] == 405


async def test_clients_that_stay_do_not_hold_up_the_end(stage: Stage) -> None:
    """A scraper's idle connection is closed with the server."""
    async with served(stage) as (server, _):
        assert server.port is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 200")
    await asyncio.wait_for(reader.read(), 10)
    writer.close()


async def test_a_flood_of_connections_is_bounded(stage: Stage) -> None:
    """Those that are too many are closed at once, those that stand are answered, and room comes back."""
    async with served(stage) as (server, url):
        assert server.port is not None
        idle = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(CONNECTIONS_MAX + 8)]
        over = [await asyncio.wait_for(reader.read(), 10) for reader, _ in idle[CONNECTIONS_MAX:]]
        assert over == [b""] * 8
        reader, writer = idle[0]
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 200 OK")
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    assert await ask(f"{url}/healthz") == (200, "ok\n")
                    break
        for _, writer in idle:
            writer.close()


@pytest.mark.parametrize(
    ("authorization", "status"),
    [(f"Bearer {TOKEN}", 200), (None, 401), ("", 401), (f"Bearer {TOKEN[:-1]}", 401), (TOKEN, 401), ("Bearer ü", 401)],
)
async def test_a_token_is_asked_for(stage: Stage, authorization: str | None, status: int) -> None:
    """Whole or not at all; whether the process lives anybody may know, and the token is never shown."""
    async with served(stage, token=TOKEN) as (server, url):
        headers = {} if authorization is None else {"Authorization": authorization}
        got, text = await ask(f"{url}/metrics", **headers)
        assert got == status
        assert ("hedged_build_info" in text) is (status == 200)
        assert "CANARY" not in text + repr(server._options)
        assert (await ask(f"{url}/healthz"))[0] == 200


async def test_an_address_in_use_is_said_once_and_tried_again(stage: Stage) -> None:
    """Watching goes on without figures; when the address is free they are served."""
    clock = HandClock()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = WebServer(
            WebOptions("127.0.0.1", port), stage.figures, pages(stage), Vitals(clock, stage.app.every), clock
        )
        with structlog.testing.capture_logs() as logs:
            task = asyncio.create_task(server.run())
            for _ in range(2):
                async with asyncio.timeout(10):
                    while not clock.sleeping:
                        await asyncio.sleep(0.001)
                await clock.move(10)
            taken.close()
            async with asyncio.timeout(10):
                while server.port is None:
                    await clock.move(10)
                    await asyncio.sleep(0.001)
    assert (await ask(f"http://127.0.0.1:{port}/healthz"))[0] == 200
    task.cancel()
    await asyncio.wait({task}, timeout=10)
    assert [(each["log_level"], each["event"]) for each in logs] == [
        ("error", "figures cannot be served, trying again"),
        ("info", "figures are served now"),
    ]
