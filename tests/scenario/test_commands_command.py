"""`hedged commands` over a real database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from hedged.adapters.clock import SystemClock
from hedged.daemon.commands import Commands
from hedged.model.command import Verb
from tests.scenario.test_commands import ask, config, run_cycles  # noqa: F401
from tests.scenario.test_commands_from_outside import Asker


def test_what_was_asked_is_shown(config: Callable[..., Path]) -> None:  # noqa: F811
    """The newest first, done or dropped and why; nothing where nothing was asked."""
    path = config("paper")
    run_cycles(path)
    assert ask("commands", "-c", path).stdout.endswith("nothing was asked from outside\n")
    asyncio.run(ask_some(path))
    first, second = ask("commands", "-c", path).stdout.splitlines()
    assert "  dropped  pause by mqtt: its nonce was used before" in first
    assert "     done  pause by telegram 7: " in second
    (only,) = json.loads(ask("commands", "--last", "1", "--json", "-c", path).stdout)["commands"]
    assert (only["outcome"], only["why"], only["request"]) == ("dropped", "replayed", "r1")


async def ask_some(path: Path) -> None:
    from hedged.act.commands import parse
    from hedged.app import open_store
    from hedged.model.command import Command
    from hedged.settings import load

    clock = SystemClock()
    store = await open_store(load(path), clock)
    made = Commands(store, "demo", ["alts"], frozenset(Verb), clock)
    payload = Asker()(clock.now())
    command = parse("pause", payload, retained=False, now=clock.now(), allowed=frozenset(Verb))
    assert isinstance(command, Command)
    await made.run(command, source="mqtt", by="telegram 7")
    await made.take("mqtt", "pause", payload)
    await store.close()
