"""Commands that must not be carried out, as many as one likes, over a real mosquitto to the real store.

Forged, retained, replayed, expired and mistyped ones are drawn from a seed. Between them go good ones, each of which
has to be carried out once: what hears nothing would carry out nothing either.

    python -m tests.e2e.forged_commands --number 10000
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt
import structlog

from hedged.act.brake import Brake, kept
from hedged.act.commands import SIZE_MAX
from hedged.act.overrides import overrides
from hedged.adapters.clock import SystemClock
from hedged.adapters.store.sql import SqlStore
from hedged.daemon.commands import Commands
from hedged.model.command import Reply, Verb
from hedged.model.policy import World
from hedged.model.proposal import Proposal, Verdict
from tests.broker import Broker
from tests.mqtt_rig import options, running
from tests.store_samples import alert, proposal, record
from tests.support import ROOT

ACL = (ROOT / "deploy" / "mosquitto" / "acl").read_text()
BATCH = 50  # bad ones between two good ones
HEDGE = "alts"


@dataclass(frozen=True, slots=True)
class Bad:
    """One command that must do nothing. `by`: the broker's user who sends it."""

    verb: str
    payload: bytes
    retain: bool = False
    by: str = "operator"
    instance: str = "demo"


@dataclass
class Forger:
    """Draws bad commands; `used` are payloads of good ones that were carried out."""

    draw: random.Random
    proposal: Proposal
    used: list[tuple[str, bytes]] = field(default_factory=list)
    n: int = 0

    def right(self, verb: str, **fields: Any) -> dict[str, Any]:
        """What would be carried out."""
        self.n += 1
        now = datetime.now(UTC)
        own: Mapping[str, dict[str, Any]] = {
            "ack": {"alert": "drift/a"},
            "silence": {"pattern": "drift/*", "until": (now + timedelta(hours=1)).isoformat()},
            "pause": {},
            "approve": {"proposal": self.proposal.id, "digest": self.proposal.digest},
            "reject": {"proposal": self.proposal.id, "digest": self.proposal.digest},
            "set-ratio": {"hedge": HEDGE, "ratio": 0.5, "until": (now + timedelta(hours=1)).isoformat()},
        }
        expires = (now + timedelta(minutes=5)).isoformat()
        common = {"request": f"r{self.n}", "nonce": f"{self.draw.getrandbits(96):024x}", "expires": expires}
        return {**common, **own.get(verb, {}), **fields}

    def some(self) -> str:
        return self.draw.choice([each.value for each in Verb])

    def forged(self) -> Bad:
        """By who may not ask, to another portfolio, of a word that there is not, or for other numbers."""
        verb = self.some()
        answer, word = self.draw.choice(["approve", "reject"]), self.draw.choice(["resume", "unwind", "Pause", "live"])
        other = f"{self.draw.getrandbits(256):064x}"
        return self.draw.choice(
            [
                lambda: Bad(
                    verb, encoded(self.right(verb)), by=self.draw.choice(["viewer", "homeassistant", "hedged"])
                ),
                lambda: Bad(verb, encoded(self.right(verb)), instance="another"),
                lambda: Bad(word, encoded(self.right("pause"))),
                lambda: Bad(answer, encoded(self.right(answer, digest=other))),
                lambda: Bad(answer, encoded(self.right(answer, proposal=other[:8]))),
            ]
        )()

    def retained(self) -> Bad:
        verb = self.some()
        return Bad(verb, encoded(self.right(verb)), retain=True)

    def replayed(self) -> Bad:
        """A good one once more, as it was or under other words."""
        if not self.used:
            return self.retained()
        verb, payload = self.draw.choice(self.used)
        if self.draw.random() < 0.5:
            return Bad(verb, payload)
        other = self.some()
        return Bad(other, encoded(self.right(other, nonce=json.loads(payload)["nonce"])))

    def expired(self) -> Bad:
        verb, now = self.some(), datetime.now(UTC)
        late = now - timedelta(seconds=self.draw.uniform(0, 1e6))
        early = now + timedelta(minutes=11, seconds=self.draw.uniform(0, 1e9))
        return Bad(verb, encoded(self.right(verb, expires=self.draw.choice([late, early]).isoformat())))

    def mistyped(self) -> Bad:
        verb = self.some()
        fields = self.right(verb)
        payload = encoded(fields)
        key = self.draw.choice([each for each in fields if each != "reason"])
        wrong: list[Callable[[], bytes]] = [
            lambda: encoded({each: value for each, value in fields.items() if each != key}),
            lambda: encoded({**fields, key: self.draw.choice([[], {}, True, -1, 1e300, "", " ", "\u202e", "x" * 300])}),
            lambda: encoded({**fields, "and": 1}),
            lambda: payload[: self.draw.randrange(len(payload))],
            lambda: payload + b"}",
            lambda: payload + b" " * SIZE_MAX,
            lambda: b"[" + payload + b"]",
            lambda: self.draw.randbytes(self.draw.randrange(64)),
            lambda: payload.replace(b'"', b"'"),
            lambda: b"[" * self.draw.randrange(1, SIZE_MAX),
        ]
        return Bad(verb, self.draw.choice(wrong)())

    def bad(self) -> tuple[str, Bad]:
        make = self.draw.choice([self.forged, self.retained, self.replayed, self.expired, self.mistyped])
        return make.__name__, make()


def encoded(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields).encode()


class Counting(Commands):
    """Counts what reaches it, and what it does."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.judged = 0
        self.done = 0

    async def take(self, source: str, verb: str, payload: bytes, *, retained: bool = False) -> Reply | None:
        reply = await super().take(source, verb, payload, retained=retained)
        self.judged += 1
        self.done += reply is not None and reply.ok
        return reply


@dataclass
class Tally:
    sent: Counter[str] = field(default_factory=Counter)
    judged: int = 0
    good: int = 0
    done: int = 0
    seconds: float = 0.0


async def flood(folder: Path, number: int, seed: int) -> Tally:
    """Asserts that of the bad ones none did anything, and of the good ones each did it once."""
    tally, began = Tally(), time.monotonic()
    store, made = SqlStore(folder / "hedged.db"), proposal(at=datetime.now(UTC))
    await store.open("demo", World.PAPER, datetime.now(UTC))
    await store.record_cycle(record(1, at=datetime.now(UTC), alerts=[alert("a", "e1")], proposals=[made]), [])
    commands = Counting(store, "demo", [HEDGE], frozenset(Verb), SystemClock())
    commands.brake = Brake(store)
    forger = Forger(random.Random(seed), made)
    others = {name: name for name in ("viewer", "homeassistant", "operator")}
    broker = Broker(folder, password="hedged", others=others, acl=ACL, more=["max_queued_messages 20000"])
    with broker:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(running(options(broker, **who("hedged")), commands=commands))
            clients = {
                name: await stack.enter_async_context(aiomqtt.Client("127.0.0.1", broker.port, **who(name)))
                for name in (*others, "hedged")
            }
            operator = clients["operator"]
            await operator.subscribe("hedged/demo/reply/+", qos=1)
            while tally.sent.total() < number:
                for _ in range(min(BATCH, number - tally.sent.total())):
                    name, bad = forger.bad()
                    tally.sent[name] += 1
                    topic = f"hedged/{bad.instance}/cmd/{bad.verb}"
                    await clients[bad.by].publish(topic, bad.payload, qos=1, retain=bad.retain)
                tally.good += 1
                await good_one(operator, store, forger, tally.good)
        # Retained ones wait for whoever subscribes: a daemon that starts gets them all.
        async with (
            running(options(broker, **who("hedged")), commands=commands),
            aiomqtt.Client("127.0.0.1", broker.port, **who("operator")) as operator,
        ):
            await operator.subscribe("hedged/demo/reply/+", qos=1)
            tally.good += 1
            await good_one(operator, store, forger, tally.good)
    try:
        await check(store, made, tally.good)
    finally:
        await store.close()
    assert commands.done == tally.good, f"{commands.done} were carried out, {tally.good} should have been"
    tally.judged, tally.done = commands.judged, commands.done
    tally.seconds = time.monotonic() - began
    return tally


def who(name: str) -> dict[str, str]:
    return {"username": name, "password": name}


async def good_one(operator: aiomqtt.Client, store: SqlStore, forger: Forger, number: int) -> None:
    """Another ratio each time, taken back by nobody: it is done and answered, after all that came before it."""
    ratio = number % 100 / 100
    fields = forger.right("set-ratio", ratio=ratio)
    payload = encoded(fields)
    await operator.publish("hedged/demo/cmd/set-ratio", payload, qos=1)
    async with asyncio.timeout(60):
        async for message in operator.messages:
            reply = json.loads(message.payload)
            if reply["request"] == fields["request"]:
                assert reply["ok"], reply["text"]
                break
    assert float((await overrides(store))[HEDGE].ratio) == ratio
    forger.used.append(("set-ratio", payload))


async def check(store: SqlStore, made: Proposal, good: int) -> None:
    """Nothing but the good ones has changed anything."""
    assert (await kept(store)).paused is None
    assert await store.acknowledgements() == []
    assert await store.silences(datetime.now(UTC)) == []
    found = await store.proposal(made.id)
    assert found is not None
    assert found.verdict is Verdict.OPEN
    assert float((await overrides(store))[HEDGE].ratio) == good % 100 / 100
    rows = await store.past_commands(1_000_000)
    assert sum(row.outcome.value == "done" for row in rows) == good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder:
        tally = asyncio.run(flood(Path(folder), chosen.number, chosen.seed))
    kinds = ", ".join(f"{count:,} {name}" for name, count in sorted(tally.sent.items()))
    print(
        f"{tally.seconds:.0f} s: of {tally.sent.total():,} commands that should do nothing ({kinds}) 0 were carried out; "
        f"{tally.judged:,} reached the daemon, the broker's ACL kept the others; {tally.good} good ones between them "
        f"were carried out once each"
    )


if __name__ == "__main__":
    main()
