"""`hedged run`: the daemon."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

EX_CONFIG = 78  # sysexits.h; the unit does not start it again after this one


def run(
    config: Annotated[Path, typer.Option("--config", "-c", help="The portfolio's TOML file.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Trade on paper only, with a store of its own beside the real one.")
    ] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="One JSON object a log line.")] = False,
) -> None:
    """Watch the portfolio until stopped: SIGTERM or Ctrl-C finishes the cycle in hand, SIGHUP reads CONFIG again."""
    from hedged import app
    from hedged.adapters import log
    from hedged.adapters.clock import SystemClock, SystemIds
    from hedged.adapters.systemd import Notifier
    from hedged.daemon.service import Wired, serve
    from hedged.errors import ConfigurationError, HedgedError, WrongStore
    from hedged.settings import load

    log.configure(sys.stderr, json=log_json)
    clock, ids = SystemClock(), SystemIds()

    async def build() -> Wired:
        return await app.build(load(config, dry_run=dry_run), clock, ids)

    try:
        code = asyncio.run(serve(build, clock, Notifier()))
    except HedgedError as error:
        typer.echo(str(error), err=True)
        code = EX_CONFIG if isinstance(error, ConfigurationError | WrongStore) else 1
    raise typer.Exit(code)
