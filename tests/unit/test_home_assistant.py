"""How the portfolio is described to Home Assistant, against Home Assistant's own rules."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import jinja2
import pytest

from hedged.adapters.channels.home_assistant import Discovery, leaving
from hedged.adapters.channels.mqtt_topics import Topics
from tests.build import hedge, policy
from tests.fakes import FakeVenue, wire
from tests.home_assistant_rules import SENSOR, problems
from tests.support import ManualClock

NAMES = ["alts", "a/b#c+d %", "Ω – größer", "x" * 64, "\ufdd0"]
STALE = timedelta(minutes=3)


def described(name: str = "demo", prefix: str = "hedged", **more: Any) -> Discovery:
    return Discovery(Topics(prefix, name), STALE, **more)


def state(*hedges: str, accounts: tuple[str, ...] = ("main",), **more: Any) -> dict[str, object]:
    rows = [
        {"name": name, "hedge_ratio": 0.912345678, "target_ratio": 1.0, "drift": -0.08, "state": "under", "exposure_value": "1000.5"}
        for name in hedges
    ]  # fmt: skip
    margin = [{"account": name, "margin_ratio": 0.25, "liquidation_distance_ratio": 0.5} for name in accounts]
    return {"now": "2026-11-02T12:00:00Z", "mode": "paper", "world": "paper", "quote": "USDT", "hedges": rows, "margin": margin, **more}  # fmt: skip


async def real_state() -> Mapping[str, object]:
    """Of a whole cycle."""
    from hedged.cycle import run_cycle

    clock = ManualClock()
    venue = FakeVenue(clock)
    venue.hold(ETH=12)
    portfolio = await wire(policy(hedge("ETH")), clock, venue)
    return (await run_cycle(portfolio, clock.now())).state


@pytest.mark.parametrize("instance", NAMES)
@pytest.mark.parametrize("prefix", ["hedged", "home/hedged"])
def test_home_assistant_accepts_it(instance: str, prefix: str) -> None:
    """Whatever the portfolio, its hedges and accounts are called."""
    discovery = described(instance, prefix)
    message = json.loads(json.dumps(discovery.message(state(*NAMES))))
    assert list(problems(discovery.topic, message)) == []
    assert len(message["cmps"]) == 3 + 5 * len(NAMES) + 2


async def test_home_assistant_accepts_what_a_cycle_gives() -> None:
    """Of the state of a whole cycle, and each entity finds its value in what is retained."""
    found = await real_state()
    discovery = described()
    message = discovery.message(found)
    assert list(problems(discovery.topic, message)) == []
    retained = discovery.topics.states(found)
    shown = {key: rendered(entity, retained[entity["stat_t"]]) for key, entity in message["cmps"].items()}
    assert all(shown.values()), "an empty text would be ignored, and the old value kept"
    assert shown["last_success"] == found["now"]


BREAKS: dict[str, Callable[[dict[str, Any], dict[str, Any]], object]] = {
    "no identifier": lambda whole, _: whole["dev"].update(ids=[]),
    "no origin": lambda whole, _: whole.pop("o"),
    "a key that nobody knows": lambda whole, _: whole.update(cmp={}),
    "a platform that nobody knows": lambda _, one: one.update(p="thermometer"),
    "no unique_id": lambda _, one: one.pop("uniq_id"),
    "a unique_id twice": lambda whole, one: whole["cmps"].update(again=dict(one)),
    "no state topic": lambda _, one: one.pop("stat_t"),
    "a wildcard": lambda _, one: one.update(stat_t="hedged/+/status"),
    "a control character": lambda _, one: one.update(stat_t="hedged/\x07"),
    "a class that nobody knows": lambda _, one: one.update(dev_cla="ratio"),
    "a ratio as a distance": lambda _, one: one.update(dev_cla="distance"),
    "money as a measurement": lambda _, one: one.update(dev_cla="monetary", unit_of_meas="USD"),
    "a time as a measurement": lambda _, one: one.update(dev_cla="timestamp"),
    "an angle in per cent": lambda _, one: one.update(stat_cla="measurement_angle"),
    "a state class that nobody knows": lambda _, one: one.update(stat_cla="gauge"),
    "a half second": lambda _, one: one.update(exp_aft=0.5),
}


@pytest.mark.parametrize("what", BREAKS)
def test_the_rules_would_notice(what: str) -> None:
    """Each rule refuses what breaks it; a check that accepts everything shows nothing."""
    discovery = described()
    message = json.loads(json.dumps(discovery.message(state("alts"))))
    one = next(entity for key, entity in message["cmps"].items() if key.endswith("_ratio"))
    BREAKS[what](message, one)
    assert list(problems(discovery.topic, message)) != []


def test_the_table_is_whole() -> None:
    """As many classes as Home Assistant has; those without units are the four that it does not check."""
    assert len(SENSOR) == 60
    assert {name for name, (units, _) in SENSOR.items() if units is None} == {"date", "enum", "monetary", "timestamp"}


def rendered(entity: Mapping[str, Any], payload: Mapping[str, object]) -> str:
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(entity["val_tpl"])
    return template.render(value_json=json.loads(json.dumps(payload)))


@pytest.mark.parametrize(
    ("entity", "changes", "shown"),
    [
        ("ratio", {}, "91.2346"),
        ("ratio", {"hedge_ratio": 0}, "0"),
        ("ratio", {"hedge_ratio": None}, "None"),  # which is Home Assistant's word for unknown
        ("target", {}, "100.0"),
        ("drift", {}, "-8.0"),
        ("drift", {"drift": None}, "None"),
        ("exposure", {}, "1000.5"),
        ("exposure", {"exposure_value": None}, "None"),
        ("problem", {}, "ON"),
        ("problem", {"state": "ok"}, "OFF"),
        ("problem", {"state": "no_exposure"}, "OFF"),
        ("problem", {"state": "blocked"}, "ON"),
    ],
)
def test_a_hedge_is_shown(entity: str, changes: dict[str, object], shown: str) -> None:
    """In per cent, and unknown is unknown and never 0."""
    whole = state("alts")
    whole["hedges"] = [{**whole["hedges"][0], **changes}]
    assert entity_text(whole, "alts", entity) == shown


@pytest.mark.parametrize(
    ("entity", "changes", "shown"),
    [
        ("ratio", {}, "25.0"),
        ("ratio", {"margin_ratio": None}, "None"),
        ("distance", {}, "50.0"),
        ("distance", {"liquidation_distance_ratio": None}, "None"),
    ],
)
def test_an_account_is_shown(entity: str, changes: dict[str, object], shown: str) -> None:
    """Margin ratio and liquidation distance in per cent."""
    whole = state("alts")
    whole["margin"] = [{**whole["margin"][0], **changes}]
    assert entity_text(whole, "main", entity) == shown


FINDINGS = [{"severity": "info"}], [{"severity": "info"}, {"severity": "warning"}], [{"severity": "critical"}]


@pytest.mark.parametrize(
    ("entity", "changes", "shown"),
    [
        ("last_success", {}, "2026-11-02T12:00:00Z"),
        ("problem", {}, "OFF"),
        ("problem", {"findings": FINDINGS[0]}, "OFF"),
        ("problem", {"findings": FINDINGS[1]}, "ON"),
        ("problem", {"findings": FINDINGS[2]}, "ON"),
        ("problem", {"paused": {"since": "x"}}, "ON"),
        ("stopped", {"paused": None, "halted": None}, "OFF"),
        ("stopped", {"paused": {"since": "x"}}, "ON"),
        ("stopped", {"halted": {"since": "x"}}, "ON"),
    ],
)
def test_the_portfolio_is_shown(entity: str, changes: dict[str, object], shown: str) -> None:
    """When it last worked, whether anything is wrong, whether orders are stopped."""
    assert entity_text(state("alts", **changes), None, entity) == shown


def entity_text(whole: dict[str, object], subject: str | None, name: str) -> str:
    discovery = described()
    retained = discovery.topics.states(whole)
    topics = {
        None: discovery.topics.summary,
        "alts": discovery.topics.hedge("alts"),
        "main": discovery.topics.margin("main"),
    }
    (found,) = (
        entity
        for key, entity in discovery.message(whole)["cmps"].items()
        if entity["stat_t"] == topics[subject] and key.rpartition("_")[2] == name.rpartition("_")[2]
    )
    return rendered(found, retained[found["stat_t"]])


def test_a_value_is_shown_as_long_as_it_counts_as_fresh() -> None:
    """But at least a minute, and it goes with the daemon."""
    for every, seconds in ((STALE, 180), (timedelta(seconds=3), 60)):
        message = Discovery(Topics("hedged", "demo"), every).message(state("alts"))
        assert {entity["exp_aft"] for entity in message["cmps"].values()} == {seconds}
        assert message["avty_t"] == "hedged/demo/status"


def test_ids_stay_and_never_meet() -> None:
    """The same names give the same ids, in whatever order; other names or another tree give others."""
    one, other = described("a/b"), described("a_b")
    assert one.device != other.device
    assert described("demo", "h1").device != described("demo", "h2").device
    assert one.message(state("x", "y"))["cmps"] == one.message(state("y", "x"))["cmps"]
    ids = [entity["uniq_id"] for entity in one.message(state("a/b", "a_b"))["cmps"].values()]
    assert len(set(ids)) == len(ids)


def test_what_left_is_removed_by_its_platform_alone() -> None:
    """That is how Home Assistant takes an entity out of a device; the others stay as they are."""
    discovery = described()
    before, after = discovery.message(state("alts", "majors")), discovery.message(state("alts"))
    removing = leaving(before, after)
    assert removing is not None
    gone = removing["cmps"].keys() - after["cmps"].keys()
    assert len(gone) == 5
    assert all(removing["cmps"][key].keys() == {"p"} for key in gone)
    assert {key: removing["cmps"][key] for key in after["cmps"]} == after["cmps"]
    assert list(problems(discovery.topic, removing)) == []
    assert leaving(after, before) is None


@pytest.mark.parametrize("before", [{}, {"cmps": []}, {"cmps": {"x": 1, "y": {}}}])
def test_what_somebody_else_left_there_is_no_harm(before: dict[str, Any]) -> None:
    """Nothing of it is understood, so nothing is removed."""
    assert leaving(before, described().message(state("alts"))) is None
