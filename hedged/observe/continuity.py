"""What was there a moment ago and is not any more: believed only when it is read again, and explained."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from hedged.decide.runaway import without
from hedged.errors import VenueError
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.order import Fill, Intent
from hedged.model.policy import PortfolioPolicy
from hedged.model.snapshot import AccountSnapshot, Balance, Doubt, Leg, Read, Snapshot
from hedged.ports import AccountReader, Memory

ZERO = Decimal(0)
SECONDS_BETWEEN_READS = 2.0
POLLS_FOR_AN_EXPLANATION = 3  # a position that shrank is there to be read: it is believed then, explained or not
NOT_EXPLAINED = "nothing that the venue shows explains it"


@dataclass(frozen=True, slots=True)
class Continuity:
    """Compares an account with what the last cycle believed of it."""

    policy: PortfolioPolicy
    memory: Memory
    now: datetime
    prices: Mapping[str, Leg[Decimal]]

    def suspects(self, view: AccountSnapshot) -> list[Doubt]:
        """Positions that are gone or smaller, wallets that are empty, assets that fell by over half; only of what was
        read.
        """
        found = []
        if isinstance(view.derivatives, Read):
            held = {p.instrument: p.contracts for p in view.derivatives.value.positions}
            for instrument, before in self.memory.positions.items():
                account = instrument.partition(":")[0]
                now = held.get(instrument, ZERO)
                if account == view.account and before and (abs(now) < abs(before) or now * before < 0):
                    asset = instrument.partition(":")[2].partition("/")[0]
                    polls = self.memory.polls.get(instrument, 0) + 1
                    found.append(Doubt(instrument, account, asset, instrument, before=before, now=now, polls=polls))
        wallets = {wallet: leg.value for wallet, leg in view.wallets.items() if isinstance(leg, Read)}
        held_now = {
            f"{view.account}/{wallet}/{balance.asset}": gross(balance)
            for wallet, balances in wallets.items()
            for balance in balances
        }
        for place, before in self.memory.balances.items():
            account, wallet, asset = place.split("/", 2)
            if account != view.account or wallet not in wallets or before <= 0:
                continue
            now = held_now.get(place, ZERO)
            if now < before / 2 and not self._is_dust(asset, before):
                polls = self.memory.polls.get(place, 0) + 1
                found.append(Doubt(place, account, asset, None, before=before, now=now, polls=polls))
        return [doubt for doubt in found if doubt.subject not in self.memory.accepted]

    def _is_dust(self, asset: str, quantity: Decimal) -> bool:
        if asset == self.policy.quote:
            return quantity <= self.policy.dust_value
        leg = self.prices.get(self.policy.aliases.get(asset, asset))
        return isinstance(leg, Read) and quantity * leg.value <= self.policy.dust_value

    async def explain(self, doubt: Doubt, reader: AccountReader, instrument: Instrument | None) -> str | None:
        """What became of it, in words; None where the venue shows nothing. A contract past its end explains itself."""
        ends = instrument.ends() if instrument is not None else None
        if ends is not None and ends <= self.now:
            return f"it ended on {ends:%Y-%m-%d %H:%M} UTC"
        # Since it was last read and believed: through an outage, and through earlier failures to explain it.
        since = self.memory.read_at.get(_place(doubt.subject, doubt.account), self.memory.at or self.now)
        try:
            explanation = await reader.explain(doubt, since)
        except VenueError:
            explanation = None
        if explanation is None and doubt.now and doubt.instrument and doubt.polls >= POLLS_FOR_AN_EXPLANATION:
            return NOT_EXPLAINED
        return explanation


def gross(balance: Balance) -> Decimal:
    """What is there, debt aside: a repaid loan is no vanished coin."""
    return balance.free + balance.locked


def _place(subject: str, account: str) -> str:
    """What has to be read to see a subject: the account for a position, account/wallet for a balance."""
    return subject.rpartition("/")[0] if subject.startswith(f"{account}/") else account


def filled(memory: Memory, intent: Intent, fill: Fill) -> Memory:
    """The memory after an order of ours that was found out about later.

    A position that has moved since the order was decided on shows it already: nothing else trades there meanwhile.
    """
    held = memory.positions.get(fill.instrument, ZERO)
    if intent.held is not None and held != intent.held:
        return memory
    return replace(memory, positions={**memory.positions, fill.instrument: held + fill.quantity * fill.side.sign})


def forgotten(memory: Memory, account: str, wallet: str) -> Memory:
    """The memory without the positions of an account and what is in that wallet: they are gone on purpose."""
    place = f"{account}/{wallet}/"

    def stays(subject: str) -> bool:
        return not subject.startswith((f"{account}:", place))

    return replace(
        memory,
        positions={name: held for name, held in memory.positions.items() if stays(name)},
        balances={name: held for name, held in memory.balances.items() if stays(name)},
        debts={name: owed for name, owed in memory.debts.items() if stays(name)},
        polls={name: polls for name, polls in memory.polls.items() if stays(name)},
        accepted=frozenset(name for name in memory.accepted if stays(name)),
        guard=without(memory.guard, account),
    )


def remember(snapshot: Snapshot, memory: Memory, fills: Iterable[Fill] = ()) -> Memory:
    """What this cycle believed, and what its own orders made of it since.

    What was not read, or is in doubt, stays as it was: position, balance, the polls counted and the acceptance given.
    """
    doubted = {doubt.subject: doubt for doubt in snapshot.doubts}
    positions: dict[InstrumentId, Decimal] = {}
    balances: dict[str, Decimal] = {}
    debts: dict[str, Decimal] = {}
    read: set[str] = set()
    for name, view in snapshot.accounts.items():
        if isinstance(view.derivatives, Read):
            read.add(name)
            positions.update({p.instrument: p.contracts for p in view.derivatives.value.positions if p.contracts})
        for wallet, leg in view.wallets.items():
            if isinstance(leg, Read):
                read.add(f"{name}/{wallet}")
                balances.update({f"{name}/{wallet}/{b.asset}": gross(b) for b in leg.value if gross(b)})
                debts.update({f"{name}/{wallet}/{b.asset}": b.debt for b in leg.value if b.debt})

    def kept(subject: str) -> bool:
        account = re.split("[:/]", subject, maxsplit=1)[0]
        return account in snapshot.accounts and (_place(subject, account) not in read or subject in doubted)

    positions |= {name: held for name, held in memory.positions.items() if kept(name)}
    balances |= {place: held for place, held in memory.balances.items() if kept(place)}
    debts |= {place: owed for place, owed in memory.debts.items() if kept(place)}
    for fill in fills:
        positions[fill.instrument] = positions.get(fill.instrument, ZERO) + fill.quantity * fill.side.sign
    believed = {place for place in read if not any(_place(d.subject, d.account) == place for d in snapshot.doubts)}
    return replace(
        memory,
        at=snapshot.now,
        positions={name: held for name, held in positions.items() if held},
        balances=balances,
        debts=debts,
        priced=memory.priced | {asset for asset, price in snapshot.prices.items() if isinstance(price, Read)},
        polls={
            **{subject: polls for subject, polls in memory.polls.items() if kept(subject)},
            **{subject: doubt.polls for subject, doubt in doubted.items()},
        },
        accepted=frozenset(subject for subject in memory.accepted if kept(subject)),
        read_at={
            **{place: when for place, when in memory.read_at.items() if place.partition("/")[0] in snapshot.accounts},
            **dict.fromkeys(believed, snapshot.now),
        },
    )
