"""Price files: wide (`ts,BTC,ETH…`) or long (`ts,symbol,close` and more), .csv or .csv.gz, into columns on one clock.

A cell without text is a missing bar, and so is a row that is not there: nothing is filled in. Anything else that is
not a positive number in time order is a `DataError` that names the file, the row (the header is row 1) and the reason.
"""

from __future__ import annotations

import csv
import gzip
import math
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from hedged.adapters.exchanges.price_table import FundingRates, PriceTable
from hedged.adapters.exchanges.symbols import parse_symbol
from hedged.errors import DataError
from hedged.replay.options import BarTime

_CHUNK = 65_536  # rows turned into arrays at a time, so that a year of minutes never stands in memory as text
_FIELDS = frozenset({"symbol", "open", "high", "low", "close", "volume", "funding_rate", "time", "timestamp", "date"})
_ASSET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NUMBER = re.compile(r"(?:[+-]?(?:\d{1,30}\.?\d{0,30}|\.\d{1,30})(?:[eE][+-]?\d{1,3})?)?", re.ASCII)  # or nothing


def read_prices(path: Path, bar_time: BarTime = BarTime.OPEN) -> PriceTable:
    """A wide or long file, by its header; columns are named by asset. Raises `DataError`."""
    rows = _Rows(path)
    if "symbol" in rows.header:
        times, columns, _ = _long(rows, "close", positive=True)
    else:
        times, columns = _wide(rows)
    return _table(path, times, columns, bar_time)


def read_dated(path: Path, bar_time: BarTime = BarTime.OPEN) -> PriceTable:
    """A long file whose symbols are ccxt's unified ones with an expiry (`ETH/USDT:USDT-240329`). Raises `DataError`."""
    rows = _Rows(path)
    times, columns, first_rows = _long(rows, "close", positive=True)
    for symbol, row in first_rows.items():
        parsed = parse_symbol(symbol)
        if parsed is None or parsed.expiry is None:
            rows.fail(row, f"{symbol!r} is no dated contract; expected one like ETH/USDT:USDT-240329")
    return _table(path, times, columns, bar_time)


def read_funding(path: Path) -> Mapping[str, FundingRates]:
    """A long file `ts,symbol,funding_rate`, stamped at the settlement itself. Raises `DataError`.

    By symbol as it is written there, those without any rate left out: a base asset, or ccxt's symbol of a perpetual.
    """
    rows = _Rows(path)
    times, columns, _ = _long(rows, "funding_rate", positive=False)
    series = {}
    for symbol, text in columns.items():
        settled = text != b""
        if settled.any():
            series[symbol] = FundingRates(times[settled], text[settled])
    return series


def _table(
    path: Path, stamps: NDArray[np.int64], columns: Mapping[str, NDArray[np.bytes_]], bar_time: BarTime
) -> PriceTable:
    if len(stamps) < 2:
        raise DataError(f"{path}: one row is no history; at least two are needed to know the step between bars")
    steps, counts = np.unique(np.diff(stamps), return_counts=True)
    step = int(steps[np.argmax(counts)])
    delay = step if bar_time is BarTime.OPEN else 0
    return PriceTable(path.name, stamps + delay, columns, step, delay)


class _Rows:
    """The file's rows, each with its number, and errors that name both."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.name.endswith((".csv", ".csv.gz")):
            raise DataError(f"{path}: expected a .csv or .csv.gz file")
        self._rows = self._read()
        self._time = ""  # a long file repeats its stamps: read each once
        self._epoch = 0
        first = next(self._rows, None)
        if first is None:
            raise DataError(f"{path}: the file is empty")
        self.header = first[1]
        if self.header[0] != "ts":
            self.fail(1, f"the header must begin with `ts`, not with {self.header[0]!r}")
        repeated = [name for name in self.header if self.header.count(name) > 1]
        if repeated:
            self.fail(1, f"column {repeated[0]!r} is there twice")

    def fail(self, row: int, reason: str) -> NoReturn:
        raise DataError(f"{self.path}: row {row}: {reason}")

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        """Rows below the header, with as many cells as it has."""
        width = len(self.header)
        for number, cells in self._rows:
            if len(cells) != width:
                self.fail(number, f"{len(cells)} fields where the header has {width}")
            yield number, cells

    def epoch(self, number: int, text: str) -> int:
        """Seconds since 1970 of an ISO 8601 time with its zone."""
        if text != self._time:
            try:
                at = datetime.fromisoformat(text)
            except ValueError:
                self.fail(number, f"{text!r} is no ISO 8601 time (expected one like 2021-01-01T00:00:00Z)")
            if at.tzinfo is None:
                self.fail(number, f"time {text!r} has no zone (expected one like 2021-01-01T00:00:00Z)")
            if at.microsecond:
                self.fail(number, f"time {text!r} has a fraction of a second")
            self._time, self._epoch = text, int(at.timestamp())
        return self._epoch

    def _read(self) -> Iterator[tuple[int, list[str]]]:
        number = 0
        try:
            opened = gzip.open if self.path.name.endswith(".gz") else open
            with opened(self.path, "rt", encoding="utf-8-sig", newline="") as file:  # newline="" is csv's own rule
                for number, cells in enumerate(csv.reader(file, strict=True), start=1):
                    yield number, cells or [""]
        except (EOFError, zlib.error) as error:
            raise DataError(f"{self.path}: row {number + 1}: the compressed file ends early or is damaged") from error
        except OSError as error:
            raise DataError(f"{self.path}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise DataError(f"{self.path}: row {number + 1}: not UTF-8 text") from error
        except csv.Error as error:
            raise DataError(f"{self.path}: row {number + 1}: {error}") from error


@dataclass(slots=True)
class _Cells:
    """Columns of decimal text, checked and packed a chunk at a time."""

    rows: _Rows
    names: list[str]
    positive: bool
    _packed: list[NDArray[np.bytes_]] = field(default_factory=list)
    _waiting: list[list[str]] = field(default_factory=list)
    _first: int = 2

    def add(self, cells: list[str]) -> None:
        self._waiting.append(cells)
        if len(self._waiting) == _CHUNK:
            self._pack()

    def finish(self) -> NDArray[np.bytes_]:
        """Shape (rows, len(names)); empty bytes where a cell had no text."""
        self._pack()
        if not self._packed:
            raise DataError(f"{self.rows.path}: no row below the header")
        return np.concatenate(self._packed)

    def _pack(self) -> None:
        if not self._waiting:
            return
        packed = self._checked()
        if packed is None:
            self._fail_at_the_first_fault()
        self._packed.append(packed)
        self._first += len(self._waiting)
        self._waiting = []

    def _checked(self) -> NDArray[np.bytes_] | None:
        """The chunk as bytes, or None if any cell is not a price (rate). In bulk, because files are long."""
        if not all(_NUMBER.fullmatch(cell) for cells in self._waiting for cell in cells):
            return None
        packed = np.array(self._waiting, dtype=np.bytes_)
        numbers = np.where(packed == b"", np.bytes_(b"1"), packed).astype(np.float64)
        sound = np.isfinite(numbers) & (numbers > 0) if self.positive else np.isfinite(numbers)
        return packed if sound.all() else None

    def _fail_at_the_first_fault(self) -> NoReturn:
        for number, cells in enumerate(self._waiting, start=self._first):
            for name, cell in zip(self.names, cells, strict=True):
                reason = _fault(cell, positive=self.positive)
                if reason is not None:
                    self.rows.fail(number, f"{name} = {cell[:40]!r} {reason}")
        raise AssertionError("a chunk was refused without a fault")  # the two checks say the same


def _fault(cell: str, *, positive: bool) -> str | None:
    """Why this cell cannot be a price (rate), or None. The same rule as `_Cells._checked`, cell by cell."""
    if not cell:
        return None
    if not _NUMBER.fullmatch(cell):
        return "is not a plain decimal number"
    if not math.isfinite(float(cell)):
        return "is too large"
    return "is not above zero" if positive and not float(cell) > 0 else None


def _wide(rows: _Rows) -> tuple[NDArray[np.int64], dict[str, NDArray[np.bytes_]]]:
    names = rows.header[1:]
    if not names:
        rows.fail(1, "no column beside `ts`")
    for name in names:
        if name.lower() in _FIELDS:
            rows.fail(1, f"column {name!r} is no asset; a file with it must also have `symbol` (ts,symbol,close)")
        if not _ASSET.fullmatch(name):
            rows.fail(1, f"column {name!r} is no asset's name")
    cells = _Cells(rows, names, positive=True)
    stamps: list[int] = []
    before: int | None = None
    for number, row in rows:
        at = rows.epoch(number, row[0])
        _in_order(rows, number, row[0], before, at)
        before = at
        stamps.append(at)
        cells.add(row[1:])
    packed = cells.finish()
    return np.array(stamps, dtype=np.int64), {name: packed[:, i].copy() for i, name in enumerate(names)}


def _long(
    rows: _Rows, value: str, *, positive: bool
) -> tuple[NDArray[np.int64], dict[str, NDArray[np.bytes_]], dict[str, int]]:
    """Times of any symbol, a column per symbol, and the row at which each symbol first appears."""
    for name in ("symbol", value):
        if name not in rows.header:
            rows.fail(1, f"no column {name!r} (expected ts,symbol,{value})")
    symbol_at, value_at = rows.header.index("symbol"), rows.header.index(value)
    cells = _Cells(rows, [value], positive=positive)
    before: dict[str, int] = {}
    first_rows: dict[str, int] = {}
    stamps: list[int] = []
    codes: list[int] = []
    numbers: dict[str, int] = {}
    for number, row in rows:
        symbol = row[symbol_at]
        at = rows.epoch(number, row[0])
        if symbol not in numbers:
            if not symbol:
                rows.fail(number, "no symbol")
            numbers[symbol] = len(numbers)
            first_rows[symbol] = number
        _in_order(rows, number, f"{row[0]} {symbol}", before.get(symbol), at)
        before[symbol] = at
        stamps.append(at)
        codes.append(numbers[symbol])
        cells.add([row[value_at]])
    packed = cells.finish()[:, 0]
    all_stamps, all_codes = np.array(stamps, dtype=np.int64), np.array(codes, dtype=np.int64)
    times = np.unique(all_stamps)
    columns = {}
    for symbol, code in numbers.items():
        mine = all_codes == code
        column = np.zeros(len(times), dtype=packed.dtype)
        column[np.searchsorted(times, all_stamps[mine])] = packed[mine]
        columns[symbol] = column
    return times, columns, first_rows


def _in_order(rows: _Rows, number: int, what: str, before: int | None, at: int) -> None:
    if before is None or at > before:
        return
    rows.fail(number, f"{what} is there twice" if at == before else f"{what} comes after a later time: sort by time")
