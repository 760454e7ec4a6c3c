"""Seeded log prices, minute by minute: one market factor, each coin's own noise, jumps, and fat tails in both.

The day is the unit. Day i draws everything from a generator seeded by (seed, i), so a path does not depend on what
was asked for before. A day's whole move is drawn first and its minutes are bridged to it: the price of a far day needs
only the few numbers at the head of each day before it.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hedged.simulation.coins import COINS
from hedged.simulation.story import NOISE, STORY_DAYS, overlay

Floats = npt.NDArray[np.float64]

MINUTES = 1440
_MARKET_VOLATILITY = 0.028  # a day, about 53 % a year
_TAIL_DAY = 5  # degrees of freedom of the Student t of a day's move
_TAIL_MINUTE = 4
_MARKET_JUMP_CHANCE = 1 / 40  # a day
_MARKET_JUMP_SIZE = 0.035
_OWN_JUMP_CHANCE = 1 / 60
_PREMIUM = 1e-4  # where a perpetual trades over its index when nothing pulls
_PREMIUM_SWING = 6e-4  # standard deviation at noon, when the bridge is widest
_PREMIUM_MAX = 4e-3
_DAYS_KEPT = 8

_BETA = np.array([coin.beta for coin in COINS])
_OWN = np.array([coin.own_volatility for coin in COINS])
_JUMP = np.array([coin.jump_size for coin in COINS])
_WANDERS = np.array([not coin.stable for coin in COINS], dtype=float)
_START = np.log([coin.start for coin in COINS])


@dataclass(frozen=True, slots=True)
class Day:
    """One day's minutes, both of shape (1440, coins): log price of the index, and the perpetual's premium over it."""

    log_index: Floats
    premium: Floats


@dataclass(frozen=True, slots=True)
class _Outline:
    """A day's whole move without its minutes, per coin."""

    diffusion: Floats
    jumps: Floats
    market_jump: float
    own_jump_minutes: npt.NDArray[np.int64]
    market_jump_minute: int

    @property
    def total(self) -> Floats:
        return self.diffusion + self.jumps + _BETA * self.market_jump


class Paths:
    """Log prices by day. The last few days are kept, the others are computed again when asked for."""

    def __init__(self, seed: int, *, story: bool) -> None:
        self._seed = seed
        self._story = story
        self._opens: list[Floats] = [_START]  # at the first minute of each day, without the script
        self._days: OrderedDict[int, Day] = OrderedDict()

    def day(self, number: int) -> Day:
        """The `number`th day after the anchor, from 0."""
        if number in self._days:
            self._days.move_to_end(number)
            return self._days[number]
        day = self._compute(number)
        self._days[number] = day
        if len(self._days) > _DAYS_KEPT:
            self._days.popitem(last=False)
        return day

    def _compute(self, number: int) -> Day:
        while len(self._opens) <= number:
            self._opens.append(self._opens[-1] + self._outline(len(self._opens) - 1)[0].total)
        outline, generator = self._outline(number)
        scale = self._noise(number)
        market = _bridge(_t(generator, _TAIL_MINUTE, (MINUTES, 1))) * _MARKET_VOLATILITY
        own = _bridge(_t(generator, _TAIL_MINUTE, (MINUTES, len(COINS)))) * _OWN
        swing = _bridge(_t(generator, _TAIL_MINUTE, (MINUTES, len(COINS)))) * 2 * _PREMIUM_SWING
        minute = np.arange(MINUTES)[:, None]
        log_index = self._opens[number] + outline.diffusion * (minute / MINUTES) + scale * (market * _BETA + own)
        log_index += np.where(minute >= outline.own_jump_minutes, outline.jumps, 0.0)
        log_index += np.where(minute >= outline.market_jump_minute, _BETA * outline.market_jump, 0.0)
        if self._story:
            log_index += overlay(number)
        return Day(log_index, np.clip(_PREMIUM + swing, -_PREMIUM_MAX, _PREMIUM_MAX))

    def _noise(self, number: int) -> float:
        return NOISE if self._story and number < STORY_DAYS else 1.0

    def _outline(self, number: int) -> tuple[_Outline, np.random.Generator]:
        """The head of a day's stream, and the generator at the place where its minutes begin."""
        generator = np.random.Generator(np.random.PCG64([self._seed, number]))
        moves = _t(generator, _TAIL_DAY, (len(COINS) + 1,))
        chances = generator.random(len(COINS) + 1)
        sizes = generator.standard_normal(len(COINS) + 1)
        jump_minutes = generator.integers(1, MINUTES, len(COINS) + 1)
        scale = self._noise(number)
        jumping = 0.0 if scale < 1.0 else 1.0  # no accident upsets the script
        outline = _Outline(
            diffusion=scale * _WANDERS * (_BETA * moves[0] * _MARKET_VOLATILITY + moves[1:] * _OWN),
            jumps=jumping * np.where(chances[1:] < _OWN_JUMP_CHANCE, sizes[1:] * _JUMP, 0.0),
            market_jump=float(jumping * sizes[0] * _MARKET_JUMP_SIZE) if chances[0] < _MARKET_JUMP_CHANCE else 0.0,
            own_jump_minutes=jump_minutes[1:],
            market_jump_minute=int(jump_minutes[0]),
        )
        return outline, generator


def _t(generator: np.random.Generator, freedom: int, shape: tuple[int, ...]) -> Floats:
    """Student t of unit variance."""
    draws: Floats = generator.standard_t(freedom, shape)
    return draws * math.sqrt((freedom - 2) / freedom)


def _bridge(steps: Floats) -> Floats:
    """A walk over the day that begins and ends at 0, with the roughness of one of unit variance a day.

    Row m is the walk after m steps: 0 in the first row, and 0 again one step after the last.
    """
    walk = np.zeros((len(steps) + 1, steps.shape[1]))
    walk[1:] = np.cumsum(steps, axis=0) / np.sqrt(len(steps))
    walk -= np.arange(len(walk))[:, None] / len(steps) * walk[-1]
    return walk[:-1]
