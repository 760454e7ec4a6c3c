"""`hedged status`: what the daemon saw last, from its store, without asking any exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, cast

import typer

from hedged.cli.options import EXIT_FAILED, ConfigOption, DryRunOption, JsonOption

if TYPE_CHECKING:
    from hedged.model.effect import EffectDay


def status(
    config: ConfigOption,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
    check: Annotated[
        bool, typer.Option("--check", help="Exit 1 if the last completed cycle is older than three intervals.")
    ] = False,
) -> None:
    """Show the last completed cycle and its age."""
    import json as jsonlib

    from hedged.act.brake import kept
    from hedged.adapters.channels.heartbeat import KEPT
    from hedged.adapters.clock import SystemClock
    from hedged.adapters.store.sql import SqlStore
    from hedged.cli.effect import DAYS, effect_line, effect_object, effects_of, is_paper
    from hedged.cli.show import show_state
    from hedged.cli.tables import new_console
    from hedged.settings import load
    from hedged.tell.stops import stops_object

    settings = load(config, dry_run=dry_run)
    clock = SystemClock()

    async def read() -> tuple[tuple[str, datetime] | None, dict[str, object] | None, Sequence[EffectDay]]:
        store = SqlStore(settings.store_path())
        await store.open_read_only(settings.name, settings.world)
        try:
            state = await store.latest_state()
            days = await store.effects(clock.now() - timedelta(days=DAYS))
            stops = stops_object(await kept(store))  # also what was asked for since the last cycle
            beaten = await store.get_blob(KEPT)
            if state is not None and state.get("heartbeat") is not None:  # what is kept outlives restarts
                state = {**state, "heartbeat": {**cast("dict[str, object]", state["heartbeat"]), **(beaten or {})}}
            return await store.last_cycle(), {**state, **stops} if state is not None else None, days
        finally:
            await store.close()

    last, state, days = asyncio.run(read())
    if last is None or state is None:
        typer.echo("no cycle has been completed yet", err=True)
        raise typer.Exit(EXIT_FAILED)
    cycle_id, finished_at = last
    age = clock.now() - finished_at
    effects = effects_of(days)
    late = age > 3 * settings.schedule.every
    if json:
        shown = {**state, "cycle_id": cycle_id, "age_seconds": round(age.total_seconds(), 1), "late": late}
        shown["effects"] = [effect_object(each, paper=is_paper(settings)) for each in effects]
        typer.echo(jsonlib.dumps(shown, indent=2))
    else:
        show_state(state, age=age)
        out = new_console()
        for each in effects:
            out.print(effect_line(each, settings.quote), markup=False)
        if late:
            _say_late(age, settings.schedule.every)
    if check and late:
        raise typer.Exit(EXIT_FAILED)


def _say_late(age: timedelta, every: timedelta) -> None:
    seconds = f"{age.total_seconds():,.0f} s ago, at an interval of {every.total_seconds():,.0f} s"
    typer.echo(f"the last cycle was completed {seconds}: is the daemon running?", err=True)
