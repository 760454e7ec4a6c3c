"""Hedges: one owner for each asset, instruments that exist, shares and modes that agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from hedged.model.policy import Mode, Target
from hedged.settings.brokers import broker_names
from hedged.settings.draft import Draft, mode_of, number_of, table_in, tables_in, texts_in, twice
from hedged.settings.faults import Problem, nearest
from hedged.settings.fields import moment
from hedged.settings.lines import Place
from hedged.settings.worlds import STABLECOINS, base_of, chain_of, direction_of, world_of

_ZERO = Decimal(0)


def _aliases(draft: Draft) -> Iterator[Problem]:
    for alias, asset in draft.aliases.items():
        if asset == alias:
            yield Problem(("portfolio", "aliases", alias), "stands for itself: remove it")
        elif asset in draft.aliases:
            yield Problem(("portfolio", "aliases", alias), f'is an alias itself: name "{draft.aliases[asset]}"')


def _assets(draft: Draft) -> Iterator[Problem]:
    owners: dict[str, Place] = {}
    ignored = {draft.asset(asset) for _, asset in texts_in(table_in(draft.values, "portfolio"), "ignore")}
    for place, hedge in draft.hedges:
        assets = texts_in(hedge, "assets")
        yield from twice((*place, "assets"), assets)
        for index, asset in assets:
            here = (*place, "assets", index)
            name = draft.asset(asset)
            owner = owners.setdefault(name, place)
            if owner != place:
                first = _named(draft, owner)
                what = "the rest (*)" if name == "*" else f"{name}"
                yield Problem(here, f"{what} belongs to {first} already: an asset is in one hedge at most")
            if name in ignored:
                yield Problem(here, "is ignored under [portfolio]: remove it from one of the two")


def _betas(draft: Draft) -> Iterator[Problem]:
    for place, hedge in draft.hedges:
        assets = {draft.asset(asset) for _, asset in texts_in(hedge, "assets")}
        seen: set[str] = set()
        for key in table_in(hedge, "beta"):
            name = draft.asset(key)
            if name in seen:
                yield Problem((*place, "beta", key), f"{name} has a beta already, by its alias")
            elif "*" not in assets and name not in assets:
                yield Problem((*place, "beta", key), "is none of this hedge's assets")
            seen.add(name)


def _references(draft: Draft) -> Iterator[Problem]:
    names = [account["name"] for _, account in draft.accounts if isinstance(account.get("name"), str)]
    names += broker_names(draft)
    places: list[tuple[Place, str]] = []
    for place, hedge in draft.hedges:
        instruments = texts_in(hedge, "instruments")
        yield from twice((*place, "instruments"), instruments)
        places += [((*place, "instruments", index), instrument) for index, instrument in instruments]
    for table in ("instruments", "tiers"):
        for place, row in tables_in(draft.values, table):
            if isinstance(row.get("instrument"), str):
                places.append(((*place, "instrument"), row["instrument"]))
    for place, instrument in places:
        account, separator, _ = instrument.partition(":")
        if separator and account not in names:
            likely = nearest(account, names)
            known = f'did you mean "{likely}"?' if likely else f"known: {', '.join(names) or 'none'}"
            yield Problem(place, f'no account is named "{account}"; {known}')


def _currencies(draft: Draft) -> Iterator[Problem]:
    """Cash is no exposure; a paper account has the quote, and the coins that it was given."""
    quote = draft.values.get("quote", "USDT")
    cash = STABLECOINS | {quote}
    paper = draft.values.get("paper")
    given = paper.get("coins") if isinstance(paper, dict) else None
    coins = given if isinstance(given, dict) else {}
    for coin in coins:
        if coin in cash:
            yield Problem(("paper", "coins", coin), "is cash: count it into cash")
    for place, hedge in draft.hedges:
        for index, asset in texts_in(hedge, "assets"):
            if draft.asset(asset) in cash:
                yield Problem((*place, "assets", index), "is cash, which is no exposure: remove it")
        if (mode_of(hedge["mode"]) if "mode" in hedge else draft.mode) is not Mode.PAPER:
            continue
        for index, instrument in texts_in(hedge, "instruments"):
            base = instrument.partition(":")[2].partition("/")[0]
            pair, _, dated = instrument.partition("/")[2].partition(":")
            settle = dated.partition("-")[0]
            if not isinstance(quote, str) or not settle or {pair, settle} <= {quote} or (settle == base in coins):
                continue
            if settle == base:
                text = (
                    f"is margined in {base}, of which the paper wallet has none: put some in, "
                    f"[paper] coins = {{ {base} = 1 }}, "
                )
            else:
                text = f"a paper account trades contracts priced and settled in {quote} only: name one, "
            yield Problem((*place, "instruments", index), text + 'or watch this one with mode = "monitor"')


def _directions(draft: Draft) -> Iterator[Problem]:
    given: dict[str, str] = {}
    used = {instrument for _, hedge in draft.hedges for _, instrument in texts_in(hedge, "instruments")}
    for place, row in tables_in(draft.values, "instruments"):
        instrument = row.get("instrument")
        if not isinstance(instrument, str):
            continue
        if instrument in given:
            yield Problem((*place, "instrument"), "stands here twice")
        elif instrument not in used and "multiplier" not in row:
            yield Problem((*place, "instrument"), "no hedge names it, so this table would do nothing")
        if isinstance(row.get("direction"), str):
            given[instrument] = row["direction"]
    for place, hedge in draft.hedges:
        if hedge.get("target") == Target.MINIMUM_VARIANCE:
            continue  # the estimate knows the direction
        for index, instrument in texts_in(hedge, "instruments"):
            if direction_of(instrument, given) < 0:
                yield Problem(
                    (*place, "instruments", index),
                    'rises when the assets fall, which only target = "minimum-variance" can size',
                )


def _targets(draft: Draft) -> Iterator[Problem]:
    for place, hedge in draft.hedges:
        if hedge.get("target") == Target.MINIMUM_VARIANCE:
            for key in ("weights", "beta"):
                if key in hedge and hedge[key] != "estimated":
                    text = 'has no meaning for target = "minimum-variance", which estimates what each instrument is for'
                    yield Problem((*place, key), text)
        elif hedge.get("target") == Target.QUANTITY:
            yield from _quantities(draft, place, hedge)


def _quantities(draft: Draft, place: Place, hedge: Mapping[str, Any]) -> Iterator[Problem]:
    """`quantity` compares coins with coins: every asset by name, each with a contract on itself."""
    for key in ("weights", "beta"):
        if key in hedge:
            yield Problem((*place, key), 'has no meaning for target = "quantity", which counts coins')
    bases = {draft.asset(base_of(instrument)) for _, instrument in texts_in(hedge, "instruments")}
    assets = {draft.asset(asset) for _, asset in texts_in(hedge, "assets")}
    for index, asset in texts_in(hedge, "assets"):
        if asset == "*" or draft.asset(asset) not in bases:
            text = 'has no contract on itself among the instruments, which target = "quantity" needs'
            yield Problem((*place, "assets", index), text)
    for index, instrument in texts_in(hedge, "instruments"):
        if draft.asset(base_of(instrument)) not in assets:
            yield Problem((*place, "instruments", index), "is a contract on none of this hedge's assets")


def _timings(draft: Draft) -> Iterator[Problem]:
    for place, hedge in draft.hedges:
        if "signal" in hedge and "insurance" in hedge:
            yield Problem((*place, "signal"), "goes by itself: remove [[hedges.insurance]] or [hedges.signal]")
        signal = table_in(hedge, "signal")
        below, above = number_of(signal.get("on_below", "-0.05")), number_of(signal.get("off_above", "0.05"))
        if below is not None and above is not None and below > above:
            key = "on_below" if "on_below" in signal else "off_above"
            yield Problem((*place, "signal", key), f"on_below ({below}) must not be above off_above ({above})")
        for at, window in tables_in(hedge, "insurance"):
            yield from _window((*place, *at), window)


def _window(place: Place, window: Mapping[str, Any]) -> Iterator[Problem]:
    dates = [key for key in ("from", "until") if key in window]
    if ("cron" in window) is not ("lasts" in window):
        yield Problem((*place, "cron" if "cron" in window else "lasts"), "cron and lasts go together")
    elif "cron" in window and dates:
        yield Problem((*place, dates[0]), "a window has either dates or cron and lasts")
    elif "cron" not in window and not dates:
        yield Problem(place, "needs from, until or both, or cron and lasts")
    begin, end = (_as_moment(window.get(key)) for key in ("from", "until"))
    if begin is not None and end is not None and end <= begin:
        yield Problem((*place, "until"), "must be after from")


def _as_moment(value: object) -> datetime | None:
    try:
        return moment(value) if isinstance(value, date) else None
    except ValueError:
        return None  # the schema's to report


def _weights(draft: Draft) -> Iterator[Problem]:
    for place, hedge in draft.hedges:
        weights, instruments = hedge.get("weights"), hedge.get("instruments")
        if not isinstance(weights, list) or not isinstance(instruments, list):
            continue
        numbers = [number_of(weight) or _ZERO for weight in weights]
        if len(weights) != len(instruments):
            yield Problem((*place, "weights"), f"must be one for each of the {len(instruments)} instruments")
        elif all(numbers) and abs(sum(numbers, _ZERO) - 1) > Decimal("1e-9"):
            yield Problem((*place, "weights"), f"must add up to 1, not {sum(numbers)}")


def _modes(draft: Draft) -> Iterator[Problem]:
    accounts = [account for _, account in draft.accounts]
    owners: dict[str, tuple[Mode, Place]] = {}
    for place, hedge in draft.hedges:
        mode = mode_of(hedge["mode"]) if "mode" in hedge else draft.mode
        if mode is None or draft.mode is None:
            continue
        if world_of(mode, accounts) is not world_of(draft.mode, accounts):
            yield Problem(
                (*place, "mode"), f'is another world than mode = "{draft.mode}": use a file of its own for paper'
            )
        for _, instrument in texts_in(hedge, "instruments"):
            other, owner = owners.setdefault(chain_of(instrument), (mode, place))
            if other is not mode:
                at = (*place, "mode") if "mode" in hedge else (*owner, "mode")
                yield Problem(at, f"differs from {_named(draft, owner)}, which shares {instrument}: use one mode")
                break


def _tiers(draft: Draft) -> Iterator[Problem]:
    ladders: dict[str, dict[Decimal, tuple[Place, Decimal | None]]] = {}
    for place, row in tables_in(draft.values, "tiers"):
        floor, rate = number_of(row.get("notional_floor")), number_of(row.get("maintenance_margin_rate"))
        if not isinstance(row.get("instrument"), str) or floor is None:
            continue
        ladder = ladders.setdefault(row["instrument"], {})
        if floor in ladder:
            yield Problem((*place, "notional_floor"), "stands here twice for this instrument")
        ladder[floor] = (place, rate)
    for ladder in ladders.values():
        steps = sorted(ladder.items())
        if steps[0][0] > 0:
            yield Problem((*steps[0][1][0], "notional_floor"), "must be 0 in the lowest tier of an instrument")
        for (_, (_, lower)), (_, (place, upper)) in pairwise(steps):
            if lower is not None and upper is not None and upper < lower:
                yield Problem((*place, "maintenance_margin_rate"), f"must not be below the lower tier's {lower}")


def _named(draft: Draft, place: Place) -> str:
    name = next((hedge.get("name") for at, hedge in draft.hedges if at == place), None)
    return f'hedge "{name}"' if isinstance(name, str) else f"hedges[{place[-1]}]"


CHECKS = (
    _aliases,
    _assets,
    _betas,
    _references,
    _currencies,
    _directions,
    _targets,
    _timings,
    _weights,
    _modes,
    _tiers,
)
