"""Rules that the checks and the finished settings share: worlds, chains of contracts, directions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from hedged.model.policy import Mode, World

SIMULATED = "simulated"
"""The exchange that is not one: the market and venue that hedged brings along."""

RISES_WHEN_ASSETS_FALL = frozenset({"BTCDOM"})
"""Bases of instruments that are bought to hedge a long (direction −1)."""

STABLECOINS = frozenset({"USDT", "USDC", "DAI", "FDUSD", "TUSD", "USDE", "PYUSD", "BUSD", "USD"})
"""What counts as cash, whichever currency the portfolio is valued in."""

_EXPIRY = re.compile(r"-\d{6}$")


def world_of(mode: Mode | None, accounts: Iterable[Mapping[str, Any]]) -> World:
    """Which reality this is: any account that is simulated, a sandbox or a test server makes it `simulated`."""
    if any(is_test(account) for account in accounts):
        return World.SIMULATED
    return World.PAPER if mode is Mode.PAPER else World.REAL


def chain_of(instrument: str) -> str:
    """What a venue's position is counted under: a dated contract stands for its chain."""
    return _EXPIRY.sub("-*", instrument)


def base_of(instrument: str) -> str:
    """The coin or index that a contract is on."""
    return instrument.partition(":")[2].partition("/")[0]


def direction_of(instrument: str, given: Mapping[str, str]) -> int:
    """−1 for what rises when the assets fall and is therefore bought, else +1."""
    shipped = "buy" if base_of(instrument) in RISES_WHEN_ASSETS_FALL else "sell"
    return -1 if given.get(instrument, shipped) == "buy" else 1


def is_test(account: Mapping[str, Any]) -> bool:
    return account.get("exchange") == SIMULATED or account.get("sandbox") is True or bool(account.get("connect_to"))
