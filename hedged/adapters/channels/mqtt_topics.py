"""Where things lie on the broker.

    <prefix>/<instance>/status               online | offline, retained; offline is also the last will
    <prefix>/<instance>/hedge/<name>/state   JSON, retained: the hedge's item of `once --json`, with `now` and `mode`
    <prefix>/<instance>/margin/<name>/state  JSON, retained: the same of an account's margin
    <prefix>/<instance>/summary              JSON, retained: when the last cycle was, and what is wrong
    <prefix>/<instance>/proposals            JSON, retained: the orders that wait for a word, with what approving takes
    <prefix>/<instance>/alert/<event id>     JSON, QoS 1, not retained
    <prefix>/<instance>/cmd/<verb>           what is asked, where commands are allowed
    <prefix>/<instance>/reply/<request>      what became of it, JSON, QoS 1, not retained

In a name `%`, `#`, `+`, `/` and what is not printable are percent-encoded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from hedged.model.finding import Severity

HEDGE_SCHEMA = "hedged.hedge/1"
MARGIN_SCHEMA = "hedged.margin/1"
SUMMARY_SCHEMA = "hedged.summary/1"
PROPOSALS_SCHEMA = "hedged.proposals/1"


@dataclass(frozen=True, slots=True)
class Topics:
    """Those of one instance."""

    prefix: str
    instance: str

    @property
    def root(self) -> str:
        return f"{self.prefix}/{encode(self.instance)}"

    @property
    def status(self) -> str:
        return f"{self.root}/status"

    @property
    def summary(self) -> str:
        return f"{self.root}/summary"

    @property
    def proposals(self) -> str:
        return f"{self.root}/proposals"

    @property
    def commands(self) -> str:
        """A filter, as are the keys of `own` that hold a `+`."""
        return f"{self.root}/cmd/+"

    @property
    def own(self) -> tuple[str, ...]:
        """Filters of all that is published here, which is read back."""
        levels = ("status", "summary", "proposals", "hedge/+/state", "margin/+/state", "alert/+", "reply/+")
        return tuple(f"{self.root}/{level}" for level in levels)

    def hedge(self, name: str) -> str:
        return f"{self.root}/hedge/{encode(name)}/state"

    def margin(self, account: str) -> str:
        return f"{self.root}/margin/{encode(account)}/state"

    def alert(self, event_id: str) -> str:
        return f"{self.root}/alert/{encode(event_id)}"

    def reply(self, request: str) -> str:
        return f"{self.root}/reply/{encode(request)}"

    def rule(self, topic: str) -> str:
        """What an ACL says of it and its likes: of alerts and replies, which come and go, the filter of all."""
        level = topic.removeprefix(f"{self.root}/").partition("/")[0]
        return f"{self.root}/{level}/+" if level in {"alert", "reply"} else topic

    def verb(self, topic: str) -> str | None:
        """Of a command's topic; None: it is another's."""
        start = f"{self.root}/cmd/"
        return topic.removeprefix(start) if topic.startswith(start) else None

    def is_state(self, topic: str) -> bool:
        """It is retained here, and goes when its subject leaves the configuration."""
        return topic.endswith("/state") and topic.startswith((f"{self.root}/hedge/", f"{self.root}/margin/"))

    def states(self, state: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
        """What is retained of one cycle (the object of `once --json`), by topic."""
        when = {"now": state.get("now"), "mode": state.get("mode")}
        waiting = list(_rows(_table(state, "decision"), "proposals"))
        found: dict[str, Mapping[str, object]] = {
            self.summary: summary(state),
            self.proposals: {"schema": PROPOSALS_SCHEMA, **when, "proposals": waiting},
        }
        for hedge in _rows(state, "hedges"):
            found[self.hedge(str(hedge["name"]))] = {"schema": HEDGE_SCHEMA, **hedge, **when}
        for row in _rows(state, "margin"):
            found[self.margin(str(row["account"]))] = {"schema": MARGIN_SCHEMA, **row, **when}
        return found


def summary(state: Mapping[str, object]) -> dict[str, object]:
    """The portfolio at a glance. `problem`: something is worth a warning at least, or orders are stopped."""
    severities = [row.get("severity") for row in _rows(state, "findings")]
    counts = {each.value: severities.count(each.value) for each in Severity}
    stops = {name: state.get(name) for name in ("paused", "halted")}
    serious = counts[Severity.WARNING.value] + counts[Severity.CRITICAL.value]
    named = ("now", "mode", "world", "portfolio", "quote")
    return {
        "schema": SUMMARY_SCHEMA,
        **{name: state.get(name) for name in named},
        "findings": counts,
        "problem": bool(serious) or any(stop is not None for stop in stops.values()),
        **stops,
    }


def encode(name: str) -> str:
    """A name as one level of a topic."""
    return "".join(quote(char, safe="") if char in "%#+/" or not char.isprintable() else char for char in name)


def _table(state: Mapping[str, object], key: str) -> Mapping[str, object]:
    table = state.get(key)
    return table if isinstance(table, Mapping) else {}


def _rows(state: Mapping[str, object], key: str) -> Iterator[Mapping[str, object]]:
    rows = state.get(key)
    if isinstance(rows, list | tuple):
        yield from rows
