"""What Home Assistant is told so that it shows a portfolio as a device. Pure.

One retained message to `<prefix>/device/<id>/config` describes every entity: where its value lies among our own
topics, how to read it there, its unit and class. A ratio is shown in per cent: Home Assistant has no class for it, and
`distance` is a length. Money is in the portfolio's quote, which need not be a currency of ISO 4217, so it has no class
either. Null becomes `None`, which Home Assistant shows as unknown.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from hedged import __version__
from hedged.adapters.channels.mqtt_topics import Topics

BIRTH = "homeassistant/status"  # where it says `online` when it starts, whatever the prefix of its discovery
LEAST_EXPIRY = timedelta(minutes=1)

_PROBLEM = {"p": "binary_sensor", "dev_cla": "problem"}
_PERCENT = {"unit_of_meas": "%", "stat_cla": "measurement", "sug_dsp_prc": 1}

_Entities = dict[str, dict[str, object]]


@dataclass(frozen=True, slots=True)
class Discovery:
    """`expire_after`: how long a value is shown without a new one; then the entity is unavailable."""

    topics: Topics
    expire_after: timedelta
    prefix: str = "homeassistant"

    @property
    def device(self) -> str:
        """Letters, digits, `_` and `-` alone, and another one for every topic tree."""
        plain = re.sub(r"[^A-Za-z0-9_-]+", "_", self.topics.instance)[:40]
        return f"hedged_{plain}_{hashlib.sha256(self.topics.root.encode()).hexdigest()[:8]}"

    @property
    def topic(self) -> str:
        return f"{self.prefix}/device/{self.device}/config"

    def message(self, state: Mapping[str, object]) -> dict[str, object]:
        """The device with an entity for each figure of `state` (the object of `once --json`)."""
        quote = str(state.get("quote") or "")
        entities: _Entities = dict(self._portfolio())
        for row in _rows(state, "hedges"):
            entities |= self._hedge(str(row["name"]), quote)
        for row in _rows(state, "margin"):
            entities |= self._margin(str(row["account"]))
        return {
            "dev": {
                "ids": [self.device],
                "name": f"hedged {self.topics.instance}",
                "mf": "hedged",
                "mdl": f"{state.get('world', 'unknown')} world",
                "sw": __version__,
            },
            "o": {"name": "hedged", "sw": __version__},
            "avty_t": self.topics.status,
            "cmps": entities,
        }

    def _portfolio(self) -> Iterator[tuple[str, dict[str, object]]]:
        topic = self.topics.summary
        yield self._entity(
            "last_success", "Last successful cycle", topic, "{{ value_json.now }}", {"dev_cla": "timestamp"}
        )
        problem = "{{ 'ON' if value_json.problem else 'OFF' }}"
        yield self._entity("problem", "Problem", topic, problem, _PROBLEM)
        stopped = "{{ 'ON' if value_json.paused or value_json.halted else 'OFF' }}"
        yield self._entity("stopped", "Orders stopped", topic, stopped, _PROBLEM)

    def _hedge(self, name: str, quote: str) -> _Entities:
        topic, key = self.topics.hedge(name), f"hedge_{_digest(name)}"
        problem = "{{ 'OFF' if value_json.state in ['ok', 'no_exposure'] else 'ON' }}"
        money: dict[str, object] = {"stat_cla": "measurement", "sug_dsp_prc": 0}
        money |= {"unit_of_meas": quote} if quote else {}
        return dict(
            [
                self._percent(f"{key}_ratio", f"{name} hedge ratio", topic, "hedge_ratio"),
                self._percent(f"{key}_target", f"{name} target ratio", topic, "target_ratio"),
                self._percent(f"{key}_drift", f"{name} drift", topic, "drift"),
                self._entity(f"{key}_exposure", f"{name} exposure", topic, "{{ value_json.exposure_value }}", money),
                self._entity(f"{key}_problem", f"{name} problem", topic, problem, _PROBLEM),
            ]
        )

    def _margin(self, account: str) -> _Entities:
        topic, key = self.topics.margin(account), f"margin_{_digest(account)}"
        distance = "liquidation_distance_ratio"
        return dict(
            [
                self._percent(f"{key}_ratio", f"{account} margin ratio", topic, "margin_ratio"),
                self._percent(f"{key}_distance", f"{account} liquidation distance", topic, distance),
            ]
        )

    def _percent(self, key: str, name: str, topic: str, figure: str) -> tuple[str, dict[str, object]]:
        value = f"value_json.{figure}"
        template = f"{{{{ (100 * {value}) | round(4) if {value} is number else None }}}}"
        return self._entity(key, name, topic, template, _PERCENT)

    def _entity(
        self, key: str, name: str, topic: str, template: str, more: Mapping[str, object]
    ) -> tuple[str, dict[str, object]]:
        return key, {
            "p": "sensor",
            "uniq_id": f"{self.device}_{key}",
            "name": name,
            "stat_t": topic,
            "val_tpl": template,
            "exp_aft": int(max(self.expire_after, LEAST_EXPIRY).total_seconds()),
            **more,
        }


def leaving(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, object] | None:
    """`after` with the entities of `before` that left, each as its platform alone: so they are removed. None: none."""
    kept, now = _entities(before), _entities(after)
    gone = {key: {"p": entity["p"]} for key, entity in kept.items() if key not in now and "p" in entity}
    return {**after, "cmps": {**now, **gone}} if gone else None


def _entities(message: Mapping[str, object]) -> Mapping[str, Mapping[str, object]]:
    found = message.get("cmps")
    return {key: value for key, value in found.items() if isinstance(value, dict)} if isinstance(found, dict) else {}


def _digest(name: str) -> str:
    """The same for the same name, whatever characters are in it."""
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def _rows(state: Mapping[str, object], key: str) -> Iterator[Mapping[str, object]]:
    rows = state.get(key)
    if isinstance(rows, list | tuple):
        yield from rows
