"""What must hold at every step, whatever goes wrong; each a function that returns how it does not, or None."""

from __future__ import annotations

from hedged.trial.invariants.data import invariant_06, invariant_07, invariant_19, invariant_20
from hedged.trial.invariants.orders import (
    invariant_09,
    invariant_10,
    invariant_11,
    invariant_12,
    invariant_13,
    invariant_14,
    invariant_21,
)
from hedged.trial.invariants.permission import invariant_15, invariant_16, invariant_17, invariant_18
from hedged.trial.invariants.told import (
    invariant_01,
    invariant_02,
    invariant_03,
    invariant_04,
    invariant_05,
    invariant_08,
)
from hedged.trial.world import Judge

INVARIANTS: tuple[Judge, ...] = (
    invariant_01,
    invariant_02,
    invariant_03,
    invariant_04,
    invariant_05,
    invariant_06,
    invariant_07,
    invariant_08,
    invariant_09,
    invariant_10,
    invariant_11,
    invariant_12,
    invariant_13,
    invariant_14,
    invariant_15,
    invariant_16,
    invariant_17,
    invariant_18,
    invariant_19,
    invariant_20,
    invariant_21,
)
