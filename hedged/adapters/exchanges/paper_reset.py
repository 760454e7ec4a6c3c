"""A paper account begun anew: cash as configured, no position; the history of its orders stays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from hedged.adapters.exchanges.paper_ledger import Ledger, from_blob, to_blob
from hedged.errors import StoreError
from hedged.model.order import Absent
from hedged.observe.continuity import forgotten
from hedged.ports import CycleRecord, Ids, Memory, Store

_WALLET = "swap"


async def ledgers(store: Store, accounts: Iterable[str]) -> dict[str, Ledger]:
    """By account, of those that have been used. Raises `StoreError`, also for one that is damaged."""
    found = {}
    for account in accounts:
        blob = await store.get_blob(_key(account))
        if blob is not None:
            try:
                found[account] = from_blob(blob)
            except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
                raise StoreError(f"{_key(account)} in the store is damaged: {error!r}") from error
    return found


async def reset(store: Store, before: dict[str, Ledger], cash: Decimal, now: datetime, ids: Ids) -> None:
    """Begin these accounts anew. No daemon may run on the store. Raises `StoreError`.

    In this order, so that wherever it is interrupted nothing is later taken for vanished: orders that were open come
    to the end that the ledger knows, the memory of positions goes, and the ledger last.
    """
    for row in await store.open_orders():
        ledger = before.get(row.intent.instrument.partition(":")[0])
        if ledger is not None:
            client_order_id = row.intent.client_order_id
            await store.record_outcome(ledger.outcome(client_order_id) or Absent(client_order_id), now)
    memory = await store.memory()
    if memory.positions_of == "paper":
        for account in before:
            memory = forgotten(memory, account, _WALLET)
        await _remember(store, replace(memory, positions_of="paper"), ids)
    for account, ledger in before.items():
        await store.put_blob(_key(account), to_blob(ledger.restarted(cash, now)), now)


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


def _key(account: str) -> str:
    return f"paper/{account}"
