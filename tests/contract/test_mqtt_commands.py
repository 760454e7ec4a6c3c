"""Commands over a real mosquitto: what is asked is done once and answered, and nobody can ask who may not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from hedged.act.brake import Brake, keep_resumed, kept
from hedged.adapters.channels.mqtt import MqttChannel
from hedged.adapters.channels.mqtt_client import Complaints, new_client
from hedged.adapters.clock import SystemClock
from hedged.adapters.store.sql import SqlStore
from hedged.daemon.commands import Commands
from hedged.model.command import Verb
from hedged.model.policy import World
from hedged.model.proposal import Verdict
from hedged.tell.standing import Standing
from hedged.tell.state import proposal_object
from tests.broker import Broker
from tests.mqtt_rig import WITHIN, Watcher, connected, options, running, state, watching
from tests.store_samples import alert, proposal, record
from tests.support import T0, absent

ACL = (Path(__file__).parents[2] / "deploy" / "mosquitto" / "acl").read_text()
PASSWORDS = {"viewer": "v", "operator": "o"}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    made = SqlStore(tmp_path / "hedged.db")
    await made.open("demo", World.PAPER, T0)
    yield made
    await made.close()


def taker(store: SqlStore) -> Commands:
    made = Commands(store, "demo", ["alts"], frozenset(Verb), SystemClock())
    made.brake = Brake(store)
    return made


def asked(n: int = 1, *, seconds: float = 60, **fields: Any) -> bytes:
    expires = datetime.now(UTC) + timedelta(seconds=seconds)
    right = {"request": f"r{n}", "nonce": f"nonce-{n:04}", "expires": expires.isoformat()}
    return json.dumps({**right, **fields}).encode()


async def reply(watcher: Watcher, request: str) -> dict[str, Any]:
    topic = f"hedged/demo/reply/{request}"
    await watcher.until(lambda topics: topic in topics)
    found: dict[str, Any] = json.loads(watcher.topics.pop(topic))
    return found


@contextlib.asynccontextmanager
async def operator(broker: Broker) -> AsyncIterator[Watcher]:
    async with watching(broker, username="operator", password="o") as watcher:
        yield watcher


def secured(folder: Path) -> Broker:
    return Broker(folder, password="h", others=PASSWORDS, acl=ACL)


def login(protocol: str) -> dict[str, str]:
    return {"username": "hedged", "password": "h", "protocol": protocol}


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_what_is_asked_is_done_once_and_answered(tmp_path: Path, store: SqlStore, protocol: str) -> None:
    """A pause by the operator of the shipped ACL; its second delivery is dropped and told."""
    with secured(tmp_path) as broker:
        async with running(options(broker, **login(protocol)), commands=taker(store)), operator(broker) as watcher:
            await watcher.until(lambda topics: topics.get("hedged/demo/status") == "online")
            payload = asked(reason="storm")
            await watcher.client.publish("hedged/demo/cmd/pause", payload, qos=1)
            found = await reply(watcher, "r1")
            assert (found["schema"], found["verb"], found["ok"]) == ("hedged.reply/1", "pause", True)
            stop = (await kept(store)).paused
            assert stop is not None
            assert (stop.by, stop.reason) == ("a command (mqtt)", "storm")
            await keep_resumed(store, T0)
            await watcher.client.publish("hedged/demo/cmd/pause", payload, qos=1)
            assert (await reply(watcher, "r1"))["text"] == "dropped, replayed: its nonce was used before"
            assert (await kept(store)).paused is None


async def test_what_waits_is_shown_with_what_approving_it_takes(tmp_path: Path, store: SqlStore) -> None:
    """An operator approves from the retained topic alone; forging a number of it makes another digest."""
    made = proposal(at=datetime.now(UTC))
    await store.record_cycle(record(1, at=datetime.now(UTC), proposals=[made]), [])
    whole = {**state("alts"), "decision": {"proposals": [proposal_object(made)]}}
    with secured(tmp_path) as broker:
        async with (
            running(options(broker, **login("5")), commands=taker(store)) as channel,
            operator(broker) as watcher,
        ):
            await channel.publish_state(whole)
            await watcher.until(lambda topics: "hedged/demo/proposals" in topics)
            (shown,) = json.loads(watcher.topics["hedged/demo/proposals"])["proposals"]
            assert (shown["quantity"], shown["price"], shown["side"]) == ("2", "3000.1", "sell")
            other = replace(made, quantity=made.quantity + 1).digest
            for n, digest in enumerate((other, shown["digest"])):
                answer = asked(n, proposal=shown["id"], digest=digest)
                await watcher.client.publish("hedged/demo/cmd/approve", answer, qos=1)
                assert (await reply(watcher, f"r{n}"))["ok"] is (digest == made.digest)
            await channel.publish_state({**state("alts"), "decision": {"proposals": []}})
            await watcher.until(lambda topics: '"proposals": []' in topics["hedged/demo/proposals"])
    found = await store.proposal(made.id)
    assert found is not None
    assert (found.verdict, found.decided_by) == (Verdict.APPROVED, "mqtt")


async def test_nobody_asks_who_only_looks(tmp_path: Path, store: SqlStore) -> None:
    """The shipped ACL drops what the viewer and the daemon itself publish as commands."""
    with secured(tmp_path) as broker:
        async with running(options(broker, **login("5")), commands=taker(store)), operator(broker) as watcher:
            await watcher.until(lambda topics: topics.get("hedged/demo/status") == "online")
            for n, (name, word) in enumerate((("viewer", "v"), ("hedged", "h"))):
                async with aiomqtt.Client("127.0.0.1", broker.port, username=name, password=word) as client:
                    await client.publish("hedged/demo/cmd/pause", asked(10 + n), qos=1)
            await watcher.client.publish("hedged/demo/cmd/resume", asked(1), qos=1)
            assert (await reply(watcher, "r1"))["text"].startswith("dropped, not allowed: `resume`")
            assert (await kept(store)).paused is None
            assert len(await store.past_commands(9)) == 1


async def test_what_was_acknowledged_is_not_told_again(tmp_path: Path, store: SqlStore) -> None:
    """Over MQTT, by its event id: from then on a connection that comes back tells the others alone."""
    firing = [replace(alert(name, event_id), told_at=T0) for name, event_id in (("a", "e1"), ("b", "e2"))]
    await store.record_cycle(record(1, alerts=firing), [])
    standing = Standing(store, SystemClock(), "demo", World.PAPER)
    with Broker(tmp_path) as broker:
        chosen = options(broker, again_after=3600)
        async with watching(broker) as watcher, running(chosen, standing, commands=taker(store)) as channel:
            topics = {f"hedged/demo/alert/{each}" for each in ("e1", "e2")}
            await watcher.until(lambda seen: topics <= seen.keys())
            await watcher.client.publish("hedged/demo/cmd/ack", asked(1, alert="e1"), qos=1)
            assert (await reply(watcher, "r1"))["ok"] is True
            watcher.topics.clear()
            async with new_client(chosen, Complaints()):  # by the same name: the channel is thrown out
                pass
            await watcher.until(lambda seen: "hedged/demo/alert/e2" in seen)
            await connected(channel)
            assert "hedged/demo/alert/e1" not in watcher.topics


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_what_the_broker_retains_is_dropped(tmp_path: Path, store: SqlStore, protocol: str) -> None:
    """Retained before the daemon came; under MQTT 5 also while it listens. Nobody is answered."""
    with Broker(tmp_path) as broker, contextlib.closing(sqlite3.connect(tmp_path / "hedged.db")) as database:
        async with watching(broker) as watcher:
            await watcher.client.publish("hedged/demo/cmd/pause", asked(1), qos=1, retain=True)
            async with running(options(broker, protocol=protocol), commands=taker(store)):
                await watcher.until(lambda topics: topics.get("hedged/demo/status") == "online")
                if protocol == "5":
                    await watcher.client.publish("hedged/demo/cmd/pause", asked(2), qos=1, retain=True)
                await watcher.client.publish("hedged/demo/cmd/resume", asked(3), qos=1)
                await reply(watcher, "r3")
        assert (await kept(store)).paused is None
        rows = database.execute("SELECT json_extract(data, '$.why') FROM commands ORDER BY id").fetchall()
        retained = [row for row in rows if row == ("retained",)]
        assert len(retained) == (2 if protocol == "5" else 1)
        assert not [topic for topic in watcher.topics if "/reply/" in topic]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_what_came_while_the_daemon_was_away_is_done_if_in_time(
    tmp_path: Path, store: SqlStore, protocol: str
) -> None:
    """The broker keeps it in the daemon's session; what has expired by then is dropped."""
    with Broker(tmp_path) as broker:
        chosen = options(broker, protocol=protocol)
        async with running(chosen, commands=taker(store)) as channel:
            await connected(channel)
        async with watching(broker) as watcher:
            await watcher.client.publish("hedged/demo/cmd/set-ratio", asked(1, seconds=0.01), qos=1)
            await watcher.client.publish("hedged/demo/cmd/pause", asked(2), qos=1)
            async with running(chosen, commands=taker(store)):
                assert (await reply(watcher, "r2"))["ok"] is True
        assert (await kept(store)).paused is not None
        assert sorted(row.outcome.value for row in await store.past_commands(9)) == ["done", "dropped"]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_without_the_setting_nothing_is_taken(tmp_path: Path, store: SqlStore, protocol: str) -> None:
    """Nor later, when it is there again; also where an earlier run took some and the broker kept them for us."""
    with Broker(tmp_path) as broker:
        chosen = options(broker, protocol=protocol)
        async with running(chosen, commands=taker(store)) as channel:
            await connected(channel)
        async with watching(broker) as watcher:
            await watcher.client.publish("hedged/demo/cmd/pause", asked(1), qos=1)
            async with running(chosen) as channel:
                await connected(channel)
                await watcher.client.publish("hedged/demo/cmd/pause", asked(2), qos=1)
                await connected(channel)
            await watcher.client.publish("hedged/demo/cmd/pause", asked(4), qos=1)
            async with running(chosen, commands=taker(store)) as channel:
                await connected(channel)
                await watcher.client.publish("hedged/demo/cmd/resume", asked(3), qos=1)
                await reply(watcher, "r3")
        assert (await kept(store)).paused is None
        assert [row.verb for row in await store.past_commands(9)] == ["of an unknown verb"]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_commands_that_the_broker_does_not_let_us_hear_are_told(
    tmp_path: Path, store: SqlStore, protocol: str
) -> None:
    """Who is deaf to commands must not look as if nobody had asked."""
    plugin = next(Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"), None)
    if plugin is None:
        absent("mosquitto_dynamic_security", "mosquitto's plugin that refuses subscriptions is not installed")
    access = {"publishClientSend": True, "publishClientReceive": True, "subscribe": False, "unsubscribe": True}
    levels = ("status", "summary", "proposals", "hedge/+/state", "margin/+/state", "alert/+", "reply/+")
    rules = [{"acltype": "subscribePattern", "topic": f"hedged/+/{level}", "allow": True} for level in levels]
    groups = [{"groupname": "all", "roles": [{"rolename": "all"}], "clients": []}]
    (tmp_path / "rules.json").write_text(
        json.dumps(
            {
                "defaultACLAccess": access,
                "anonymousGroup": "all",
                "groups": groups,
                "roles": [{"rolename": "all", "acls": rules}],
                "clients": [],
            }
        )
    )
    more = [f"plugin {plugin}", f"plugin_opt_config_file {tmp_path}/rules.json"]
    with Broker(tmp_path, more=more) as broker:
        async with running(options(broker, protocol=protocol), commands=taker(store)) as channel:
            await connected(channel)
            assert channel.denied == ("hedged/demo/cmd/+",)


async def test_a_flood_delays_no_alert(tmp_path: Path, store: SqlStore) -> None:
    """More commands than are taken at once: those beyond are dropped, and an alert still goes out."""
    with Broker(tmp_path) as broker:
        async with running(options(broker), commands=taker(store)) as channel, watching(broker) as watcher:
            await connected(channel)
            flood = [watcher.client.publish("hedged/demo/cmd/pause", b"x", qos=0) for _ in range(2000)]
            await asyncio.gather(*flood, connected(channel))
            async with asyncio.timeout(WITHIN):
                await connected(channel)
        assert (await kept(store)).paused is None


def test_the_channel_is_told_who_takes_commands() -> None:
    """By default nobody does."""
    assert MqttChannel.__init__.__kwdefaults__ is not None
    assert MqttChannel.__init__.__kwdefaults__["commands"] is None
