"""A paper account begun anew: cash as configured, no position; the history of its orders stays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from hedged.adapters.exchanges.paper_ledger import Ledger, from_blob, to_blob
from hedged.errors import StoreError
from hedged.model.order import Absent
from hedged.model.policy import PaperPolicy
from hedged.observe.continuity import forgotten
from hedged.ports import CycleRecord, Ids, Memory, Store

_WALLET = "swap"


@dataclass(frozen=True, slots=True)
class Place:
    """What an account holds of one currency, by its ledger. `amount`: to begin anew with."""

    account: str
    currency: str
    key: str
    amount: Decimal


def places(account: str, policy: PaperPolicy, quote: str) -> list[Place]:
    """The cash of a paper account, then its coins."""
    coins = [Place(account, coin, f"paper/{account}/{coin}", amount) for coin, amount in policy.coins.items()]
    return [Place(account, quote, f"paper/{account}", policy.cash), *coins]


async def ledgers(store: Store, wanted: Iterable[Place]) -> dict[Place, Ledger]:
    """Of those that have been used. Raises `StoreError`, also for one that is damaged."""
    found = {}
    for place in wanted:
        blob = await store.get_blob(place.key)
        if blob is not None:
            try:
                found[place] = from_blob(blob)
            except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
                raise StoreError(f"{place.key} in the store is damaged: {error!r}") from error
    return found


async def reset(store: Store, before: Mapping[Place, Ledger], now: datetime, ids: Ids) -> None:
    """Begin these accounts anew. No daemon may run on the store. Raises `StoreError`.

    In this order, so that wherever it is interrupted nothing is later taken for vanished: orders that were open come
    to the end that the ledger knows, the memory of positions goes, and the ledger last.
    """
    for row in await store.open_orders():
        account, client_order_id = row.intent.instrument.partition(":")[0], row.intent.client_order_id
        own = [ledger for place, ledger in before.items() if place.account == account]
        if own:
            known = (ledger.outcome(client_order_id) for ledger in own)
            end = next((outcome for outcome in known if outcome is not None), Absent(client_order_id))
            await store.record_outcome(end, now)
    memory = await store.memory()
    if memory.positions_of == "paper":
        for account in {place.account for place in before}:
            memory = forgotten(memory, account, _WALLET)
        await _remember(store, replace(memory, positions_of="paper"), ids)
    for place, ledger in before.items():
        await store.put_blob(place.key, to_blob(ledger.restarted(place.amount, now)), now)


async def _remember(store: Store, memory: Memory, ids: Ids) -> None:
    """A cycle that saw nothing, as old as the last: nobody takes it for a sign of life."""
    last = await store.last_cycle()
    if last is None:
        return
    at = last[1]
    record = CycleRecord(
        cycle_id=ids.new(),
        started_at=at,
        finished_at=at,
        snapshot=None,
        state=None,
        decision=None,
        memory=memory,
        alerts=await store.alerts(),
        messages=(),
    )
    await store.record_cycle(record, ())
