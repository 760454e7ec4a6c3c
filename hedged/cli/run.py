"""`hedged run`: the daemon."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from hedged.cli.options import ConfigOption, DryRunOption


def run(
    config: ConfigOption,
    dry_run: DryRunOption = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="One JSON object a log line.")] = False,
) -> None:
    """Watch the portfolio until stopped.

    SIGTERM or Ctrl-C finishes the cycle in hand, SIGHUP reads CONFIG again, SIGUSR1 pauses orders at once.
    """
    from hedged import app
    from hedged.act.brake import Asked
    from hedged.adapters import log
    from hedged.adapters.clock import SystemClock, SystemIds
    from hedged.adapters.systemd import Notifier
    from hedged.daemon.clock_watch import ClockWatch
    from hedged.daemon.service import Wired, serve
    from hedged.settings import load

    log.configure(sys.stderr, json=log_json)
    clock, ids, asked = SystemClock(), SystemIds(), Asked()
    clock_watch = ClockWatch(clock)

    async def build() -> Wired:
        return await app.build(load(config, dry_run=dry_run), clock, ids, asked, clock_watch=clock_watch)

    raise typer.Exit(asyncio.run(serve(build, clock, Notifier(), lambda: asked.ask(clock.now()))))
