"""Settings for every test: loopback is reached directly, and no test inherits the log of the one before."""

from __future__ import annotations

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
