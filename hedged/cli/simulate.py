"""`hedged simulate`: the whole daemon in virtual time, against a venue that keeps the truth, while everything fails."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from hedged.cli.options import EXIT_FAILED, JsonOption

if TYPE_CHECKING:
    from hedged.trial.run import Result
    from hedged.trial.world import Violation

_SEEDS_MAX = 100_000


def simulate(
    seeds: Annotated[int, typer.Option(min=1, max=_SEEDS_MAX, help="How many seeds.")] = 20,
    hours: Annotated[float, typer.Option(min=0.5, max=24 * 400, help="Virtual hours a seed.")] = 6.0,
    first_seed: Annotated[int, typer.Option(min=0, help="The first of them; the others follow it.")] = 0,
    *,
    seed: Annotated[int | None, typer.Option(min=0, help="This one alone: how a failing seed is replayed.")] = None,
    processes: Annotated[int, typer.Option(min=1, max=64, help="How many at a time.")] = 2,
    as_json: JsonOption = False,
) -> None:
    """Run the daemon through storms, crashes and outages, and hold the invariants against each step.

    Exit 1 if one does not hold: the seed, the moment and what happened before are printed, and `--seed` with the same
    `--hours` runs it again, step by step the same.
    """
    from hedged.trial.run import run_seeds

    wanted = [seed] if seed is not None else list(range(first_seed, first_seed + seeds))
    results = []
    for result in run_seeds(wanted, hours, min(processes, len(wanted))):
        results.append(result)
        if result.violation is not None:
            typer.echo(report(result.violation, hours), err=True)
        if sys.stderr.isatty():
            typer.echo(f"\r{len(results)} of {len(wanted)} seeds", err=True, nl=len(results) == len(wanted))
        elif len(results) % 10 == 0 or len(results) == len(wanted):
            typer.echo(f"{len(results)} of {len(wanted)} seeds", err=True)
    results.sort(key=lambda each: each.seed)
    found = summary(results, hours)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        show(found)
    if found["violations"]:
        raise typer.Exit(EXIT_FAILED)


def report(violation: Violation, hours: float) -> str:
    """What did not hold, when, what was seen before it, and how to see it again."""
    tail = "\n".join(f"    {line}" for line in violation.tail)
    return (
        f"seed {violation.seed}: invariant {violation.invariant} does not hold after {violation.at:.3f} s: "
        f"{violation.said}\n{tail}\n  again: hedged simulate --seed {violation.seed} --hours {hours:g}"
    )


def summary(results: Sequence[Result], hours: float) -> dict[str, object]:
    """All seeds together, JSON-able."""
    from collections import Counter
    from hashlib import sha256

    faults: Counter[str] = Counter()
    for result in results:
        faults.update(result.faults)
    digest = sha256("".join(f"{each.seed}:{each.digest}" for each in results).encode()).hexdigest()[:16]
    return {
        "schema": 1,
        "seeds": len(results),
        "first_seed": results[0].seed,
        "hours": hours,
        "cycles": sum(each.cycles for each in results),
        "orders": sum(each.orders for each in results),
        "crashes": sum(each.crashes for each in results),
        "alerts": sum(each.alerts for each in results),
        "messages": sum(each.messages for each in results),
        "faults": dict(sorted(faults.items())),
        "violations": [
            {
                "seed": each.seed,
                "invariant": each.violation.invariant,
                "after_s": each.violation.at,
                "said": each.violation.said,
            }
            for each in results
            if each.violation is not None
        ],
        "hash": digest,
    }


def show(found: dict[str, object]) -> None:
    from rich.table import Table

    from hedged.cli.tables import new_console

    out = new_console()
    table = Table("what", "number", box=None)
    for name in ("seeds", "hours", "cycles", "orders", "crashes", "alerts", "messages"):
        table.add_row(name, f"{found[name]:,}" if name != "hours" else f"{found[name]:g} each")
    faults = found["faults"]
    for kind, number in faults.items() if isinstance(faults, dict) else ():
        table.add_row(f"  {kind}", f"{number:,}")
    violations = found["violations"]
    table.add_row("violations", f"{len(violations) if isinstance(violations, list) else 0}")
    table.add_row("hash", str(found["hash"]))
    out.print(table)
