"""What a person sees and says of alerts, over a real database, while a daemon works on it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, time, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from hedged import app as root
from hedged.adapters.channels.apprise import AppriseChannel
from hedged.adapters.channels.exec import ExecChannel
from hedged.adapters.channels.log import LogChannel
from hedged.adapters.channels.mqtt import MqttChannel
from hedged.adapters.channels.telegram import TelegramChannel
from hedged.adapters.clock import SystemClock, SystemIds
from hedged.adapters.store.sql import SqlStore
from hedged.cycle import Portfolio
from hedged.errors import ConfigurationError
from hedged.model.alert import AlertState, Message, MessageKind, Told
from hedged.model.finding import Kind, Severity
from hedged.model.policy import World
from hedged.settings import load
from hedged.tell.route import SAYING_NOTHING
from tests.contract.test_notifications import serving
from tests.scenario.test_commands import ask, config  # noqa: F401
from tests.store_samples import alert, record

Config = Callable[..., Path]
T = TypeVar("T")
MINUTE = timedelta(minutes=1)


def in_store(path: Path, work: Callable[[SqlStore], Awaitable[T]]) -> T:
    async def run() -> T:
        store = SqlStore(path.with_suffix(".sqlite"))
        await store.open("mine", World.SIMULATED, SystemClock().now())
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


@pytest.fixture
def path(config: Config) -> Path:  # noqa: F811
    """A store with a margin that is critical and told, a drift that is told on one channel of two, and one that is over."""
    made = config()

    async def fill(store: SqlStore) -> None:
        now = SystemClock().now()
        margin = replace(
            alert("x", "m1", at=now - MINUTE), key="margin/sim", kind=Kind.MARGIN, subject="sim",
            severity=Severity.CRITICAL, told_at=now, told_in="m1", risen_at=now, text="88 % of equity.\x1b[2J",
        )  # fmt: skip
        drift = replace(alert("alts", "d1", at=now - MINUTE), told_at=now, told_in="g1")
        over = replace(alert("old", "o1", AlertState.RESOLVED, at=now - MINUTE), told_at=now)
        messages = [
            Message("m1", MessageKind.FIRING, "margin/sim", Severity.CRITICAL, "t", "b", now),
            Message("g1", MessageKind.FIRING, "drift/*", Severity.WARNING, "t", "b", now,
                    alerts=(Told("d1", "drift/alts", MessageKind.FIRING, Severity.WARNING),)),
        ]  # fmt: skip
        await store.record_cycle(record(1, at=now, alerts=[margin, drift, over], messages=messages), ["log", "phone"])
        for row in await store.due("log", now, 10):
            await store.delivered(row.id, now)
        (first, _) = await store.due("phone", now, 10)
        await store.failed(first.id, now + MINUTE, "535 wrong password")

    in_store(made, fill)
    return made


def test_what_fires_and_who_was_told(path: Path) -> None:
    """Each with its text, since when, and what each channel made of it; a log is nobody who was told."""
    said = ask("alerts", "-c", path)
    assert said.exit_code == 0, said.output
    margin, drift = said.stdout.split("warning ")
    assert margin.startswith("critical margin/sim  since ")
    assert "88 % of equity." in margin
    assert "\x1b" not in said.stdout, "a name steers no terminal"
    assert "log: firing of" in margin
    assert "phone: firing of" in margin
    assert "on its way, 1 attempt in vain: 535 wrong password" in margin
    assert "not confirmed" in margin
    assert "drift/alts" in drift
    assert "drift/old" not in said.stdout
    assert "drift/old  over since" in ask("alerts", "--over", "-c", path).stdout
    assert "phone: 2 messages wait" in said.stdout


def test_all_of_one(path: Path) -> None:
    """By event, by key or by a message about several: the whole text, its numbers, every message and its deliveries."""
    for what in ("m1", "margin/sim"):
        said = ask("alerts", what, "-c", path)
        assert said.exit_code == 0, said.output
        assert "88 % of equity." in said.stdout
        assert "You can add collateral" in said.stdout
        assert "drift = -0.08" in said.stdout
        assert "on its way, 1 attempt in vain: 535 wrong password" in said.stdout
        assert "drift/alts" not in said.stdout
    group = ask("alerts", "g1", "-c", path)
    assert "drift/alts" in group.stdout
    assert "makes no order" not in group.stdout, "one may have been made, which its messages tell"
    over = ask("alerts", "o1", "-c", path)
    assert "It is over since" in over.stdout
    missing = ask("alerts", "margin/none", "-c", path)
    assert missing.exit_code == 1
    assert "nothing is kept of 'margin/none'" in missing.stderr
    shown = json.loads(ask("alerts", "m1", "--json", "-c", path).stdout)
    assert (shown["schema"], shown["event_id"]) == ("hedged.event/1", "m1")
    assert [each["deliveries"][0]["channel"] for each in shown["messages"]] == ["log"]


def test_the_same_as_json(path: Path) -> None:
    """With a schema, for scripts and pages."""
    shown = json.loads(ask("alerts", "--json", "-c", path).stdout)
    assert (shown["schema"], shown["portfolio"], shown["world"]) == ("hedged.alerts/1", "mine", "simulated")
    margin, drift = shown["alerts"]
    assert (margin["key"], margin["event_id"], margin["protected"], margin["confirmed"]) == (
        "margin/sim",
        "m1",
        True,
        False,
    )
    assert [(each["channel"], each["attempts"], each["error"]) for each in margin["deliveries"]] == [
        ("log", 0, None), ("phone", 1, "535 wrong password"),
    ]  # fmt: skip
    assert [each["channel"] for each in drift["deliveries"]] == ["log", "phone"], "those of the message of its group"
    assert shown["waiting"] == {"phone": 2}


def test_acknowledging(path: Path) -> None:
    """By key, event or message; what does not fire is an error; what cannot be put off is said to be repeated."""
    assert ask("ack", "drift/nothing", "-c", path).exit_code == 1
    assert ask("ack", "o1", "-c", path).exit_code == 1, "it is over"
    said = ask("ack", "margin/sim", "--by", "ann", "--for", "2h", "-c", path)
    assert said.exit_code == 0, said.output
    assert "margin/sim is repeated all the same" in said.stderr
    assert ask("ack", "g1", "--by", "bob", "-c", path).exit_code == 0
    shown = json.loads(ask("alerts", "--json", "-c", path).stdout)["alerts"]
    assert [each["acknowledged"]["by"] for each in shown] == ["ann", "bob"]
    assert shown[0]["acknowledged"]["until"] is not None
    assert shown[1]["acknowledged"]["until"] is None
    assert shown[0]["confirmed"], "a person knows"
    assert "acknowledged by ann" in ask("alerts", "-c", path).stdout


def test_silencing(path: Path) -> None:
    """For a while, with a reason and an author; listed, and taken back by its id."""
    assert "nothing is silenced" in ask("silence", "-c", path).stdout
    said = ask("silence", "*", "--for", "2h", "--reason", "moving coins", "--by", "ann", "-c", path)
    assert said.exit_code == 0, said.output
    assert "margin/sim: told all the same" in said.stdout
    (listed,) = json.loads(ask("silence", "--json", "-c", path).stdout)["silences"]
    assert (listed["pattern"], listed["by"], listed["reason"]) == ("*", "ann", "moving coins")
    shown = json.loads(ask("alerts", "--json", "-c", path).stdout)["alerts"]
    assert [each["silenced"] and each["silenced"]["id"] for each in shown] == [None, listed["id"]]
    assert ask("silence", "--remove", listed["id"], "-c", path).exit_code == 0
    assert ask("silence", "--remove", listed["id"], "-c", path).exit_code == 1
    assert json.loads(ask("silence", "--json", "-c", path).stdout)["silences"] == []


@pytest.mark.parametrize(
    "wrong",
    [("drift/*",), ("drift/*", "--for", "soon"), ("drift/*", "--for", "31d"), ("--for", "2h"), ("a", "--for", "2h", "--remove", "b"),
     (" ", "--for", "2h")],
)  # fmt: skip
def test_half_a_silence_is_a_usage_error(path: Path, wrong: tuple[str, ...]) -> None:
    """A pattern has a time, a time has a pattern, and a time has a unit and an end."""
    assert ask("silence", *wrong, "-c", path).exit_code == 2


async def test_a_test_message_over_each_channel(config: Config, tmp_path: Path) -> None:  # noqa: F811
    """A line a channel with its own reason, and exit 1 if one did not take it; doctor sends it where asked to."""
    made = config()
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ncat > {tmp_path}/got\n")
    program.chmod(0o700)
    made.write_text(made.read_text() + '[notify]\nexec = ["program"]\n')
    async with serving() as service:
        secrets = tmp_path / "credentials"
        secrets.mkdir()
        urls = f"phone = json://127.0.0.1:{service.port}/CANARY\nmail = json://127.0.0.1:1/CANARY\n"
        (secrets / "notify").write_text(urls)
        (secrets / "notify").chmod(0o600)
        said = await asyncio.to_thread(ask, "notify", "test", "--json", "-c", made)
        assert said.exit_code == 1, said.output
        rows = {row["channel"]: row["error"] for row in json.loads(said.stdout)["channels"]}
        assert {name: error is None for name, error in rows.items()} == {
            "log": True,
            "exec": True,
            "phone": True,
            "mail": False,
        }
        assert "CANARY" not in said.output
        assert json.loads((tmp_path / "got").read_text())["kind"] == "test"
        one = await asyncio.to_thread(ask, "notify", "test", "--channel", "phone", "-c", made)
        assert (one.exit_code, one.stdout) == (0, "✓ phone: taken\n")
        assert (await asyncio.to_thread(ask, "notify", "test", "--channel", "sms", "-c", made)).exit_code == 2
        assert len(service.got) == 2
        doctor = await asyncio.to_thread(ask, "doctor", "--json", "-c", made)
        shown = {row["what"]: row["result"] for row in json.loads(doctor.stdout)["checks"]}
        assert (shown["channel phone"], len(service.got)) == ("unknown", 2), "it sends nothing unasked"
        doctor = await asyncio.to_thread(ask, "doctor", "--notify", "--json", "-c", made)
        shown = {row["what"]: row["result"] for row in json.loads(doctor.stdout)["checks"]}
        assert (shown["channel phone"], shown["channel mail"], shown["channel exec"]) == ("ok", "failed", "ok")
        assert doctor.exit_code == 1


def test_who_is_told_at_once_and_who_later(config: Config, tmp_path: Path) -> None:  # noqa: F811
    """As the configuration has it: the further channels, those that confirm, and how long a critical alert waits."""
    made = config()
    (tmp_path / "credentials").mkdir()
    secret = tmp_path / "credentials" / "notify"
    secret.write_text("phone = json://127.0.0.1:1/\nmail = json://127.0.0.1:2/\n")
    secret.chmod(0o600)
    text = made.read_text()

    def wired(more: str) -> Portfolio:
        made.write_text(text + more)

        async def build() -> Portfolio:
            app = await root.build(load(made), SystemClock(), SystemIds())
            await app.close()
            return app.portfolio

        return asyncio.run(build())

    plain = wired("")
    assert (plain.channels, plain.further) == (("log", "phone", "mail"), ())
    assert plain.rules.further_after is None, "all are told at once: there is nobody further"
    two = wired('[alerts]\nescalate_after = "10m"\ndigest = "07:30"\n[alerts.channels]\nthen = ["mail"]\n')
    assert (two.channels, two.further, two.confirming) == (("log", "phone"), ("mail",), {"phone", "mail"})
    assert (two.rules.further_after, two.rules.confirm_within) == (timedelta(minutes=10), MINUTE)
    assert two.digest_at == time(7, 30, tzinfo=UTC)
    unconfirmed = wired('[alerts.channels]\nfirst = ["log"]\nthen = ["mail", "phone"]\n')
    assert (unconfirmed.channels, unconfirmed.rules.confirm_within) == (("log",), None)
    with pytest.raises(ConfigurationError, match=r"then\[0\] = \"sms\"  is no channel that there is: log, phone, mail"):
        wired('[alerts.channels]\nthen = ["sms"]\n')


def test_which_channels_say_that_people_were_told() -> None:
    """A service behind a URL and Telegram; never the log, a program or a broker, in the daemon and in `hedged alerts`."""
    classes = (LogChannel, MqttChannel, ExecChannel, TelegramChannel, AppriseChannel)
    assert {each.name for each in classes[:3]} == SAYING_NOTHING
    assert [each.confirms for each in classes] == [False, False, False, True, True]


EVENTS = ("0be4b90d-aaaa", "0be4b9ff-bbbb", "77aa0011-cccc")


@pytest.fixture
def several(config: Config) -> Path:  # noqa: F811
    """Two drifts of which ids begin alike, one that is over, a coin with capitals in its key; an hour ago."""
    made = config()

    async def fill(store: SqlStore) -> None:
        then = SystemClock().now() - 60 * MINUTE
        drifts = [replace(alert(name, each, at=then), told_at=then) for name, each in zip("abc", EVENTS, strict=True)]
        drifts[2] = replace(drifts[2], state=AlertState.RESOLVED, resolved_at=then)
        coin = replace(alert("ETH", "e1", at=then), key="no_exposure/ETH", kind=Kind.NO_EXPOSURE)
        await store.record_cycle(record(1, at=then, alerts=[*drifts, coin]), ["log"])

    in_store(made, fill)
    return made


@pytest.mark.parametrize(
    ("what", "keys"),
    [
        ("0be4b90d", ["drift/a"]),
        ("0BE4B90D-AAAA", ["drift/a"]),
        ("77aa00", ["drift/c"]),
        ("77aa0", []),  # too short to name one
        ("0be4b9", []),  # names two
        ("DRIFT/A", ["drift/a"]),
        ("no_exposure/eth", ["no_exposure/ETH"]),
        ("drift", ["drift/a", "drift/b", "drift/c"]),
        ("drift/*", ["drift/a", "drift/b", "drift/c"]),
        ("*/b", ["drift/b"]),
        ("drif", []),
    ],
)
def test_what_is_meant_by_part_of_a_name(several: Path, what: str, keys: list[str]) -> None:
    """The first characters of one id, in whatever case, a pattern as silences have it, or a kind."""
    said = ask("alerts", what, "--json", "-c", several)
    assert said.exit_code == (0 if keys else 1), said.output
    if keys:
        assert [each["key"] for each in json.loads(said.stdout)["alerts"]] == keys
    else:
        assert "must be an event id, the first 6 characters" in said.stderr


def test_when_the_last_cycle_was(path: Path) -> None:
    """Of a daemon that works it is said without alarm."""
    said = ask("alerts", "-c", path).stderr
    assert re.fullmatch(r"last cycle \S+ [\d:]{8} UTC, \d+ s ago\n", said)


def test_an_old_last_cycle_is_said(several: Path) -> None:
    """With the daemon stopped what fires may long be over: it says so, and every time has its zone."""
    for what in ([], ["drift/a"], ["drift/*"]):
        said = ask("alerts", *what, "-c", several)
        assert re.search(
            r"last cycle \S+ [\d:]{8} UTC, 3,6\d\d s ago, at an interval of .*: is the daemon ", said.stderr
        )
        times = re.findall(r"\d\d:\d\d:\d\d(?: UTC)?", said.stdout)
        assert times, said.stdout
        assert all(each.endswith(" UTC") for each in times), said.stdout
