"""`hedged instruments`: what an account's venue lists that can hedge what."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hedged.cli.options import EXIT_FAILED, ConfigOption, JsonOption

if TYPE_CHECKING:
    from hedged.settings import Settings


def instruments(
    config: ConfigOption,
    account: Annotated[str, typer.Option("--account", "-a", help="The account's name in the configuration.")],
    underlying: Annotated[
        str | None, typer.Option("--underlying", "-u", help="Only of this coin, such as ETH.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """List contracts: size in coins and money, expiry, funding and basis a year, spread, smallest order."""
    import json as jsonlib

    from hedged.adapters import log
    from hedged.settings import load

    settings = load(config)
    names = [each.name for each in settings.accounts]
    if account not in names:
        raise typer.BadParameter(f"{account!r} is not an account of {config}: {', '.join(names)}")
    log.configure(sys.stderr, level="error")
    rows = asyncio.run(_rows(settings, account, underlying.upper() if underlying else None))
    if json:
        typer.echo(jsonlib.dumps({"schema": "hedged.instruments/1", "account": account, "instruments": rows}, indent=2))
    elif rows:
        _show(rows, account)
    else:
        typer.echo(f"{account} lists no contract of {underlying}" if underlying else f"{account} lists no contract")
        raise typer.Exit(EXIT_FAILED)


async def _rows(settings: Settings, account: str, underlying: str | None) -> list[dict[str, Any]]:
    from hedged.adapters.clock import SystemClock
    from hedged.adapters.store.memory import MemoryStore
    from hedged.app import open_exchanges
    from hedged.estimate.contract_terms import contract_terms
    from hedged.tell.state import money, number, time

    clock, store = SystemClock(), MemoryStore()
    await store.open(settings.name, settings.world, clock.now())
    exchanges = await open_exchanges(settings, store, clock)
    try:
        market = exchanges.markets[account]
        listed = await market.instruments()
        wanted = {name: each for name, each in listed.items() if underlying in {None, each.base}}
        quotes = await market.quotes(list(wanted))
    finally:
        await exchanges.close()
    rows, collar = [], settings.document.limits.price_collar
    for name in sorted(wanted, key=lambda key: (wanted[key].base, wanted[key].expiry is not None, key)):
        instrument, quote = wanted[name], quotes.get(name)
        terms = contract_terms(instrument, quote.value, clock.now(), collar) if quote is not None else None
        rows.append(
            {
                "instrument": name,
                "underlying": instrument.base,
                "kind": instrument.kind.value,
                "linear": instrument.linear,
                "trading": instrument.trading,
                "expiry": time(instrument.ends()),
                "mark": money(quote.value.mark) if quote is not None else None,
                "contract_coins": money(terms.contract_coins) if terms else None,
                "contract_value": money(terms.contract_value) if terms else None,
                "order_min_contracts": money(terms.order_min_contracts) if terms else None,
                "order_min_value": money(terms.order_min_value) if terms else None,
                "spread_ratio": number(terms.spread_ratio) if terms else None,
                "funding_year": number(terms.funding_year) if terms else None,
                "basis_year": number(terms.basis_year) if terms else None,
            }
        )
    return rows


def _show(rows: list[dict[str, Any]], account: str) -> None:
    from hedged.cli.show import money_text, percent, quantity
    from hedged.cli.tables import new_console, print_table, table

    shown = table(f"Contracts of {account}", "symbol", ">mark", ">coins", ">min order", ">spread", ">carry/yr", "=ends")
    for row in rows:
        carry = row["funding_year"] if row["kind"] == "perpetual" else row["basis_year"]
        shown.add_row(
            row["instrument"].partition(":")[2],
            quantity(row["mark"]),
            quantity(row["contract_coins"]),
            money_text(row["order_min_value"]),
            "unknown" if row["spread_ratio"] is None else f"{row['spread_ratio']:.3%}",
            percent(carry),
            (row["expiry"] or "")[:10] if row["trading"] else "halted",
        )
    out = new_console()
    print_table(out, shown)
    out.print(
        "coins: in one contract; min order: in money; carry: what a short receives a year by funding or, of a dated "
        "contract, by its basis (below 0: pays)"
    )
