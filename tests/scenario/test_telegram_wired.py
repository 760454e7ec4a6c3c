"""Telegram and the heartbeat as a configuration wires them: from the file to the order, and what the doctor says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
import structlog

from hedged import app as root
from hedged.adapters.clock import SystemClock, SystemIds
from hedged.adapters.store.sql import SqlStore
from hedged.cli.doctor import Check, examine
from hedged.daemon.portfolio import App
from hedged.errors import ConfigurationError
from hedged.settings import load
from tests.bot_api import CHAT, TOKEN, USER, BotServer
from tests.broker import free_port
from tests.e2e.test_watch import switch
from tests.scenario.test_commands import CONFIG, ask

GOOD = {"token": TOKEN, "chat_id": CHAT, "users": [USER]}


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Path]:
    def write(more: str = "", secret: object = GOOD, mode: str = "approve") -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(CONFIG.format(mode=mode, cash=20_000, store=tmp_path / "mine.sqlite") + more)
        folder = tmp_path / "credentials"
        folder.mkdir(exist_ok=True)
        if secret is not None:
            (folder / "telegram").write_text(json.dumps(secret))
            (folder / "telegram").chmod(0o600)
        return path

    return write


@asynccontextmanager
async def at_work(path: Path) -> AsyncIterator[App]:
    """The daemon's parts without its schedule."""
    wired = await root.build(load(path, {}), SystemClock(), SystemIds())
    tasks = [asyncio.create_task(loop()) for loop in wired.background]
    try:
        yield wired
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await wired.close()


async def cycle(wired: App) -> None:
    await wired.after_cycle(await wired.cycle(SystemClock().now(), ()))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_an_order_by_a_button(config: Callable[..., Path]) -> None:
    """Proposed, approved on the phone, priced again, sent once; the message says so at the end."""
    async with BotServer() as server:
        path = config(f'[telegram]\nserver = "{server.url}"\n')
        async with at_work(path) as wired:
            await cycle(wired)

            def open_ones() -> list[int]:
                return [number for number, each in server.messages.items() if "Approve" in each.buttons]

            await until(lambda: bool(open_ones()))
            (number,) = open_ones()
            assert "sell" in server.messages[number].text
            assert "[mine, simulated]" in server.messages[number].text
            await cycle(wired)
            assert open_ones() == [number], "what waits is not told again"
            query = server.press(number, "Approve")
            await until(lambda: query in server.answers)
            assert "is approved" in server.answers[query].text
            await cycle(wired)
            await until(lambda: f"✔ Approved by telegram {USER}" in server.messages[number].text)
            await until(lambda: "the order was sent" in server.messages[number].text)
        (row,) = [row for row in await _commands(path) if row.source == "telegram"]
        assert (row.verb, row.outcome.value, row.data["by"]) == ("approve", "done", f"telegram {USER}")
    assert TOKEN not in (path.parent / "mine.sqlite").read_bytes().decode(errors="replace")


async def _commands(path: Path):
    store = SqlStore(path.parent / "mine.sqlite")
    settings = load(path, {})
    await store.open_read_only(settings.name, settings.world)
    try:
        return await store.past_commands(10)
    finally:
        await store.close()


async def test_alerts_alone(config: Callable[..., Path]) -> None:
    """buttons = false: nobody is asked for what was pressed, and nobody need be named."""
    async with BotServer() as server:
        path = config(
            f'[telegram]\nserver = "{server.url}"\nbuttons = false\n', {"token": TOKEN, "chat_id": CHAT}, mode="monitor"
        )
        async with at_work(path) as wired:
            await cycle(wired)
            await until(lambda: bool(server.messages))
    assert "getUpdates" not in server.calls
    assert {text for each in server.messages.values() for text in each.buttons} == set()


@pytest.mark.parametrize(
    ("more", "secret", "why"),
    [
        ("[telegram]\n", None, "[telegram] needs the secret file telegram"),
        ("[telegram]\n", {"token": TOKEN, "chat_id": CHAT}, "nobody may press them: name `users`"),
        ("[telegram]\n", {"token": "CANARY", "chat_id": CHAT}, 'must be {"token": "123456:…"'),
    ],
)
async def test_a_secret_that_cannot_serve_is_named(
    config: Callable[..., Path], more: str, secret: object, why: str
) -> None:
    """By check-config, which stays offline, and at the start, in the same words."""
    path = config(more, secret)
    result = ask("check-config", "-c", path)
    assert result.exit_code == 78
    assert why in result.stderr
    with pytest.raises(ConfigurationError) as caught:
        await root.build(load(path, {}), SystemClock(), SystemIds())
    assert why in str(caught.value)
    assert "CANARY" not in result.output + str(caught.value)


@pytest.mark.parametrize(
    ("token", "code", "why"),
    [
        ("0123456789abcdef", 0, ""),
        ("0123456789abcde", 78, "credentials/web-token: must be at least 16 characters"),
        (None, 78, "needs a token"),
    ],
)
def test_what_others_can_reach_needs_a_token(
    config: Callable[..., Path], token: str | None, code: int, why: str
) -> None:
    """And one that cannot be guessed."""
    path = config('[web]\nlisten = "0.0.0.0:9464"\n')
    if token is not None:
        (path.parent / "credentials" / "web-token").write_text(token + "\n")
        (path.parent / "credentials" / "web-token").chmod(0o600)
    result = ask("check-config", "-c", path)
    assert result.exit_code == code, result.output
    assert why in result.stderr
    assert token is None or token not in result.output


# the doctor


def told(checks: list[Check], what: str) -> list[tuple[str, str]]:
    return [(check.result, check.text) for check in checks if check.what.startswith(what)]


async def test_the_doctor_asks_the_bot(config: Callable[..., Path]) -> None:
    """Who it is, whether the chat is there, who may press; nothing is written into the chat."""
    async with BotServer() as server:
        checks = await examine(load(config(f'[telegram]\nserver = "{server.url}"\n'), {}))
        assert told(checks, "telegram") == [("ok", "@my_hedged_bot"), ("ok", "Treasury"), ("ok", "1 may press them")]
        assert server.messages == {}
        server.webhook = "https://other.example"
        checks = await examine(load(config(f'[telegram]\nserver = "{server.url}"\n'), {}))
        assert told(checks, "telegram: buttons")[0][0] == "failed"


@pytest.mark.parametrize(
    ("secret", "fault", "last"),
    [
        ({**GOOD, "token": "123456:another_token_that_is_not_valid"}, None, "the token in the secret file `telegram`"),
        ({**GOOD, "chat_id": 5}, None, "chat not found: write to the bot first, or add it to the group"),
        (GOOD, "html", "getMe: not an answer of Telegram's"),
    ],
)
async def test_the_doctor_says_what_is_wrong_with_the_bot(
    config: Callable[..., Path], secret: object, fault: str | None, last: str
) -> None:
    """A red line with the way out."""
    async with BotServer() as server:
        if fault is not None:
            server.faults["*"] = fault
        checks = await examine(load(config(f'[telegram]\nserver = "{server.url}"\n', secret), {}))
    result, text = told(checks, "telegram")[-1]
    assert result == "failed"
    assert last in text
    assert "CANARY" not in repr(checks)


async def test_the_doctor_and_the_heartbeat(config: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """It never pings: that would be a sign of life. It says when it was answered last, else whether one is there."""
    monkeypatch.delenv("HTTP_PROXY", raising=False)
    monkeypatch.delenv("http_proxy", raising=False)
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    path = config(f'[notify]\nheartbeat_url = "http://127.0.0.1:{port}/CANARY"\n')
    unknown = "not answered yet; its host can be reached: a cycle of `hedged run` fetches it"
    assert told(await examine(load(path, {})), "heartbeat") == [("unknown", unknown)]
    await until(lambda: heard == [b""])

    settings, clock = load(path, {}), SystemClock()
    store = SqlStore(settings.store_path())
    for ago, result, text in (
        (timedelta(hours=23), "ok", "answered 82,8"),
        (timedelta(hours=25), "unknown", "not answered since "),
    ):
        await store.open(settings.name, settings.world, clock.now())
        at = (clock.now() - ago).isoformat(timespec="seconds").replace("+00:00", "Z")
        await store.put_blob("heartbeat", {"delivered_at": at}, clock.now())
        await store.close()
        ((found, said),) = told(await examine(settings), "heartbeat")
        assert (found, said.startswith(text)) == (result, True), said
    await until(lambda: heard == [b"", b""])
    server.close()
    await server.wait_closed()
    dead = config(f'[notify]\nheartbeat_url = "http://127.0.0.1:{free_port()}/CANARY"\n')
    ((found, said),) = told(await examine(load(dead, {})), "heartbeat")
    assert found == "failed"
    assert "its host cannot be reached (ConnectionRefusedError)" in said
    assert "CANARY" not in said


# what is shown of it


async def test_status_shows_the_heartbeat(config: Callable[..., Path]) -> None:
    """When it was answered last, also after a restart; and why it is not."""
    with switch() as (port, heard):
        path = config(f'[notify]\nheartbeat_url = "http://127.0.0.1:{port}/CANARY"\n', mode="monitor")
        async with at_work(path) as wired:
            await cycle(wired)
            await until(lambda: wired.heartbeat is not None and wired.heartbeat.delivered_at is not None)
            await until(lambda: wired.heartbeat is not None and wired.heartbeat._task is not None)
            await asyncio.wait({wired.heartbeat._task})
    assert heard == ["/CANARY/start", "/CANARY"]
    shown = await asyncio.to_thread(ask, "status", "-c", path)
    assert "heartbeat  last answered 20" in shown.stdout
    dead = config(f'[notify]\nheartbeat_url = "http://127.0.0.1:{free_port()}/CANARY"\n', mode="monitor")
    async with at_work(dead) as wired:
        await cycle(wired)
        await until(lambda: wired.heartbeat is not None and wired.heartbeat.problem is not None)
        await asyncio.wait({wired.heartbeat._task})
        await cycle(wired)
    shown = await asyncio.to_thread(ask, "status", "-c", dead)
    assert "heartbeat  not answered (start: ClientConnectorError; success: ClientConnectorError)" in shown.stdout
    state = json.loads((await asyncio.to_thread(ask, "status", "--json", "-c", dead)).stdout)
    assert state["heartbeat"]["problem"].startswith("start: ")
    assert state["heartbeat"]["delivered_at"].startswith("20"), "of the first run"
    code = (await asyncio.to_thread(ask, "probe", "-c", dead)).stdout
    assert "heartbeat not answered (start: ClientConnectorError" in code
    assert "CANARY" not in shown.output + json.dumps(state) + code


async def test_no_secret_gets_out(config: Callable[..., Path]) -> None:
    """Bot, heartbeat and web token, with everything failing: not in a log line, the database, a figure or a page."""
    web = free_port()
    secrets = {
        "bot": TOKEN.partition(":")[2],
        "web": "CANARY-web-0123456789",
        "heartbeat": "CANARY-heartbeat-0123456789",
    }
    async with BotServer() as server:
        server.faults["*"] = "not-ok"
        path = config(
            f'[telegram]\nserver = "{server.url}"\n[web]\nlisten = "127.0.0.1:{web}"\n'
            f'[notify]\nheartbeat_url = "http://127.0.0.1:{free_port()}/{secrets["heartbeat"]}"\n'
        )
        (path.parent / "credentials" / "web-token").write_text(secrets["web"])
        (path.parent / "credentials" / "web-token").chmod(0o600)
        shown = []
        with structlog.testing.capture_logs() as logs:
            async with at_work(path) as wired, aiohttp.ClientSession() as session:
                for _ in range(2):
                    await cycle(wired)
                await until(lambda: any("Telegram" in str(each["event"]) for each in logs))
                await until(lambda: wired.heartbeat is not None and wired.heartbeat.problem is not None)
                for token in (None, secrets["web"]):
                    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
                    for page in ("metrics", "healthz", "readyz", "nothing"):
                        async with session.get(f"http://127.0.0.1:{web}/{page}", headers=headers) as answer:
                            shown.append(await answer.text())
    assert any("hedged_heartbeat_up 0.0" in text for text in shown)
    everything = repr(logs) + repr(shown) + (path.parent / "mine.sqlite").read_bytes().decode("latin-1")
    everything += "".join(each.read_bytes().decode("latin-1") for each in path.parent.glob("mine.sqlite-*"))
    assert {name for name, secret in secrets.items() if secret in everything} == set()


async def test_a_telegram_that_hangs_holds_up_no_cycle(config: Callable[..., Path]) -> None:
    """Three cycles are over before the first of its calls has given up."""
    async with BotServer() as server:
        server.faults["*"] = "hang"
        path = config(f'[telegram]\nserver = "{server.url}"\n')
        with structlog.testing.capture_logs() as logs:
            async with at_work(path) as wired:
                await until(lambda: "getUpdates" in server.calls)
                for _ in range(3):
                    await cycle(wired)
                assert [each for each in logs if "Telegram" in each["event"] or each.get("channel") == "telegram"] == []
                assert len([each for each in logs if each["event"] == "cycle"]) == 3
