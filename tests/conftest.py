"""Settings for every test: loopback is reached directly, and no test inherits the log of the one before."""

from __future__ import annotations

import decimal
import os
from collections.abc import Iterator

import pytest
import structlog

os.environ["NO_PROXY"] = "*"
os.environ["no_proxy"] = "*"


@pytest.fixture(autouse=True)
def log_as_it_is_by_default() -> Iterator[None]:
    """A command that a test ran has configured the log for the whole process."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def decimals_as_they_are_by_default() -> Iterator[None]:
    """Nothing that a test ran, ccxt least of all, has changed how this process rounds from here on."""
    context = decimal.getcontext()
    before = (context.prec, context.rounding, {signal for signal, trapped in context.traps.items() if trapped})
    yield
    context = decimal.getcontext()
    after = (context.prec, context.rounding, {signal for signal, trapped in context.traps.items() if trapped})
    assert after == before
