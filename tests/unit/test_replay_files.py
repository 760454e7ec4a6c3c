"""Price files: what is read, and what is refused with the file, the row and the reason."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from hedged.adapters.exchanges.price_table import PriceTable
from hedged.errors import DataError
from hedged.replay.files import read_dated, read_funding, read_prices
from hedged.replay.options import BarTime

T0, T1, T2 = "2021-01-01T00:00:00Z", "2021-01-01T01:00:00Z", "2021-01-01T02:00:00Z"
EPOCH = 1_609_459_200  # T0
HOUR = 3600


def write(folder: Path, *lines: str, name: str = "prices.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def prices(table: PriceTable, symbol: str) -> list[Decimal | None]:
    return [table.price(symbol, row) for row in range(len(table.times))]


def test_wide_file_keeps_the_text_exact_and_a_gap_missing(tmp_path: Path) -> None:
    """Every digit of the file reaches the Decimal; an empty cell is no price."""
    path = write(tmp_path, "ts,BTC,1INCH", f"{T0},28995.1300000000000001,1.5", f"{T1},,1.6", f"{T2},3e4,1.70")
    table = read_prices(path)
    assert prices(table, "BTC") == [Decimal("28995.1300000000000001"), None, Decimal(30000)]
    assert [str(price) for price in prices(table, "1INCH")] == ["1.5", "1.6", "1.70"]
    assert np.isnan(table.floats("BTC", table.times)).tolist() == [False, True, False]


@pytest.mark.parametrize(("bar_time", "known"), [(BarTime.OPEN, EPOCH + HOUR), (BarTime.CLOSE, EPOCH)])
def test_an_opening_stamp_is_known_one_step_later(tmp_path: Path, bar_time: BarTime, known: int) -> None:
    """A close is never known before its bar is over."""
    table = read_prices(write(tmp_path, "ts,BTC", f"{T0},1", f"{T1},2"), bar_time)
    assert table.times.tolist() == [known, known + HOUR]
    assert table.row_at(known) == 0
    assert table.row_at(known - 1) is None
    assert table.row_at(known + 1) is None


def test_the_step_is_the_usual_one_despite_gaps(tmp_path: Path) -> None:
    """A row that is missing does not stretch the bars beside it."""
    rows = [f"2021-01-01T{hour:02d}:00:00Z,{hour + 1}" for hour in (0, 1, 2, 7, 8)]
    table = read_prices(write(tmp_path, "ts,BTC", *rows))
    assert (table.step, table.delay) == (HOUR, HOUR)
    assert table.row_at(EPOCH + 4 * HOUR) is None


def test_long_file_in_blocks_or_mixed_gives_the_same_columns(tmp_path: Path) -> None:
    """Symbols one after the other, or side by side: one clock, and further columns do not matter."""
    blocks = write(tmp_path, "ts,symbol,high,close", f"{T0},ADA,9,1", f"{T1},ADA,9,2", f"{T1},BTC,9,5", f"{T2},BTC,9,6")
    mixed = write(
        tmp_path, "ts,close,symbol", f"{T0},1,ADA", f"{T1},5,BTC", f"{T1},2,ADA", f"{T2},6,BTC", name="mixed.csv"
    )
    for table in (read_prices(blocks), read_prices(mixed)):
        assert prices(table, "ADA") == [Decimal(1), Decimal(2), None]
        assert prices(table, "BTC") == [None, Decimal(5), Decimal(6)]


def test_compressed_offset_and_byte_order_mark_are_read(tmp_path: Path) -> None:
    """gzip, another zone than Z and a spreadsheet's mark change nothing."""
    path = tmp_path / "prices.csv.gz"
    with gzip.open(path, "wt", encoding="utf-8-sig") as file:
        file.write("ts,BTC\n2021-01-01T01:00:00+01:00,1\n2021-01-01T02:00:00+01:00,2\n")
    assert read_prices(path, BarTime.CLOSE).times.tolist() == [EPOCH, EPOCH + HOUR]


def test_a_file_longer_than_one_chunk_is_read_and_faulted_by_its_own_row(tmp_path: Path, monkeypatch: object) -> None:
    """Packing rows in chunks loses none and keeps the row numbers."""
    monkeypatch.setattr("hedged.replay.files._CHUNK", 4)  # type: ignore[attr-defined]
    rows = [f"2021-01-01T{hour:02d}:00:00Z,{hour + 100}" for hour in range(11)]
    table = read_prices(write(tmp_path, "ts,BTC", *rows))
    assert prices(table, "BTC") == [Decimal(hour + 100) for hour in range(11)]
    rows[9] = "2021-01-01T09:00:00Z,-1"
    with pytest.raises(DataError, match=r"row 11: BTC = '-1' is not above zero"):
        read_prices(write(tmp_path, "ts,BTC", *rows))


WIDE = "ts,BTC,ETH"
LONG = "ts,symbol,close"
BAD_PRICES = [
    pytest.param([WIDE, f"{T0},1,2", f"{T1},1,-5"], "row 3: ETH = '-5' is not above zero", id="negative"),
    pytest.param([WIDE, f"{T0},1,0.0", f"{T1},1,5"], "row 2: ETH = '0.0' is not above zero", id="zero"),
    pytest.param([WIDE, f"{T0},nan,1", f"{T1},1,5"], "row 2: BTC = 'nan' is not a plain decimal", id="nan"),
    pytest.param([WIDE, f"{T0},1,1", f"{T1},inf,5"], "row 3: BTC = 'inf' is not a plain decimal", id="inf"),
    pytest.param([WIDE, f"{T0},1e999,1", f"{T1},1,5"], "row 2: BTC = '1e999' is too large", id="overflow"),
    pytest.param([WIDE, f"{T0},1e-999,1", f"{T1},1,5"], "row 2: BTC = '1e-999' is not above zero", id="underflow"),
    pytest.param([WIDE, f"{T0},1_000,1", f"{T1},1,5"], "row 2: BTC = '1_000' is not a plain decimal", id="underscore"),
    pytest.param([WIDE, f"{T0},12x4,1", f"{T1},1,5"], "row 2: BTC = '12x4' is not a plain decimal", id="garbled"),
    pytest.param([WIDE, f"{T0},１,1", f"{T1},1,5"], "row 2: BTC = '１' is not a plain decimal", id="not-ascii"),
    pytest.param([WIDE, f"{T0},\0,1", f"{T1},1,5"], r"row 2: BTC = '\\x00' is not a plain decimal", id="nul"),
    pytest.param([WIDE, f"{T0},1,2", f"{T0},1,2"], f"row 3: {T0} is there twice", id="duplicate"),
    pytest.param([WIDE, f"{T1},1,2", f"{T0},1,2"], f"row 3: {T0} comes after a later time", id="order"),
    pytest.param([WIDE, f"{T0},1,2", f"{T1},1"], "row 3: 2 fields where the header has 3", id="short-row"),
    pytest.param([WIDE, f"{T0},1,2", f"{T1},1,2,3"], "row 3: 4 fields where the header has 3", id="long-row"),
    pytest.param([WIDE, f"{T0},1,2", "", f"{T1},1,2"], "row 3: 1 fields where the header has 3", id="blank-row"),
    pytest.param([WIDE, "2021-01-01T00:00:00,1,2"], "row 2: time '2021-01-01T00:00:00' has no zone", id="no-zone"),
    pytest.param([WIDE, "1609459200,1,2"], "row 2: '1609459200' is no ISO 8601 time", id="epoch"),
    pytest.param([WIDE, "yesterday,1,2"], "row 2: 'yesterday' is no ISO 8601 time", id="no-time"),
    pytest.param([WIDE, "2021-01-01T00:00:00.5Z,1,2"], "fraction of a second", id="fraction"),
    pytest.param([WIDE, f"{T0},1,2"], "one row is no history", id="one-row"),
    pytest.param([WIDE], "no row below the header", id="only-header"),
    pytest.param([f"{T0},1,2", f"{T1},1,2"], f"row 1: the header must begin with `ts`, not with '{T0}'", id="headless"),
    pytest.param(["ts"], "row 1: no column beside `ts`", id="only-ts"),
    pytest.param(["ts,BTC,BTC"], "row 1: column 'BTC' is there twice", id="double-column"),
    pytest.param(["ts,open,high,low,close"], "row 1: column 'open' is no asset; .*must also have `symbol`", id="ohlc"),
    pytest.param(["ts,BTC,"], "row 1: column '' is no asset's name", id="nameless-column"),
    pytest.param(["ts,symbol,price"], r"row 1: no column 'close' \(expected ts,symbol,close\)", id="no-close"),
    pytest.param([LONG, f"{T0},,1"], "row 2: no symbol", id="no-symbol"),
    pytest.param([LONG, f"{T0},BTC,1", f"{T0},BTC,2"], f"row 3: {T0} BTC is there twice", id="long-duplicate"),
    pytest.param([LONG, f"{T1},BTC,1", f"{T1},ETH,2", f"{T0},BTC,2"], f"row 4: {T0} BTC comes after", id="long-order"),
    pytest.param([LONG, f"{T0},BTC,1", f"{T1},BTC,-1"], "row 3: close = '-1' is not above zero", id="long-negative"),
]


@pytest.mark.parametrize(("lines", "reason"), BAD_PRICES)
def test_impossible_rows_are_refused_with_file_row_and_reason(tmp_path: Path, lines: list[str], reason: str) -> None:
    """Nothing impossible is skipped, sorted, filled or guessed."""
    path = write(tmp_path, *lines)
    with pytest.raises(DataError, match=reason) as caught:
        read_prices(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    """Missing, empty, cut off, of another kind: each has its own sentence."""
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(f"ts,BTC\n{T0},1\n{T1},2\n".encode())[:-10])
    no_gzip = tmp_path / "plain.csv.gz"
    no_gzip.write_bytes(b"ts,BTC\n")
    latin = tmp_path / "latin.csv"
    latin.write_bytes(b"ts,BTC\n2021-01-01T00:00:00Z,\xe9\n")
    for path, reason in [
        (tmp_path / "absent.csv", "No such file"),
        (tmp_path, r"expected a .csv or .csv.gz file"),
        (tmp_path / "prices.parquet", r"expected a .csv or .csv.gz file"),
        (write(tmp_path, name="blank.csv"), "the header must begin with `ts`"),
        (cut, "the compressed file ends early or is damaged"),
        (no_gzip, "Not a gzipped file"),
        (latin, "not UTF-8"),
    ]:
        with pytest.raises(DataError, match=reason):
            read_prices(path)
    empty = tmp_path / "empty.csv"
    empty.touch()
    with pytest.raises(DataError, match="the file is empty"):
        read_prices(empty)


def test_dated_files_name_contracts_with_their_expiry(tmp_path: Path) -> None:
    """A perpetual's or a coin's name in the file of dated contracts is a mistake, told with its row."""
    good = write(tmp_path, LONG, f"{T0},ETH/USDT:USDT-210326,1", f"{T1},ETH/USDT:USDT-210326,2")
    assert prices(read_dated(good), "ETH/USDT:USDT-210326") == [Decimal(1), Decimal(2)]
    for symbol in ("ETH/USDT:USDT", "ETH", "ETH/USDT:USDT-210399"):
        bad = write(tmp_path, LONG, f"{T0},ETH/USDT:USDT-210326,1", f"{T1},{symbol},2")
        with pytest.raises(DataError, match=f"row 3: '{symbol}' is no dated contract"):
            read_dated(bad)


def test_funding_rates_may_be_negative_or_zero_but_must_be_numbers(tmp_path: Path) -> None:
    """A rate has a sign; a word in its place has a row."""
    header = "ts,symbol,funding_rate"
    series = read_funding(write(tmp_path, header, f"{T0},ETH,-0.0001", f"{T1},ETH,0", f"{T2},ETH,0.0003"))["ETH"]
    assert series.settled(EPOCH, EPOCH + 2 * HOUR) == [
        (EPOCH + HOUR, Decimal(0)),
        (EPOCH + 2 * HOUR, Decimal("0.0003")),
    ]
    for lines, reason in [
        ([header, f"{T0},ETH,much"], "row 2: funding_rate = 'much' is not a plain decimal"),
        ([LONG, f"{T0},ETH,1"], "row 1: no column 'funding_rate'"),
    ]:
        with pytest.raises(DataError, match=reason):
            read_funding(write(tmp_path, *lines))
