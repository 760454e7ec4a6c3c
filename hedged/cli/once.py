"""`hedged once`: one look at the portfolio, and what would be traded. Changes nothing anywhere."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from hedged.cli.options import EXIT_FAILED, ConfigOption, DryRunOption, JsonOption

if TYPE_CHECKING:
    from datetime import datetime

    from hedged.cycle import CycleReport, Portfolio
    from hedged.daemon.history import HistoryKeeper
    from hedged.model.finding import Finding
    from hedged.model.timing import Override
    from hedged.settings import Settings

FETCH_WITHIN = 30.0  # seconds for past prices that the daemon has not stored; nothing of them is kept


def once(config: ConfigOption, dry_run: DryRunOption = False, json: JsonOption = False) -> None:
    """Read everything once and show exposure, hedge, target, gap and what hedged would trade."""
    import json as jsonlib

    from hedged.adapters import log
    from hedged.cli.show import show_state
    from hedged.settings import load

    log.configure(sys.stderr, level="warning")
    state, readable = asyncio.run(_look(load(config, dry_run=dry_run)))
    if json:
        typer.echo(jsonlib.dumps(state, indent=2))
    else:
        show_state(state, trades="would trade")
    if not readable:
        typer.echo("nothing could be read: see the findings", err=True)
        raise typer.Exit(EXIT_FAILED)


async def past_object(history: HistoryKeeper, now: datetime, findings: object) -> dict[str, object]:
    """How much of the past there is, and the findings with what is missing of it."""
    from hedged.tell.state import finding_object, time

    extents = [await history.prices.extent(name) for name in history.subjects()]
    missing = [finding_object(each) for each in history.findings(now, patient=False)]
    return {
        "history": [
            {"subject": each.subject, "bars": each.bars, "first": time(each.first), "last": time(each.last)}
            for each in extents
        ],
        "findings": [*(findings if isinstance(findings, list) else []), *missing],
    }


def _with_keys(report: CycleReport, findings: Iterable[Finding]) -> CycleReport:
    """With what is to be said of the keys that were used, or that were not there."""
    from hedged.tell.state import finding_object

    found = report.state["findings"]
    told = [*(found if isinstance(found, list) else []), *(finding_object(each) for each in findings)]
    return replace(report, state={**report.state, "findings": told})


async def _look(settings: Settings) -> tuple[dict[str, object], bool]:
    from hedged.model.snapshot import Read, Snapshot

    def anything_read(snapshot: Snapshot, own: bool) -> bool:
        """Of a venue, that is: on paper the futures wallet is hedged's own."""
        legs: list[object] = [*snapshot.quotes.values(), *snapshot.prices.values()]
        for account in snapshot.accounts.values():
            legs += [leg for wallet, leg in account.wallets.items() if not (own and wallet == "swap")]
            legs += [] if own else [account.derivatives]
        return any(isinstance(leg, Read) for leg in legs)

    report, portfolio = await look_once(settings)
    return dict(report.state), anything_read(report.snapshot, portfolio.positions_of == "paper")


async def look_once(settings: Settings, wishes: Mapping[str, Override] | None = None) -> tuple[CycleReport, Portfolio]:
    """What a cycle would see and decide now, and the portfolio that looked.

    Nothing is changed anywhere, and everything that was opened is closed again. `wishes`: target ratios set by hand,
    beside those that are kept.
    """
    from hedged.adapters.clock import SystemClock, SystemIds
    from hedged.adapters.store.memory import MemoryStore
    from hedged.adapters.store.overlay import OverlayStore
    from hedged.adapters.store.sql import SqlStore
    from hedged.adapters.store.sqlite import exists
    from hedged.app import open_exchanges, watch_keys, wire
    from hedged.cycle import judge, look, recall
    from hedged.daemon.history import HistoryKeeper
    from hedged.errors import StoreUnavailable

    clock, ids = SystemClock(), SystemIds()
    base = SqlStore(settings.store_path())
    try:
        await base.open_read_only(settings.name, settings.world)
        store: MemoryStore = OverlayStore(base)
    except StoreUnavailable:
        if exists(settings.store_path()):
            raise
        store = MemoryStore()  # nothing has run yet
    await store.open(settings.name, settings.world, clock.now())
    exchanges = await open_exchanges(settings, store, clock)
    try:
        keys = await watch_keys(settings, exchanges, clock)
        portfolio = wire(settings, exchanges, store, clock, ids)
        await recall(portfolio, clock.now())
        portfolio.book = replace(portfolio.book, proposing=False)
        portfolio.overrides = {**portfolio.overrides, **(wishes or {})}
        report = await look(portfolio, clock.now(), ids.new())
        history = HistoryKeeper(portfolio.policy, exchanges.candles, store, clock, pause=0.0)
        if history.hedges():
            await history.look(report, FETCH_WITHIN)
            portfolio.statistics = history.statistics
            report = judge(portfolio, report.snapshot, report.cycle_id)
            past = await past_object(history, clock.now(), report.state["findings"])
            report = replace(report, state={**report.state, **past})
        return _with_keys(report, keys.findings(clock.now())), portfolio
    finally:
        await exchanges.close()
        await base.close()
