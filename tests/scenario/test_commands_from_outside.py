"""Commands over the real store: what each does, that it does it once, and what becomes of the others."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog

from hedged.act.brake import Brake, keep_resumed, kept
from hedged.act.overrides import overrides, set_override
from hedged.adapters.store.sql import SqlStore
from hedged.daemon.commands import AUDITED_A_MINUTE, TELL_EVERY, Commands
from hedged.errors import StoreUnavailable
from hedged.model.command import CommandRow, Reply, Verb
from hedged.model.finding import Kind, Severity
from hedged.model.policy import World
from hedged.model.proposal import Verdict
from hedged.model.timing import Override
from tests.store_samples import alert, proposal, record
from tests.support import T0, ManualClock

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    made = SqlStore(tmp_path / "hedged.db")
    await made.open("main", World.PAPER, T0)
    yield made
    await made.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def commands(store: SqlStore, clock: ManualClock) -> Commands:
    return new(store, clock)


def new(store: SqlStore, clock: ManualClock) -> Commands:
    """As a process that starts has it."""
    made = Commands(store, "main", ["alts"], frozenset(Verb), clock)
    made.brake = Brake(store)
    return made


class Asker:
    """Makes commands, each with a nonce of its own."""

    def __init__(self) -> None:
        self.n = 0

    def __call__(self, now: datetime = T0, **fields: Any) -> bytes:
        self.n += 1
        right = {"request": f"r{self.n}", "nonce": f"nonce-{self.n:04}", "expires": text(now + timedelta(minutes=5))}
        return json.dumps({**right, **fields}).encode()


def text(moment: datetime) -> str:
    return moment.isoformat()


@pytest.fixture
def ask() -> Asker:
    return Asker()


async def audit(store: SqlStore) -> list[tuple[str, str]]:
    """Verb and outcome, the oldest first."""
    return [(row.verb, row.outcome.value) for row in reversed(await store.past_commands(999))]


def said(reply: Reply | None) -> str:
    assert reply is not None
    return f"{'ok' if reply.ok else 'no'}: {reply.text}"


async def test_pause_holds_before_it_is_answered(store: SqlStore, commands: Commands, ask: Asker) -> None:
    """When the answer comes the brake holds, and the reason stands in the store."""
    reply = await commands.take("mqtt", "pause", ask(reason="storm"))
    assert said(reply) == "ok: main is paused: no new order until `hedged resume` on the machine where it runs"
    assert commands.brake is not None
    assert commands.brake.why == "paused since 2026-11-02 12:00:00 UTC by a command (mqtt): storm"
    assert said(await commands.take("mqtt", "pause", ask(reason="again"))).startswith(
        "ok: main is paused already, since"
    )
    stop = (await kept(store)).paused
    assert stop is not None
    assert stop.reason == "storm", "the first reason stays"


async def test_set_ratio_and_back(store: SqlStore, commands: Commands, ask: Asker) -> None:
    """For a while, and the configured one again; only of a hedge that there is."""
    until = {"until": text(T0 + HOUR)}
    reply = await commands.take("mqtt", "set-ratio", ask(hedge="alts", ratio=0.4, **until))
    assert said(reply) == "ok: alts: 0.4 until 2026-11-02 13:00 UTC, from the next cycle on"
    assert await overrides(store) == {"alts": Override(Decimal("0.400000000"), T0 + HOUR)}
    assert said(await commands.take("mqtt", "set-ratio", ask(hedge="alts", ratio=None))).startswith(
        "ok: alts: the conf"
    )
    assert await overrides(store) == {}
    unknown = await commands.take("mqtt", "set-ratio", ask(hedge="all", ratio=1, **until))
    assert said(unknown) == "no: 'all' is not a hedge of main"


@pytest.mark.parametrize("fields", [{"ratio": None}, {"ratio": 1, "until": text(T0 + HOUR)}])
async def test_a_hedge_unwound_at_the_machine_stays_unwound(
    store: SqlStore, commands: Commands, ask: Asker, fields: dict[str, Any]
) -> None:
    """What a person closed for good there is not opened again from outside."""
    await set_override(store, "alts", Override(Decimal(0), None), T0)
    reply = await commands.take("mqtt", "set-ratio", ask(hedge="alts", **fields))
    assert said(reply).startswith("no: alts was unwound on the machine")
    assert await overrides(store) == {"alts": Override(Decimal(0), None)}


async def test_acknowledge_and_silence(store: SqlStore, commands: Commands, ask: Asker) -> None:
    """Both go where the command line's go; what does not fire cannot be acknowledged."""
    await store.record_cycle(record(1, alerts=[alert("a", "e1")]), [])
    assert said(await commands.take("mqtt", "ack", ask(alert="e1"))) == "ok: e1 is acknowledged: it is repeated no more"
    reply = await commands.take("mqtt", "ack", ask(alert="drift/a", until=text(T0 + HOUR)))
    assert said(reply) == "ok: drift/a is acknowledged: it is not repeated before 2026-11-02 13:00 UTC"
    assert [(each.event_id, each.by) for each in await store.acknowledgements()] == [("e1", "mqtt")]
    assert said(await commands.take("mqtt", "ack", ask(alert="drift/b"))) == "no: nothing fires under drift/b"
    reply = await commands.take("mqtt", "silence", ask(pattern="drift/*", until=text(T0 + DAY), reason="moving"))
    assert said(reply).endswith("nothing is told of drift/* until 2026-11-03 12:00 UTC")
    assert [(each.pattern, each.by, each.reason) for each in await store.silences(T0)] == [
        ("drift/*", "mqtt", "moving")
    ]


@pytest.mark.parametrize(("verb", "verdict"), [("approve", Verdict.APPROVED), ("reject", Verdict.REJECTED)])
async def test_an_answer_needs_the_digest_of_what_was_seen(
    store: SqlStore, commands: Commands, ask: Asker, verb: str, verdict: Verdict
) -> None:
    """With another one nothing is decided; with the right one it is, once."""
    made = proposal()
    await store.record_cycle(record(1, proposals=[made]), [])
    forged = await commands.take("mqtt", verb, ask(proposal=made.id, digest="0" * 64))
    assert said(forged).startswith("no: proposal 0badcafe has other numbers")
    found = await store.proposal(made.id)
    assert found is not None
    assert found.verdict is Verdict.OPEN
    assert said(await commands.take("mqtt", verb, ask(proposal=made.id, digest=made.digest))).startswith("ok: proposal")
    found = await store.proposal(made.id)
    assert found is not None
    assert (found.verdict, found.decided_by) == (verdict, "mqtt")
    again = await commands.take("mqtt", "approve", ask(proposal=made.id, digest=made.digest))
    assert said(again).startswith("no: proposal 0badcafe is")


async def test_a_command_counts_once(store: SqlStore, commands: Commands, clock: ManualClock, ask: Asker) -> None:
    """Sent again it is dropped: at once, after a restart, and with other contents."""
    first = ask(reason="first")
    assert said(await commands.take("mqtt", "pause", first)).startswith("ok")
    await keep_resumed(store, T0)
    for replayer, payload in (
        (commands, first),
        (new(store, clock), first),
        (new(store, clock), ask(nonce="nonce-0001", reason="other")),
    ):
        assert said(await replayer.take("mqtt", "pause", payload)) == "no: dropped, replayed: its nonce was used before"
    assert (await kept(store)).paused is None
    assert await audit(store) == [("pause", "done"), *[("pause", "dropped")] * 3]


@pytest.mark.parametrize("jump", [-30 * DAY, -10 * timedelta(minutes=1), 30 * DAY])
async def test_a_clock_that_jumps_uses_no_nonce_again(
    store: SqlStore, commands: Commands, clock: ManualClock, ask: Asker, jump: timedelta
) -> None:
    """Forth and back again, thinned in between: a command that was done is not done again."""
    payload = ask()
    assert said(await commands.take("mqtt", "pause", payload)).startswith("ok")
    await keep_resumed(store, T0)
    clock.set(T0 + jump)
    await commands.take("mqtt", "pause", payload)
    await store.thin(clock.now())
    clock.set(T0 + timedelta(seconds=1))
    assert said(await commands.take("mqtt", "pause", payload)).startswith("no: dropped, replayed")
    assert (await kept(store)).paused is None


async def test_one_that_came_late_does_not_count_later_either(
    store: SqlStore, commands: Commands, clock: ManualClock, ask: Asker
) -> None:
    """Expired when it came, it stays so when the clock is set back into its time."""
    payload = ask()
    clock.set(T0 + HOUR)
    assert said(await commands.take("mqtt", "pause", payload)).startswith("no: dropped, expired")
    clock.set(T0)
    assert said(await commands.take("mqtt", "pause", payload)).startswith("no: dropped, replayed")
    assert (await kept(store)).paused is None


async def test_dropped_ones_are_told_in_one_finding(commands: Commands, clock: ManualClock, ask: Asker) -> None:
    """Once in ten minutes, with how many and why; expired ones alone are no warning."""
    assert list(commands.findings(T0)) == []
    await commands.take("mqtt", "pause", ask(), retained=True)
    await commands.take("mqtt", "resume", ask())
    await commands.take("mqtt", "pause", b"x")
    await commands.take("mqtt", "pause", b"y")
    (found,) = commands.findings(T0)
    assert (found.kind, found.subject, found.severity) == (Kind.COMMANDS_DROPPED, "main", Severity.WARNING)
    assert "dropped: 2 mistyped, 1 not allowed, 1 retained." in found.text
    await commands.take("mqtt", "pause", ask(T0 - DAY))
    assert list(commands.findings(T0)) == [], "too soon"
    clock.advance(TELL_EVERY)
    (found,) = commands.findings(clock.now())
    assert (found.severity, found.values) == (Severity.INFO, {"expired": 1})
    clock.advance(TELL_EVERY)
    assert list(commands.findings(clock.now())) == [], "nothing new"


async def test_a_flood_of_dropped_ones_fills_no_database(
    store: SqlStore, commands: Commands, clock: ManualClock
) -> None:
    """So many a minute are kept and logged; all are counted."""
    with structlog.testing.capture_logs() as logs:
        for _ in range(3 * AUDITED_A_MINUTE):
            await commands.take("mqtt", "pause", b"x")
    assert len(await audit(store)) == len(logs) == AUDITED_A_MINUTE
    (found,) = commands.findings(T0)
    assert found.values == {"mistyped": 3 * AUDITED_A_MINUTE}
    clock.advance(60)
    await commands.take("mqtt", "pause", b"x")
    assert len(await audit(store)) == AUDITED_A_MINUTE + 1


async def test_untrusted_text_stays_out_of_the_log(commands: Commands, store: SqlStore) -> None:
    """No line break, no escape, no endless line, whatever was sent."""
    verb = "x\n\x1b[31m" + "y" * 500
    with structlog.testing.capture_logs() as logs:
        await commands.take("mqtt", verb, b'{"\\u001b\\n": 1}')
        await commands.take("mqtt", "pause", b'{"\\u001b\\n' + b"z" * 300 + b'": 1, "request": "r"}')
    (found,) = commands.findings(T0)
    shown = [*(value for line in logs for value in line.values()), found.text, *(row[0] for row in await audit(store))]
    assert all(str(each).isprintable() and len(str(each)) < 200 for each in shown)


def failing(store: SqlStore, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    async def fails(*_: object) -> bool:
        raise StoreUnavailable("the disk is full")

    for name in names:
        monkeypatch.setattr(store, name, fails)


async def test_a_store_that_fails_does_nothing_and_says_so(
    store: SqlStore, commands: Commands, ask: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a durable nonce nothing is done; dropped ones still get their answer."""
    failing(store, monkeypatch, "claim_command", "note_command")
    assert said(await commands.take("mqtt", "pause", ask())) == "no: not done: the disk is full"
    assert said(await commands.take("mqtt", "resume", ask())).startswith("no: dropped")
    monkeypatch.undo()
    assert (await kept(store)).paused is None


async def test_a_death_in_between_uses_the_nonce_up(
    store: SqlStore, commands: Commands, clock: ManualClock, ask: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken, and then nothing: the row says so, and a second process does not do it again."""

    async def dies(_: CommandRow) -> None:
        raise KeyboardInterrupt

    payload = ask()
    monkeypatch.setattr(store, "end_command", dies)
    with pytest.raises(KeyboardInterrupt):
        await commands.take("mqtt", "pause", payload)
    monkeypatch.undo()
    assert await audit(store) == [("pause", "taken")]
    assert said(await new(store, clock).take("mqtt", "pause", payload)).startswith("no: dropped, replayed")


async def test_nobody_is_answered_without_a_name_to_answer_to(commands: Commands, ask: Asker) -> None:
    """A reply needs the request that it answers."""
    assert await commands.take("mqtt", "pause", b"x") is None
    assert await commands.take("mqtt", "pause", ask(request="a/b")) is None
    assert await commands.take("mqtt", "pause", ask(), retained=True) is None
