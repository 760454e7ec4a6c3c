"""Contracts and positions at brokers that hedged does not reach: what must hold of them, and the model's values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hedged.estimate.last_trading import cme_crypto
from hedged.model.broker import Broker, BrokerContract, BrokerPosition
from hedged.model.instrument import ContractKind, Instrument, InstrumentId, instrument_id
from hedged.settings.draft import Draft, number_of, tables_in
from hedged.settings.faults import Problem
from hedged.settings.fields import instrument_date
from hedged.settings.lines import Place
from hedged.settings.schema import Document, InstrumentSettings

_ONLY_THERE = ("lot", "expiry", "price_from")


def brokers(document: Document) -> tuple[Broker, ...]:
    """Those of a document that has passed every check, in the order of their first contract."""
    contracts: dict[str, list[BrokerContract]] = {}
    for row in document.instruments:
        if row.multiplier is not None:
            name, _, symbol = row.instrument.partition(":")
            contracts.setdefault(name, []).append(_contract(row, name, symbol, document.quote))
    positions = [
        BrokerPosition(
            instrument=InstrumentId(row.instrument),
            contracts=row.contracts,
            as_of=row.as_of,
            entry_price=row.entry,
            max_age=row.max_age,
        )
        for row in document.positions
    ]
    return tuple(
        Broker(name, tuple(own), tuple(p for p in positions if p.instrument.partition(":")[0] == name))
        for name, own in contracts.items()
    )


def _contract(row: InstrumentSettings, name: str, symbol: str, quote: str) -> BrokerContract:
    """In the currency of the price that it is followed by; what the broker settles it in stays in the symbol."""
    base = symbol.partition("/")[0]
    source = row.price_from or base
    multiplier = row.multiplier or Decimal(1)
    instrument = Instrument(
        id=instrument_id(name, symbol),
        account=name,
        symbol=symbol,
        kind=ContractKind.FUTURE if row.expiry is not None else ContractKind.PERPETUAL,
        base=base,
        quote=source.partition("/")[2].partition(":")[0] if ":" in source else quote,
        settle=symbol.partition(":")[2].partition("-")[0],
        multiplier=multiplier,
        lot_size=row.lot,
        expiry=_expiry(row),
        by_hand=True,
    )
    return BrokerContract(instrument, source)


def _expiry(row: InstrumentSettings) -> datetime | None:
    if isinstance(row.expiry, datetime) or row.expiry is None:
        return row.expiry
    day = instrument_date(row.instrument)
    return cme_crypto(day.year, day.month) if day is not None else None


def broker_names(draft: Draft) -> tuple[str, ...]:
    """Names that stand for a broker, in a file that may have faults."""
    accounts = _account_names(draft)
    rows = (row for _, row in tables_in(draft.values, "instruments") if "multiplier" in row)
    found = (str(row.get("instrument")).partition(":") for row in rows)
    return tuple(dict.fromkeys(name for name, colon, _ in found if colon and name not in accounts))


def _account_names(draft: Draft) -> frozenset[str]:
    return frozenset(account["name"] for _, account in draft.accounts if isinstance(account.get("name"), str))


def _contracts(draft: Draft) -> Iterator[Problem]:
    accounts = _account_names(draft)
    for place, row in tables_in(draft.values, "instruments"):
        if "multiplier" in row:
            yield from _contract_problems(place, row, accounts)
            yield from _price_problems(place, row, draft)
            continue
        for key in _ONLY_THERE:
            if key in row:
                yield Problem((*place, key), "is only for a contract at a broker, which needs its multiplier as well")
        if "direction" not in row and isinstance(row.get("instrument"), str):
            yield Problem(
                (*place, "instrument"), "has neither a direction nor, for a contract at a broker, a multiplier"
            )


def _contract_problems(place: Place, row: Mapping[str, Any], accounts: frozenset[str]) -> Iterator[Problem]:
    instrument = row.get("instrument")
    if not isinstance(instrument, str):
        return
    name, _, symbol = instrument.partition(":")
    if name in accounts:
        text = f'is only for a contract at a broker; "{name}" is an account, whose contracts are read from the exchange'
        yield Problem((*place, "multiplier"), text)
        return
    pair, _, settle = symbol.partition(":")
    if settle and pair.partition("/")[2] != settle.partition("-")[0]:
        yield Problem(
            (*place, "instrument"), "must be settled in the currency it is priced in, such as cme:ETH/USD:USD"
        )
    day = instrument_date(instrument)
    expiry = row.get("expiry")
    if day is None and expiry is not None:
        yield Problem((*place, "expiry"), "needs the date in the instrument's name as well: -YYMMDD at its end")
    if day is not None:
        if expiry is None:
            text = 'needs expiry: the moment it stops trading, such as 2026-11-27T16:00:00Z, or "cme" for CME\'s rule'
            yield Problem((*place, "instrument"), text)
        last = cme_crypto(day.year, day.month) if expiry == "cme" else expiry
        if isinstance(last, datetime) and last.tzinfo is not None and last.astimezone(UTC).date() != day.date():
            yield Problem(
                (*place, "expiry"), f"is on {last.astimezone(UTC):%Y-%m-%d}, the instrument's name says {day:%Y-%m-%d}"
            )


def _price_problems(place: Place, row: Mapping[str, Any], draft: Draft) -> Iterator[Problem]:
    """A contract goes by a price of its own coin: that of another would count it at a multiple of its worth."""
    instrument, source = row.get("instrument"), row.get("price_from")
    if not isinstance(instrument, str) or not isinstance(source, str):
        return
    account, colon, symbol = source.partition(":")
    if colon and account not in _account_names(draft):
        yield Problem(
            (*place, "price_from"), "must be a contract of an account here, or a coin, whose spot price is taken"
        )
        return
    coin = (symbol if colon else source).partition("/")[0]
    base = instrument.partition(":")[2].partition("/")[0]
    if draft.asset(coin) != draft.asset(base):
        yield Problem((*place, "price_from"), f'must be a price of "{base}", the coin that the contract is on')


def _positions(draft: Draft) -> Iterator[Problem]:
    rows = tables_in(draft.values, "instruments")
    entered = {row.get("instrument") for _, row in rows if "multiplier" in row}
    accounts = _account_names(draft)
    seen: set[str] = set()
    for place, row in tables_in(draft.values, "positions"):
        instrument = row.get("instrument")
        if not isinstance(instrument, str):
            continue
        if instrument in seen:
            yield Problem((*place, "instrument"), "stands here twice: enter the sum of the contracts")
        seen.add(instrument)
        if instrument.partition(":")[0] in accounts:
            yield Problem((*place, "instrument"), "is at an account, whose positions are read from the exchange")
        elif instrument not in entered:
            yield Problem((*place, "instrument"), "needs its contract under [[instruments]], with the multiplier")
        lot = next((number_of(each.get("lot", 1)) for _, each in rows if each.get("instrument") == instrument), None)
        contracts = number_of(row.get("contracts"))
        if lot and contracts and contracts % lot:
            yield Problem((*place, "contracts"), f"must be whole lots of {lot}")
        if number_of(row.get("contracts")) == 0:
            yield Problem((*place, "contracts"), "must not be 0: remove the table when the position is closed")


CHECKS = (_contracts, _positions)
