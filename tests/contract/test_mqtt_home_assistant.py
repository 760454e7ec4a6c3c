"""The description for Home Assistant on a real mosquitto: when it is published, and when it is taken back."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from hedged.adapters.channels.home_assistant import Discovery
from hedged.adapters.channels.mqtt_topics import Topics
from tests.broker import Broker
from tests.mqtt_rig import Watcher, connected, options, running, state, watching

DISCOVERY = Discovery(Topics("hedged", "demo"), timedelta(minutes=3))
TOPIC = DISCOVERY.topic
HEDGE = "hedged/demo/hedge/alts/state"


def described(watcher: Watcher) -> list[dict[str, Any]]:
    """Every description that came, the oldest first."""
    return [json.loads(each.payload) for each in watcher.came if str(each.topic) == TOPIC and each.payload]


async def test_it_is_retained_and_told_once(tmp_path: Path) -> None:
    """For whoever comes later; a new state alone makes no new description."""
    with Broker(tmp_path) as broker:
        async with running(options(broker), discovery=DISCOVERY) as channel, watching(broker) as watcher:
            for ratio in (1, 2, 3):
                await channel.publish_state(state("alts", ratio=ratio))
                await watcher.until(lambda topics, ratio=ratio: f'"hedge_ratio": {ratio}' in topics.get(HEDGE, ""))
            await connected(channel)
            assert [each["o"]["name"] for each in described(watcher)] == ["hedged"]
            assert channel.denied == ()
            async with watching(broker) as late:
                await late.until(lambda topics: TOPIC in topics)
            assert late.came[0].retain


async def test_home_assistants_birth_makes_it_told_again(tmp_path: Path) -> None:
    """With the state behind it: a Home Assistant that starts knows nothing else of us."""
    with Broker(tmp_path) as broker:
        async with running(options(broker), discovery=DISCOVERY) as channel, watching(broker) as watcher:
            await channel.publish_state(state("alts"))
            await watcher.until(lambda topics: HEDGE in topics)
            for word, times in (("offline", 1), ("online", 2)):
                watcher.topics.clear()
                await watcher.client.publish("homeassistant/status", word, qos=1)
                if times == 2:
                    await watcher.until(lambda topics: HEDGE in topics and TOPIC in topics)
                await connected(channel)
                assert len(described(watcher)) == times


async def test_a_broker_that_forgot_is_told_again(tmp_path: Path) -> None:
    """Killed before it saved, it comes back without the description."""
    broker = Broker(tmp_path)
    broker.start()
    try:
        async with running(options(broker), discovery=DISCOVERY) as channel:
            await channel.publish_state(state("alts"))
            for _ in range(2):
                async with watching(broker) as watcher:
                    await watcher.until(lambda topics: TOPIC in topics)
                await connected(channel)
                broker.kill()
                broker.start()
    finally:
        broker.kill()


async def test_a_hedge_that_left_is_taken_out_of_the_device(tmp_path: Path) -> None:
    """Also one that an earlier process described: first as its platform alone, then not at all."""
    with Broker(tmp_path) as broker:
        async with watching(broker) as watcher:
            async with running(options(broker), discovery=DISCOVERY) as channel:
                await channel.publish_state(state("alts", "majors"))
                await watcher.until(lambda topics: len(components(topics)) == 13)
            async with running(options(broker), discovery=DISCOVERY) as channel:
                await channel.publish_state(state("alts"))
                await watcher.until(lambda topics: len(components(topics)) == 8)
        removing = [each for each in described(watcher) if any(one.keys() == {"p"} for one in each["cmps"].values())]
        assert len(removing) == 1
        assert sum(one.keys() == {"p"} for one in removing[0]["cmps"].values()) == 5


async def test_switched_off_it_is_taken_back(tmp_path: Path) -> None:
    """An empty message removes the device; where nothing was left nothing is written."""
    with Broker(tmp_path) as broker:
        async with watching(broker) as watcher:
            async with running(options(broker), discovery=DISCOVERY, offered=False) as channel:
                await channel.publish_state(state("alts"))
                await connected(channel)
            assert TOPIC not in watcher.topics
            async with running(options(broker), discovery=DISCOVERY) as channel:
                await channel.publish_state(state("alts"))
                await watcher.until(lambda topics: TOPIC in topics)
            async with running(options(broker), discovery=DISCOVERY, offered=False):
                await watcher.until(lambda topics: topics.get(TOPIC) == "")


def components(topics: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(topics.get(TOPIC) or "{}").get("cmps", {})
    return found
