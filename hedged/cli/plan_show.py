"""A plan as a person reads it, in 60 columns, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from hedged.cli.tables import new_console, print_table, table
from hedged.estimate.plan_words import listed, symbol_of
from hedged.model.plan import TODAY, PlanCost, PlannedLeg, PlannedMargin, PlannedSet, PlanOptions, PlanProposal
from hedged.tell.state import money

SCHEMA = "hedged.plan/1"


def show_plan(
    proposals: Sequence[PlanProposal],
    quote: str,
    options: PlanOptions,
    notes: Sequence[str],
    console: Console | None = None,
) -> None:
    out = console or new_console()
    for proposal in proposals:
        _show(out, proposal, quote, options)
    for note in notes:
        out.print(Text(f"note: {note}", style="dim"))


def _show(out: Console, proposal: PlanProposal, quote: str, options: PlanOptions) -> None:
    out.print(Text.assemble((proposal.name, "bold"), f"  {amount(proposal.exposure)} {quote}"))
    _indented(out, Text(", ".join(proposal.assets), style="dim"))
    best = proposal.best
    if best is not None:
        _legs(out, best, quote)
        _facts(out, best, quote, proposal.exposure, options)
        if len(proposal.sets) > 1:
            _sizes(out, proposal, quote)
    if proposal.alternatives:
        worth = float(options.risk_cost_year) / 10
        out.print(Text.assemble(("Why not", "bold"), f" (0.1 effectiveness is taken to be worth {worth:.1%} a year)"))
        for each in proposal.alternatives:
            _indented(out, Text.assemble(each.what, (f": {each.reason}", "dim")))
    for note in proposal.notes:
        _indented(out, Text(f"! {note}", style="yellow"))
    out.print()


def _indented(out: Console, text: Text) -> None:
    out.print(Padding(text, (0, 0, 0, 2), expand=False))


def _legs(out: Console, best: PlannedSet, quote: str) -> None:
    shown = table(f"Proposed, in {quote}", "contract", ">ratio", ">contracts", ">notional")
    for leg in best.legs:
        name = f"{'sell' if leg.ratio >= 0 else 'buy'} {leg.instrument}"
        shown.add_row(name, f"{leg.ratio:.3f}", contracts_text(abs(leg.contracts)), amount(abs(leg.notional)))
    print_table(out, shown)


def _facts(out: Console, best: PlannedSet, quote: str, exposure: Decimal, options: PlanOptions) -> None:
    if best.expected is None:
        out.print("effectiveness: unknown")
    else:
        out.print(f"effectiveness: {best.expected:.3f}, {best.low:.2f} to {best.high:.2f} in nine years of ten")
    if best.residual_year is not None:
        out.print(f"risk left: {amount(best.residual_year)} {quote} a year (one standard deviation)")
    cost = best.cost
    parts = f"fees {amount(cost.fees)}, funding {amount(cost.funding)}, roll {amount(cost.roll)}"
    total = cost.total
    whole = "unknown" if total is None else f"{amount(total)} {quote} ({float(total / exposure):.2%})"
    out.print(f"cost a year: {whole}: {parts}")
    if cost.funding is not None:
        out.print(f"funding is that of {_funding_of(cost)}")
    if total is not None and total < 0:
        out.print("below 0: the short is paid more than it costs; that can turn within days")
    for margin in best.margin:
        out.print(_margin(margin, quote, options))


def _funding_of(cost: PlanCost) -> str:
    """One source for all, or each with the contracts it is of."""
    by_source: dict[str, list[str]] = {}
    for leg, source in cost.funding_of.items():
        by_source.setdefault(source, []).append(symbol_of(leg))
    if len(by_source) <= 1:
        return next(iter(by_source), TODAY)
    return "; ".join(f"{source}: {', '.join(names)}" for source, names in by_source.items())


def _margin(margin: PlannedMargin, quote: str, options: PlanOptions) -> str:
    days = options.top_up_within * 365
    within = f"{days:.3g} d" if days >= 1 else f"{days * 24:.3g} h"
    assumed = ", at a typical maintenance margin or volatility" if margin.assumed else ""
    posted = f"{amount(margin.collateral)} {margin.currency} on {margin.account}"
    if margin.coin:
        posted = f"{margin.collateral:f} {margin.currency} on {margin.account} ({amount(margin.value)} {quote})"
    said = (
        f"margin: {posted}, at most {margin.leverage}× leverage: "
        f"liquidated within {within} in {options.probability:.2%} of cases{assumed}"
    )
    if margin.safe_at is not None:
        said += f"; with {margin.safe_at:.4f} {margin.currency} no price liquidates it"
    if margin.coin:
        said += f"; {_from_where(margin)}"
    return said


def _from_where(margin: PlannedMargin) -> str:
    if not margin.bought:
        return f"the {margin.currency} are taken from what is held"
    part = "all" if margin.bought == margin.collateral else f"{margin.bought:f}"
    return f"{part} of it is to be bought, as exposure that the contracts cover"


def _sizes(out: Console, proposal: PlanProposal, quote: str) -> None:
    shown = table(f"By size, cost a year in {quote}", "set", ">expected", ">range", ">cost")
    for each in proposal.sets:
        mark = "* " if each is proposal.best else "  "
        bounds = "unknown" if each.low is None else f"{each.low:.2f}–{each.high:.2f}"
        expected = "unknown" if each.expected is None else f"{each.expected:.3f}"
        names = " + ".join(symbol_of(leg.instrument).removesuffix(" perpetual") for leg in each.legs)
        shown.add_row(mark + names, expected, bounds, amount(each.cost.total))
    print_table(out, shown)


def leg_text(leg: PlannedLeg, quote: str) -> str:
    side = "sell" if leg.contracts < 0 else "buy"
    return f"{side} {contracts_text(abs(leg.contracts))} {leg.instrument} ({amount(abs(leg.notional))} {quote})"


def contracts_text(value: Decimal) -> str:
    whole, dot, fraction = (money(value) or "0").partition(".")
    return f"{int(whole):,}{dot}{fraction}" if whole not in {"-0", ""} else f"{whole}{dot}{fraction}"


def amount(value: Decimal | None) -> str:
    """Money rounded to what can be read at a glance."""
    return "unknown" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.2f}"


def as_json(
    proposals: Sequence[PlanProposal], portfolio: str, quote: str, options: PlanOptions, notes: Sequence[str]
) -> dict[str, Any]:
    """Money and contracts are decimal strings, ratios numbers, unknown null."""
    return {
        "schema": SCHEMA,
        "portfolio": portfolio,
        "quote": quote,
        "top_up_within_days": round(options.top_up_within * 365, 6),
        "probability": options.probability,
        "groups": [
            {
                "name": each.name,
                "assets": list(each.assets),
                "exposure_value": money(_cents(each.exposure)),
                "proposed": None if each.best is None else _set(each.best),
                "sets": [_set(one) for one in each.sets],
                "alternatives": [{"what": one.what, "reason": one.reason} for one in each.alternatives],
                "notes": list(each.notes),
            }
            for each in proposals
        ],
        "notes": list(notes),
    }


def _set(planned: PlannedSet) -> dict[str, Any]:
    return {
        "instruments": listed([leg.instrument for leg in planned.legs]),
        "target": planned.target.value,
        "legs": [
            {
                "instrument": leg.instrument,
                "ratio": round(leg.ratio, 6),
                "optimum": round(leg.optimum, 6),
                "contracts": money(leg.contracts),
                "notional": money(_cents(leg.notional)),
                "collateral_bought": money(_cents(leg.bought)),
                "assumed": leg.assumed,
            }
            for leg in planned.legs
        ],
        "effectiveness": {
            "expected": _rounded(planned.expected),
            "low": _rounded(planned.low),
            "high": _rounded(planned.high),
        },
        "cost_year": {
            "total": money(planned.cost.total),
            "fees": money(planned.cost.fees),
            "funding": money(planned.cost.funding),
            "funding_of": dict(planned.cost.funding_of),
            "roll": money(planned.cost.roll),
        },
        "margin": [
            {
                "account": each.account,
                "currency": each.currency,
                "collateral": money(each.collateral),
                "collateral_value": money(_cents(each.value)),
                "bought": money(each.bought),
                "leverage_max": each.leverage,
                "assumed": each.assumed,
            }
            for each in planned.margin
        ],
        "residual_year": money(planned.residual_year),
    }


def _cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_EVEN)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
