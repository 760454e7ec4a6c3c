"""`hedged demo`: two days of a simulated market in about 90 seconds, with nothing to set up and nothing at stake."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer


def demo(
    seconds: Annotated[float, typer.Option(min=0, help="How long the story takes; 0: as fast as it goes.")] = 90.0,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Another configuration with simulated accounts.")
    ] = None,
) -> None:
    """Watch hedged at work: drift, alert, paper rebalance, a margin squeeze and an expiry, then a summary."""
    from hedged.adapters import log
    from hedged.cli.demo_story import play

    log.configure(sys.stderr, level="error")
    try:
        asyncio.run(play(config, seconds))
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
        raise typer.Exit(130) from None
