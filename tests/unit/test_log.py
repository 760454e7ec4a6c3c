"""What log lines look like, and what never stands in them."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Iterator
from decimal import Decimal

import pytest
import structlog

from hedged.adapters.channels.log import LogChannel
from hedged.adapters.log import configure, scrub
from hedged.model.alert import Message, MessageKind
from hedged.model.finding import Severity
from tests.support import T0


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


LEVELS = [("debug", 7), ("info", 6), ("warning", 4), ("error", 3), ("critical", 2)]


@pytest.mark.parametrize(("level", "priority"), LEVELS)
def test_the_journal_gets_priorities(level: str, priority: int) -> None:
    """Each line begins with its syslog priority; fields follow as key=value, without a time of its own."""
    stream = io.StringIO()
    configure(stream, journal=True, level="debug")
    getattr(structlog.get_logger(), level)("order filled", account="main", price=Decimal("3001.2"), note="two words")
    assert stream.getvalue() == f'<{priority}>order filled account=main price=3001.2 note="two words"\n'


def test_a_traceback_is_one_journal_line() -> None:
    """Further lines would get the default priority."""
    stream = io.StringIO()
    configure(stream, journal=True)
    try:
        raise ValueError("no such market")
    except ValueError:
        structlog.get_logger().exception("cycle failed")
    (line,) = stream.getvalue().splitlines()
    assert line.startswith("<3>cycle failed")
    assert "ValueError: no such market" in line


def test_json_on_request() -> None:
    """One object a line, with time, level, event and fields."""
    stream = io.StringIO()
    configure(stream, json=True)
    structlog.get_logger().warning("drift", hedge="alts", values={"ratio": Decimal("0.91")}, assets=("ETH", "币"))
    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "drift", "level": "warning", "hedge": "alts", "values": {"ratio": "0.91"}, "assets": ["ETH", "币"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("stream", "no_colour", "coloured"), [(Terminal(), "", True), (Terminal(), "1", False), (io.StringIO(), "", False)]
)
def test_colour_only_on_a_terminal(
    stream: io.StringIO, no_colour: str, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Escape codes go to a terminal alone, and not there when NO_COLOR is set."""
    monkeypatch.setenv("NO_COLOR", no_colour)
    configure(stream)
    structlog.get_logger().info("started")
    assert ("\x1b[" in stream.getvalue()) is coloured
    assert "started" in stream.getvalue()


def test_the_journal_is_recognised(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """By device and inode: a stream that was redirected elsewhere is not the journal's."""
    reading, writing = os.pipe()
    stat = os.fstat(writing)
    with os.fdopen(reading) as reader, os.fdopen(writing, "w") as writer:
        for inode, start in ((stat.st_ino, "<6>started"), (stat.st_ino + 1, "20")):
            monkeypatch.setenv("JOURNAL_STREAM", f"{stat.st_dev}:{inode}")
            configure(writer)
            structlog.get_logger().info("started")
            assert reader.readline().startswith(start)


def test_the_cycle_stands_on_every_line() -> None:
    """On those of other libraries too."""
    stream = io.StringIO()
    configure(stream, json=True)
    structlog.contextvars.bind_contextvars(cycle="c1")
    structlog.get_logger().info("ours")
    logging.getLogger("ccxt.base").warning("theirs %s", "too")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["cycle"]) for line in lines] == [("ours", "c1"), ("theirs too", "c1")]


def test_levels_and_talkative_libraries() -> None:
    """What is below the level is not written, nor what a scheduler or a notification library chats."""
    stream = io.StringIO()
    configure(stream, journal=True, level="info")
    structlog.get_logger().debug("detail")
    logging.getLogger("apscheduler.executors").info("running job")
    logging.getLogger("apprise").error("Failed to send to tgram://secret")
    logging.getLogger("mqtt").error("socket gone")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("level", ["debug", "info", "error", "critical"])
def test_what_a_notification_library_complains_of_can_be_heard(level: str) -> None:
    """Its log is its only way to give a reason, which `hedged notify test` and `hedged doctor` have to show."""
    configure(io.StringIO(), journal=True, level=level)
    assert logging.getLogger("apprise").isEnabledFor(logging.WARNING)


SECRETS = [
    ("GET https://fapi.binance.com/fapi/v2/positionRisk?timestamp=1&signature=SECRET",
     "GET https://fapi.binance.com/fapi/v2/positionRisk?***"),
    ("mqtt://hedged:SECRET@broker:8883/x", "mqtt://broker:8883/x"),
    ("https://hc-ping.com/0c1a2b3c-SECRET-4567", "https://hc-ping.com/***"),
    ("https://hooks.slack.com/services/T00000000/B00000000/SECRETSECRETSECRET1234",
     "https://hooks.slack.com/services/***/***/***"),
    ("tgram://123456789:SECRET/42", "tgram://***"),
    ("discord://4174216298/SECRET", "discord://***"),
    ("bot 123456789:SECRETSECRETSECRETSECRETSECRETSECRET said no", "bot *** said no"),
    ('{"apiKey": "SECRET", "password":"SECRET"}', '{"apiKey": ***, "password":***}'),
    ("api_key=SECRET&recvWindow=5", "api_key=***&recvWindow=5"),
    ("Authorization: Bearer SECRET", "Authorization: ***"),
    ("X-MBX-APIKEY: SECRET", "X-MBX-APIKEY: ***"),
    ("evil\x1b[2Jname\x00", "evil\N{REPLACEMENT CHARACTER}[2Jname\N{REPLACEMENT CHARACTER}"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "scrubbed"), SECRETS)
def test_secrets_are_scrubbed(text: str, scrubbed: str) -> None:
    """Addresses lose what may be a token, pairs lose their value; what helps to find a fault stays."""
    assert scrub(text) == scrubbed


@pytest.mark.parametrize("json_form", [True, False])
def test_no_form_of_line_shows_a_secret(json_form: bool) -> None:
    """In the text, in a field, in a field's name, nested, in an exception, in another library's line."""
    stream = io.StringIO()
    configure(stream, json=json_form, journal=not json_form)
    log = structlog.get_logger()
    log.info("see https://x.test/?k=CANARY")
    log.info(
        "see", url="https://u:CANARY@x.test/", password="CANARY", nested={"apiKey": "CANARY", "a": ["secret=CANARY"]}
    )
    log.info("see", error=ValueError("token=CANARY"))
    logging.getLogger("ccxt").error("signature=%s", "CANARY")
    try:
        raise ValueError("https://x.test/?signature=CANARY")
    except ValueError:
        log.exception("failed")
    assert len(stream.getvalue().splitlines()) == 5
    assert "CANARY" not in stream.getvalue()


async def test_the_log_channel_writes_at_the_level_of_the_severity() -> None:
    """A critical alert is a critical line with the event's id; a body of several lines stays one."""
    channel = LogChannel()
    with structlog.testing.capture_logs() as lines:
        for severity in Severity:
            await channel.deliver(
                Message("e1", MessageKind.FIRING, "margin/main", severity, "Margin", "One.\nTwo.", T0)
            )
        await channel.publish_state({})
        await channel.close()
    assert [line["log_level"] for line in lines] == ["info", "warning", "critical"]
    assert all((line["event_id"], line["body"]) == ("e1", "One. Two.") for line in lines)
