"""The README's table of exchanges says what the code does, cell by cell."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from hedged.adapters.exchanges import dialects
from hedged.adapters.exchanges.ccxt_account import open_ccxt
from hedged.adapters.exchanges.dialects.base import Dialect
from hedged.errors import ConfigurationError
from hedged.settings import load
from tests.support import ROOT, ManualClock
from tests.venues.benches import BENCHES, PERPETUALS

YES, NO = "yes", "–"
# what ccxt calls a market of each kind
PERPETUAL = {"swap": True, "future": False, "linear": True, "inverse": False}
DATED = {"swap": False, "future": True, "linear": True, "inverse": False}
COIN_MARGINED = {"swap": True, "future": False, "linear": False, "inverse": True}


def table() -> dict[str, dict[str, str]]:
    """ccxt id → column → cell, as the README has them."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## Exchanges\n")[1].split("\n## ")[0].splitlines()
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|"))
    return {row[0].lower().replace(" ", ""): dict(zip(head[1:], row[1:], strict=True)) for row in rows}


TABLE = table()
CELLS = [pytest.param(venue, column, id=f"{venue}: {column}") for venue, row in TABLE.items() for column in row]


def dialect(venue: str) -> type[Dialect]:
    found = dialects.find(venue)
    assert found is not None
    return found


def overrides(venue: str, method: str) -> bool:
    """Whether the dialect has this of its own: `Dialect` has it for venues that do not tell."""
    return getattr(dialect(venue), method) is not getattr(Dialect, method)


def streamed() -> Collection[str]:
    """The venues with streams; none in a version without that module."""
    if importlib.util.find_spec("hedged.adapters.exchanges.stream_table") is None:
        return ()
    return frozenset(importlib.import_module("hedged.adapters.exchanges.stream_table").TABLES)


def trades(venue: str, folder: Path) -> bool:
    """Whether a portfolio at this venue may be set to live."""
    config = folder / "hedged.toml"
    hedge = 'name = "all"\nassets = ["*"]\ninstruments = ["main:ETH/USDT:USDT"]\n'
    config.write_text(f'mode = "live"\n[[accounts]]\nname = "main"\nexchange = "{venue}"\n[[hedges]]\n{hedge}')
    try:
        load(config, {})
    except ConfigurationError as error:
        return 'mode = "live"' not in str(error)
    return True


async def has_test_network(venue: str) -> bool:
    try:
        opened = await open_ccxt("main", venue, BENCHES[venue].WALLETS[:1], None, clock=ManualClock(), sandbox=True)
    except ConfigurationError:
        return False
    await opened.close()
    return True


async def said_by_code(venue: str, column: str, folder: Path) -> str:
    """What the cell has to begin with."""
    instance = dialect(venue)()
    kinds = [instance.reads_contract(kind) for kind in (PERPETUAL, DATED, COIN_MARGINED)]
    match column:
        case "wallets":
            return ", ".join(sorted(instance.wallets))
        case "spot":
            return _mark("spot" in instance.wallets)
        case "debt":  # that it is read as what it is: test_same_portfolio.py
            return _mark(BENCHES[venue].DEBT)
        case "one-way positions":
            return _mark(any(kinds))
        case "perpetual / dated / coin-margined":
            return " / ".join(map(_mark, kinds))
        case "paper":  # that a hedge is kept on paper: test_paper_on_each_venue.py
            return _mark(venue in PERPETUALS)
        case "approve, live":
            return _mark(trades(venue, folder))
        case "streams":
            return _mark(venue in streamed())
        case "key check":
            return YES if overrides(venue, "permissions") else "cannot know"
        case "margin tiers":
            return YES if overrides(venue, "tiers") else "unknown"
        case "test network":
            return _mark(await has_test_network(venue))
        case _:
            pytest.fail(f"nothing backs the column {column!r}")


def _mark(answer: bool) -> str:
    return YES if answer else NO


def wallets_in(cell: str) -> Iterator[str]:
    every = set().union(*dialects.exchanges().values())
    return (word for word in re.findall(r"[a-z]+", cell) if word in every)


def test_every_exchange_has_a_row_and_a_local_venue() -> None:
    """What can be configured is in the table and in the tests of all venues, and nothing else is."""
    assert set(TABLE) == set(dialects.exchanges()) == set(BENCHES)


@pytest.mark.parametrize(("venue", "column"), CELLS)
async def test_every_cell_is_what_the_code_says(venue: str, column: str, tmp_path: Path) -> None:
    """A cell begins with yes, – or that nobody knows, as the dialect has it; behind it may stand a note."""
    cell, right = TABLE[venue][column], await said_by_code(venue, column, tmp_path)
    if column == "wallets":
        cell = ", ".join(sorted(wallets_in(cell)))
    assert re.split("[:;]", cell)[0] == right


@pytest.mark.parametrize("venue", BENCHES)
async def test_the_local_venue_lists_what_the_dialect_reads(venue: str) -> None:
    """A perpetual, a dated and a coin-margined contract are listed by the local venue where there are any."""
    module, instance = BENCHES[venue], dialect(venue)()
    async with module.bench() as it:
        listed = (await it.market.instruments()).values()
    kinds = {(contract.kind.value, contract.linear) for contract in listed}
    assert (venue in PERPETUALS) == instance.reads_contract(PERPETUAL) == (("perpetual", True) in kinds)
    assert (module.DATED is not None) == instance.reads_contract(DATED) == (("future", True) in kinds)
    assert instance.reads_contract(COIN_MARGINED) == (("perpetual", False) in kinds)
    assert set(module.WALLETS) <= instance.wallets


def test_the_recipe_for_a_venue_names_what_there_is() -> None:
    """Every file that the recipe sends a contributor to exists, for each venue that has been added so far."""
    named = set(re.findall(r"`((?:tests/|<)[\w./<> ]+\.py)`", dialects.__doc__ or ""))
    assert len(named) >= 8
    for name in named:
        path = name if name.startswith("tests/") else f"tests/venues/{name}"
        for venue in BENCHES:
            assert (ROOT / path.replace("<ccxt id>", venue)).is_file(), (name, venue)
