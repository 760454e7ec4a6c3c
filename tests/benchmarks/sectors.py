"""Betas of assets to BTC and ETH for the list of sectors that ships, from every price file of a folder.

    python -m tests.benchmarks.sectors --data FOLDER [--write]

Least squares over daily returns, winsorised, of the newest three years that a file has; at least 250 days. An asset in
several files takes the one that ends last, and of those the longest. All others take the median of their sector, or of
all assets where no asset of the sector has one, and are marked so. Sectors are the list's own and stay. With --write
the list is written anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from hedged.estimate.returns import AlignedReturns, winsorise
from hedged.model.sectors import ANCHORS, AssetProfile
from hedged.settings.sectors import SHIPPED, completed, read_sectors
from tests.benchmarks.markets import DAY, Market, data_argument, read_markets

DAYS_MIN, DAYS_MAX = 250, 1095

HEAD = """\
# Sectors of assets, and the betas to BTC and ETH that hold until a hedge has a past of its own. Written by
#     python -m tests.benchmarks.sectors --data FOLDER --write
# which keeps the sectors and measures the betas. A file of your own goes before this one: [portfolio] sectors_file.
"""


def estimated(market: Market, asset: str) -> AssetProfile | None:
    """Betas of one asset to the anchors in one file; None: too few days."""
    if not {asset, *ANCHORS} <= market.closes.keys():
        return None
    returns: AlignedReturns = market.returns(DAY)
    columns = returns.columns(asset, *ANCHORS)
    rows = np.flatnonzero(np.isfinite(columns).all(axis=1))[-DAYS_MAX:]
    if len(rows) < DAYS_MIN:
        return None
    moves = winsorise(columns[rows])
    covariance = np.cov(moves.T)
    betas = {
        anchor: 1.0 if anchor == asset else round(float(covariance[0, at] / covariance[at, at]), 2)
        for at, anchor in enumerate(ANCHORS, start=1)
    }
    last = datetime.fromtimestamp(int(returns.times[rows[-1]]) - 1, UTC)
    return AssetProfile("", betas, f"estimated {last:%Y-%m-%d}, {len(rows)} days")


def measured(markets: Sequence[Market], listed: Mapping[str, AssetProfile]) -> Mapping[str, AssetProfile]:
    """The list with betas as these files have them."""
    found = {}
    for asset, profile in listed.items():
        tried = [each for market in markets if (each := estimated(market, asset)) is not None]
        best = max(tried, key=lambda each: (each.source[:20], int(each.source.split()[2])), default=None)
        found[asset] = AssetProfile(profile.sector) if best is None else replace(best, sector=profile.sector)
    return completed(found)


def written(profiles: Mapping[str, AssetProfile]) -> str:
    lines = [HEAD, "[assets]"]
    sector = ""
    for asset, each in profiles.items():
        if each.sector != sector:
            sector = each.sector
            lines.append("")
        betas = ", ".join(f"beta_{anchor.lower()} = {beta}" for anchor, beta in each.betas.items())
        lines.append(f'{asset} = {{ sector = "{sector}", {betas}, source = "{each.source}" }}')
    return "\n".join(lines).replace("\n[assets]\n\n", "\n[assets]\n") + "\n"


def main() -> None:
    parser = data_argument(__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the list anew")
    options = parser.parse_args()
    profiles = measured(list(read_markets(options.data, options.file)), read_sectors(SHIPPED))
    print(f"{'asset':8s} {'sector':15s} {'BTC':>5s} {'ETH':>5s}  source")
    for asset, each in profiles.items():
        print(f"{asset:8s} {each.sector:15s} {each.betas['BTC']:5.2f} {each.betas['ETH']:5.2f}  {each.source}")
    if options.write:
        SHIPPED.write_text(written(profiles), encoding="utf-8")


if __name__ == "__main__":
    main()
