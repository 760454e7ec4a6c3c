"""The daemon's figures as Prometheus reads them.

A figure that is not known is absent and never zero. What a cycle saw is shown while it says how things are: once no
cycle has been completed for three intervals it is absent too, and `hedged_last_success_timestamp_seconds` stays.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from hedged import __version__
from hedged.daemon.vitals import COMPLETED, DURATIONS, FAILED
from hedged.model.alert import AlertState
from hedged.model.finding import HedgeStatus, Severity

if TYPE_CHECKING:
    from hedged.cycle import CycleReport
    from hedged.daemon.portfolio import App

NAMED_MAX = 500  # alerts that are named one by one

ORDER_OUTCOMES = ("filled", "working", "cancelled", "rejected", "unknown", "refused")

Row = tuple[Sequence[str], Decimal | float | None]


class Figures(Collector):
    """Everything of one `App`. `store_bytes`: how large the database is; None: nobody can tell."""

    def __init__(self, app: App, store_bytes: Callable[[], int | None]) -> None:
        self._app = app
        self._store_bytes = store_bytes
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)  # says nothing where the unit hides the machine's start time

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The text and its content type, in the newest format that the reader accepts."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def describe(self) -> list[Metric]:
        return []  # else it would be asked for all its figures when it is registered

    def collect(self) -> Iterator[Metric]:
        yield from self._daemon()
        yield from self._counts()
        report = self._app.vitals.fresh()
        if report is not None:
            yield from _hedges(report)
            yield from _accounts(report)
            yield from _alerts(report)
            yield from self._channels()
        yield from self._connections()

    def _daemon(self) -> Iterator[Metric]:
        app, vitals = self._app, self._app.vitals
        policy, brake = app.portfolio.policy, app.portfolio.brake
        yield _gauge(
            "build_info", "The program.", ("version", "python"), [((__version__, platform.python_version()), 1)]
        )
        who = (policy.name, policy.mode.value, policy.world.value)
        yield _gauge("portfolio_info", "Whose figures these are.", ("portfolio", "mode", "world"), [(who, 1)])
        yield _gauge("interval_seconds", "Time from one cycle to the next.", (), [((), app.every.total_seconds())])
        at = vitals.completed_at
        yield from _known(
            "last_success_timestamp_seconds",
            "When a cycle was last completed.",
            (),
            [((), None if at is None else at.timestamp())],
        )
        if at is not None:  # what stops orders has been looked for
            paused, halted = brake.paused is not None, brake.halted is not None
            yield _gauge("paused", "1: a person has stopped orders.", (), [((), float(paused))])
            yield _gauge("halted", "1: hedged has stopped orders itself.", (), [((), float(halted))])
        yield from _known("store_bytes", "Size of the database on disk.", (), [((), self._store_bytes())])
        if app.heartbeat is not None:
            beaten = app.heartbeat.delivered_at
            yield from _known(
                "heartbeat_delivered_timestamp_seconds",
                "When the dead-man's switch last answered, since this process began.",
                (),
                [((), None if beaten is None else beaten.timestamp())],
            )
            failing = app.heartbeat.problem is not None
            if failing or beaten is not None:
                yield _gauge(
                    "heartbeat_up", "0: the dead-man's switch does not answer.", (), [((), float(not failing))]
                )

    def _counts(self) -> Iterator[Metric]:
        vitals = self._app.vitals
        durations = HistogramMetricFamily("hedged_cycle_duration_seconds", "How long completed cycles took.")
        below, buckets = 0, []
        for bound, count in zip((*map(str, DURATIONS), "+Inf"), vitals.durations, strict=True):
            below += count
            buckets.append((bound, float(below)))
        durations.add_metric((), buckets, vitals.took)
        yield durations
        ended = [((how,), float(vitals.cycles[how])) for how in (COMPLETED, FAILED)]
        yield _counter("cycles", "Cycles by how they ended.", ("result",), ended)
        text = "Completed cycles that the store could not keep."
        yield _counter("cycles_unrecorded", text, (), [((), float(vitals.unrecorded))])
        outcomes = [((word,), float(vitals.orders[word])) for word in ORDER_OUTCOMES]
        yield _counter(
            "orders", "Orders by what became of them; refused: by hedged's own limits.", ("outcome",), outcomes
        )
        fired = [((kind.value, severity.value), float(n)) for (kind, severity), n in sorted(vitals.alerts.items())]
        yield _counter("alerts", "Alerts that began to fire.", ("kind", "severity"), fired)

    def _channels(self) -> Iterator[Metric]:
        vitals = self._app.vitals
        weights = [((name,), weight) for name, weight in vitals.weights.items()]
        text = "Request weight of the last cycle, in the venue's own units."
        yield from _known("cycle_request_weight", text, ("account",), weights)
        waiting = [((name,), count) for name, count in (vitals.backlog or {}).items()]
        yield from _known("outbox_messages", "Messages that wait for their channel.", ("channel",), waiting)

    def _connections(self) -> Iterator[Metric]:
        app = self._app
        up = [((state.account, state.name), float(state.up)) for state in app.stream_states()]
        yield from _known("stream_up", "1: the stream stands.", ("account", "stream"), up)
        skews = [((name,), venue.skew_seconds) for name, venue in app.exchanges.venues.items()]
        yield from _known(
            "clock_skew_seconds", "This machine's clock against the venue's, > 0: ahead.", ("account",), skews
        )


def _hedges(report: CycleReport) -> Iterator[Metric]:
    hedges = report.assessment.hedges
    figures: list[tuple[str, str, list[Row]]] = [
        (
            "hedge_ratio",
            "Value of the hedge over the beta-weighted exposure.",
            [((h.name,), h.hedge_ratio) for h in hedges],
        ),
        ("target_ratio", "The hedge ratio that is wanted.", [((h.name,), h.target_ratio) for h in hedges]),
        ("band_ratio", "Half-width of the no-trade band.", [((h.name,), h.band) for h in hedges]),
        ("drift_ratio", "Hedge ratio less target; < 0: under-hedged.", [((h.name,), h.drift) for h in hedges]),
        ("exposure_value", "What is held, in the quote currency.", [((h.name,), h.exposure_value) for h in hedges]),
        (
            "hedge_value",
            "What is short against it, in the quote currency.",
            [((h.name,), h.hedge_value) for h in hedges],
        ),
    ]
    for name, text, rows in figures:
        yield from _known(name, text, ("hedge",), rows)
    states: list[Row] = [((h.name, each.value), float(h.status is each)) for h in hedges for each in HedgeStatus]
    yield from _known("hedge_state", "1: the hedge is in this state.", ("hedge", "state"), states)


def _accounts(report: CycleReport) -> Iterator[Metric]:
    margin = report.assessment.margin
    figures: list[tuple[str, str, list[Row]]] = [
        (
            "margin_ratio",
            "Maintenance margin over equity; 1: liquidation.",
            [((m.account,), m.margin_ratio) for m in margin],
        ),
        (
            "liquidation_distance_ratio",
            "Move of the mark price that liquidates, the smallest of the account.",
            [((m.account,), m.liquidation_distance_ratio) for m in margin],
        ),
        (
            "liquidation_probability_ratio",
            "How likely a liquidation is within the time it takes to top up.",
            [((m.account,), None if m.odds is None else m.odds.probability) for m in margin],
        ),
    ]
    for name, text, rows in figures:
        yield from _known(name, text, ("account",), rows)
    expiries: list[Row] = [((each.instrument,), each.expiry.timestamp()) for each in report.assessment.expiries]
    yield from _known("expiry_timestamp_seconds", "When a contract that is held ends.", ("instrument",), expiries)


def _alerts(report: CycleReport) -> Iterator[Metric]:
    firing = [alert for alert in report.alerts if alert.state is AlertState.FIRING]
    counted: list[Row] = [((each.value,), float(sum(a.severity is each for a in firing))) for each in Severity]
    yield _gauge("alerts_firing", "Alerts that fire.", ("severity",), counted)
    waiting = [((), float(len(report.decision.awaiting)))]
    yield _gauge("proposals_waiting", "Orders that wait for a person's word.", (), waiting)
    since: list[Row] = [
        ((alert.kind.value, alert.subject, alert.severity.value), alert.since.timestamp() if alert.since else None)
        for alert in firing[:NAMED_MAX]
    ]
    labels = ("kind", "subject", "severity")
    yield from _known("alert_since_timestamp_seconds", "Since when an alert that fires has stood.", labels, since)


def _known(name: str, text: str, labels: Sequence[str], rows: Sequence[Row]) -> Iterator[Metric]:
    """A gauge of the rows that have a value; nothing at all where none has."""
    known = [row for row in rows if row[1] is not None and math.isfinite(row[1])]
    if known:
        yield _gauge(name, text, labels, known)


def _gauge(name: str, text: str, labels: Sequence[str], rows: Sequence[Row]) -> Metric:
    family = GaugeMetricFamily(f"hedged_{name}", text, labels=labels)
    for values, value in rows:
        family.add_metric(values, float(value or 0))
    return family


def _counter(name: str, text: str, labels: Sequence[str], rows: Sequence[tuple[Sequence[str], float]]) -> Metric:
    family = CounterMetricFamily(f"hedged_{name}", text, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family
