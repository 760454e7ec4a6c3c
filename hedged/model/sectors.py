"""What kind of coin an asset is, and how it is known to move beside Bitcoin and Ether."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ANCHORS = ("BTC", "ETH")
"""The coins that everything has a beta to."""


@dataclass(frozen=True, slots=True)
class AssetProfile:
    """One asset. `betas`: to the anchors, the value of each to be short per unit held; absent: not known."""

    sector: str
    betas: Mapping[str, float] = field(default_factory=dict)
    source: str = ""  # what the betas rest on
