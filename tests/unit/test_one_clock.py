"""Law 1: one clock, one source of randomness. Nothing else in the package reads either."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT

PACKAGE = ROOT / "hedged"
ONLY_HERE = PACKAGE / "adapters" / "clock.py"
MODULES = {"time", "random", "secrets", "uuid"}
CALLS = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "asyncio.sleep", "os.urandom",
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
}  # fmt: skip
SEEDED = (".default_rng", ".PCG64", ".SeedSequence")  # with a seed as argument


def offences(source: str, *, generator_allowed: bool) -> Iterator[str]:
    """Each place that reads a clock or draws a random number, as `line: what`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (f"{node.lineno}: import {name.name}" for name in node.names if name.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            if node.module in MODULES or (
                node.module == "asyncio" and any(name.name == "sleep" for name in node.names)
            ):
                yield f"{node.lineno}: from {node.module} import …"
        elif isinstance(node, ast.Attribute):
            name = ast.unparse(node)
            if name in CALLS:
                yield f"{node.lineno}: {name}"
            injected = name.endswith(".Generator")  # the type of one that is handed in
            if ".random." in name and not injected and not (generator_allowed and name.endswith(SEEDED)):
                yield f"{node.lineno}: {name}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(SEEDED) and not node.args:
            yield f"{node.lineno}: a generator without a seed"


def test_no_other_file_reads_a_clock_or_draws_numbers() -> None:
    """Time and randomness come in through the ports; the simulated market may use a seeded generator."""
    found = [
        f"{path.relative_to(ROOT)}:{offence}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path != ONLY_HERE
        for offence in offences(
            path.read_text(), generator_allowed=Path("simulation") in path.relative_to(PACKAGE).parents
        )
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime\ndatetime.now()",
        "import datetime\ndatetime.datetime.utcnow()",
        "from datetime import datetime\nread = datetime.now",
        "from datetime import date\ndate.today()",
        "import time",
        "import time as t",
        "from time import monotonic",
        "import asyncio\nasync def f():\n    await asyncio.sleep(1)",
        "from asyncio import sleep",
        "import random",
        "import uuid",
        "from secrets import token_hex",
        "import numpy as np\nnp.random.normal()",
        "import numpy as np\nnp.random.default_rng(1)",
    ],
)
def test_the_search_finds_what_it_should(source: str) -> None:
    """Each spelling of reading a clock or drawing a number is an offence."""
    assert list(offences(source, generator_allowed=False))


@pytest.mark.parametrize(
    ("source", "allowed"),
    [
        ("import numpy as np\nrng = np.random.default_rng(7)", True),
        ("import numpy as np\nrng = np.random.default_rng()", False),
        ("import numpy as np\nnp.random.seed(7)", False),
        ("from datetime import time", True),
        ("import asyncio\nasyncio.timeout(5)", True),
    ],
)
def test_a_seeded_generator_is_allowed_in_the_simulation(source: str, allowed: bool) -> None:
    """A generator with a seed passes there; one without, or the global one, does not."""
    assert (not list(offences(source, generator_allowed=True))) is allowed
