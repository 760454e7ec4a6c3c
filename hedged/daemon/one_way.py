"""Whether the accounts that orders go to keep longs and shorts apart, in which no order for a hedge is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Protocol

import structlog

from hedged.errors import VenueError
from hedged.model.instrument import InstrumentId

log = structlog.get_logger(__name__)


class TellsMode(Protocol):
    """`ccxt_account.CcxtVenue` is the real one."""

    @property
    def hedge_words(self) -> str:
        """Why an account in hedge mode is refused, with the way out."""

    async def hedge_mode(self, names: Collection[InstrumentId] = ()) -> bool | None:
        """Raises `VenueError`."""


async def in_hedge_mode(
    venues: Mapping[str, TellsMode], legs: Mapping[str, Collection[InstrumentId]]
) -> dict[str, str]:
    """Of the accounts of these `legs` those in hedge mode, with the way out. What nobody can tell is logged."""
    asked = [name for name in legs if name in venues]
    answers = await asyncio.gather(*(_ask(name, venues[name], legs[name]) for name in asked))
    return {name: venues[name].hedge_words for name, hedged in zip(asked, answers, strict=True) if hedged}


async def _ask(name: str, venue: TellsMode, legs: Collection[InstrumentId]) -> bool:
    try:
        told = await venue.hedge_mode(legs)
    except VenueError as error:
        log.warning(
            "the position mode could not be asked: in hedge mode orders are refused", account=name, error=str(error)
        )
        return False
    if told is None:
        log.info("the venue does not tell the position mode: in hedge mode orders are refused", account=name)
    return told is True
