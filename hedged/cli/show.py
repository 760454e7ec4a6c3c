"""A state object as a person reads it: exposure, hedge, target, gap, what would be traded. Data on stdout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.text import Text

from hedged.cli.tables import new_console, print_table, table

COLOURS = {
    "ok": "green",
    "under": "yellow",
    "over": "yellow",
    "blocked": "red",
    "no_exposure": "blue",
    "info": "blue",
    "warning": "yellow",
    "critical": "bold red",
}
WORDS = {
    "ok": "on target",
    "under": "under",
    "over": "over",
    "blocked": "blocked",
    "no_exposure": "no exposure",
}


def show_state(
    state: Mapping[str, Any],
    *,
    trades: str = "decided",
    age: timedelta | None = None,
    console: Console | None = None,
) -> None:
    """Print every part of the object of `once --json` that has something in it. `trades`: the word before an intent."""
    out = console or new_console()
    quote = state.get("quote", "")
    head = Text.assemble((str(state["portfolio"]), "bold"), f"  {state['now']}  mode {state['mode']}")
    head.append(f", {state['world']} world", style="dim" if state["world"] == "real" else "magenta")
    if age is not None:
        head.append(f"  ({age.total_seconds():,.0f} s ago)")
    out.print(head)
    for word in ("paused", "halted"):
        if stop := state.get(word):
            said = f": {_plain(stop['reason'])}" if stop["reason"] else ""
            out.print(Text(f"{word:>8}  since {stop['since']} by {stop['by']}{said}", style=COLOURS["critical"]))
    if heartbeat := state.get("heartbeat"):
        _heartbeat(out, heartbeat)
    _exposures(out, state["exposures"], quote)
    _hedges(out, state["hedges"], quote)
    _history(out, state.get("history", ()))
    _accounts(out, state["margin"], state["expiries"], quote)
    _findings(out, state["findings"])
    _decision(out, state, quote, trades)


def _exposures(out: Console, rows: Iterable[Mapping[str, Any]], quote: str) -> None:
    shown = table(f"Exposure in {quote}", "asset", ">quantity", ">price", ">value", "hedge")
    for row in rows:
        shown.add_row(
            _plain(row["asset"]),
            quantity(row["quantity"]),
            quantity(row["price"]),
            money_text(row["value"]),
            row["hedge"] or Text("none", style="yellow"),
        )
    print_table(out, shown)


def _hedges(out: Console, rows: Sequence[Mapping[str, Any]], quote: str) -> None:
    shown = table(
        f"Hedges in {quote}",
        "hedge",
        ">exposure",
        ">hedged",
        ">ratio",
        ">target",
        ">± band",
        ">drift",
        "=state",
    )
    legs = table(f"Legs in {quote}", "instrument", ">contracts", ">notional", ">mark", ">funding", ">a year")
    for row in rows:
        shown.add_row(
            row["name"],
            money_text(row["beta_exposure"]),
            money_text(row["hedge_value"]),
            _ratio(row["hedge_ratio"]),
            _ratio(row["target_ratio"]),
            _ratio(row["band"]),
            _signed(row["drift"]),
            Text(WORDS[row["state"]], style=COLOURS[row["state"]]),
        )
        for leg in row["legs"]:
            legs.add_row(
                leg["instrument"],
                quantity(leg["contracts"]),
                money_text(leg["notional"]),
                quantity(leg["mark"]),
                _funding(leg),
                _carry(leg),
            )
    if shown.row_count:
        print_table(out, shown)
        for row in rows:
            if row.get("target_reason"):
                out.print(Text(f"{row['name']}: target {_ratio(row['target_ratio'])}: {row['target_reason']}"))
            _past(out, row)
        print_table(out, legs)


def _past(out: Console, row: Mapping[str, Any]) -> None:
    """What its ratios rest on and how sure they are; of a state that was stored by an earlier version, nothing."""
    known = row.get("statistics")
    if known and known["text"]:
        out.print(Text(f"{row['name']}: {_plain(known['text'])}"))
    if known and known["hedge_volatility"] is not None:
        inner = "" if known["band_inner"] is None else f", orders stop at ± {_ratio(known['band_inner'])}"
        volatilities = f"hedge {percent(known['hedge_volatility'])}, gap {percent(known['gap_volatility'])}"
        out.print(Text(f"{row['name']}: volatility a year: {volatilities}{inner}; as of {known['as_of']}"))


def _heartbeat(out: Console, row: Mapping[str, Any]) -> None:
    last = f"last answered {row['delivered_at'] or 'never'}"
    if row["problem"]:
        out.print(Text(f"heartbeat  not answered ({_plain(row['problem'])}), {last}", style=COLOURS["critical"]))
    else:
        out.print(Text(f"heartbeat  {last}", style="dim"))


def _history(out: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """How much of the past the statistics have to go by."""
    shown = table("Past prices, hourly", "market", ">bars", "=from", "=to")
    for row in rows:
        shown.add_row(_plain(row["subject"]), f"{row['bars']:,}", row["first"] or "–", row["last"] or "–")
    print_table(out, shown)


def _accounts(
    out: Console, margins: Iterable[Mapping[str, Any]], expiries: Iterable[Mapping[str, Any]], quote: str
) -> None:
    columns = ("account", ">equity", ">margin ratio", ">to liquidation", ">liquidated", ">top up", ">leverage", "")
    shown = table(f"Margin in {quote}", *columns)
    for row in margins:
        shown.add_row(
            row["account"],
            money_text(row.get("equity")),
            percent(row["margin_ratio"]),
            breach(row) or percent(row["liquidation_distance_ratio"], none="–"),
            odds(row),
            top_up(row),
            _leverage(row),
            _resting(row),
        )
    print_table(out, shown)
    dates = table("Expiry", "instrument", "=expires", ">days")
    for row in expiries:
        dates.add_row(row["instrument"], row["expiry"], f"{row['days']:,.1f}")
    print_table(out, dates)


def breach(row: Mapping[str, Any]) -> str:
    """The move that liquidates, `ETH +18.0%`; "" where none is known."""
    found = row.get("breach")
    return f"{_coin(found['instrument'])} {found['ratio']:+.1%}" if found else ""


def odds(row: Mapping[str, Any]) -> str:
    """`3.1% in 1 d`; rows of an earlier version say nothing of it."""
    chance, seconds = row.get("liquidation_probability"), row.get("liquidation_within_seconds")
    if seconds is None:
        return "–"
    if chance is None:
        return "unknown"
    span = f"{seconds / 86_400:g} d" if seconds >= 86_400 else f"{seconds / 3_600:g} h"
    return f"{'< 0.01%' if 0 < chance < 0.0001 else percent(chance)} in {span}"


def top_up(row: Mapping[str, Any]) -> str:
    amount = row.get("top_up")
    if amount is None:
        return "–"
    worth = f" worth of {row['coin']}" if row.get("coin") else ""
    return "–" if amount == "0" else f"{float(amount):,.0f} {row.get('currency') or ''}{worth}".strip()


def _leverage(row: Mapping[str, Any]) -> str:
    """The lowest to set at the venue that puts all of the equity behind the positions."""
    return "–" if row.get("leverage_lowest") is None else f"{row['leverage_lowest']}x"


def _resting(row: Mapping[str, Any]) -> str:
    parts = ["estimated"] if row["estimated"] else []
    return _plain("; ".join([*parts, *filter(None, [row.get("odds_basis")])]))


def _coin(instrument: str) -> str:
    return _plain(instrument.partition(":")[2].partition("/")[0])


def _findings(out: Console, rows: Iterable[Mapping[str, Any]]) -> None:
    for row in rows:
        out.print(Text.assemble((f"{row['severity']:>8}", COLOURS[row["severity"]]), "  ", _plain(row["text"])))


def _decision(out: Console, state: Mapping[str, Any], quote: str, verb: str) -> None:
    decision = state["decision"]
    for order in state.get("orders", ()):
        done = order["outcome"] == "filled"
        text = f"  {order['side']} {quantity(order['quantity'])} {order['instrument']}: {order['outcome']}"
        text += (
            f" at {quantity(order['price'])}, fee {money_text(order['fee'])} {quote}"
            if done
            else f", {order['reason']}"
        )
        out.print(Text.assemble((f"{'order':>8}", "bold green" if done else "bold red"), text))
    if state.get("orders"):
        return
    for intent in decision["intents"]:
        reduce = ", reduce-only" if intent["reduce_only"] else ""
        out.print(
            Text.assemble(
                (f"{verb:>8}", "bold green"),
                f"  {intent['side']} {quantity(intent['quantity'])} {intent['instrument']} "
                f"near {quantity(intent['price'])} ({money_text(intent['notional'])} {quote}{reduce})",
            )
        )
    for refusal in decision["refused"]:
        intent = refusal["intent"]
        order = f"{intent['side']} {quantity(intent['quantity'])} {intent['instrument']}"
        out.print(Text.assemble((f"{'refused':>8}", "bold red"), f"  {order}: {refusal['reason']}"))
    waiting = decision.get("proposals", ())
    for each in waiting:
        out.print(Text.assemble((f"{'proposed':>8}", "bold yellow"), f"  {proposal_line(each, quote)}"))
    if not decision["intents"] and not decision["refused"] and not waiting:
        for reason in decision["reason"].split("; "):
            out.print(Text.assemble((f"{'nothing':>8}", "dim"), f"  {reason}"))


def proposal_line(proposal: Mapping[str, Any], quote: str) -> str:
    """A proposal with all its numbers, and how to answer it."""
    reduce = ", reduce-only" if proposal["reduce_only"] else ""
    return (
        f"{proposal['id']}  {proposal['side']} {quantity(proposal['quantity'])} {proposal['instrument']} near "
        f"{quantity(proposal['price'])} ({money_text(proposal['notional'])} {quote}{reduce}) for {proposal['hedge']}, "
        f"{proposal['purpose']}, until {proposal['expires_at']}"
    )


def _plain(text: object) -> str:
    """Names come from venues: nothing unprintable reaches a terminal."""
    return "".join(char for char in str(text) if char.isprintable())


def money_text(value: str | None) -> str:
    return "unknown" if value is None else f"{float(value):,.2f}"


def quantity(value: str | None) -> str:
    if value is None:
        return "unknown"
    whole, dot, fraction = value.partition(".")
    return f"{int(whole):,}{dot}{fraction}" if whole.lstrip("-") not in ("", "0") else value


def _ratio(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _signed(value: float | None) -> str:
    return "unknown" if value is None else f"{value:+.3f}"


def percent(value: float | None, none: str = "unknown") -> str:
    return none if value is None else f"{value:.1%}"


def _funding(leg: Mapping[str, Any]) -> str:
    """A dated contract has none."""
    if leg.get("funding_rate") is None:
        return "–" if "-" in leg["instrument"].rpartition(":")[2] else "unknown"
    return f"{leg['funding_rate']:.4%}"


def _carry(leg: Mapping[str, Any]) -> str:
    """What the position pays or receives by funding, in words: a sign would be read either way."""
    if leg.get("carry_year") is None:
        return "–" if leg["contracts"] == "0" or _funding(leg) == "–" else "unknown"
    amount = float(leg["carry_year"])
    return f"{'pays' if amount > 0 else 'gets'} {abs(amount):,.0f}"
