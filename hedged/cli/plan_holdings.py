"""`--holdings`: a portfolio as a file of `asset,quantity`."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path

from hedged.errors import DataError

_QUANTITY_MAX = Decimal("1e18")
_ROWS_MAX = 10_000


def read_holdings(path: Path) -> dict[str, Decimal]:
    """Coins by asset, in the file's order. Raises `DataError` with file, row (the header is row 1), why."""
    rows = _rows(path)
    header = [cell.strip().lower() for cell in next(rows, (0, [""]))[1]]
    if header != ["asset", "quantity"]:
        raise DataError(f"{path}: row 1: the header must be asset,quantity")
    found: dict[str, Decimal] = {}
    for number, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != 2:
            raise DataError(f"{path}: row {number}: {len(cells)} fields where the header has 2")
        asset, text = (cell.strip() for cell in cells)
        if not asset or not asset.isprintable() or len(asset) > 32:
            raise DataError(f"{path}: row {number}: {asset[:40]!r} is no asset's name")
        if asset in found:
            raise DataError(f"{path}: row {number}: {asset} is there twice")
        found[asset] = _quantity(text, f"{path}: row {number}: {asset}: quantity {text[:40]!r}")
    if not any(found.values()):
        raise DataError(f"{path}: no holdings in it")
    return found


def _quantity(text: str, what: str) -> Decimal:
    try:
        if "_" in text or not text.isascii():  # to Python a number, to others none or another
            raise InvalidOperation
        quantity = Decimal(text)
    except ArithmeticError:
        raise DataError(f"{what} is not a plain decimal number") from None
    if not quantity.is_finite():
        raise DataError(f"{what} is not a finite number")
    if quantity < 0:
        raise DataError(f"{what} is below zero: a short needs no hedge of this kind")
    if quantity > _QUANTITY_MAX:
        raise DataError(f"{what} is too large")
    return quantity


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, cells in enumerate(csv.reader(file, strict=True), start=1):
                if number > _ROWS_MAX:
                    raise DataError(f"{path}: more than {_ROWS_MAX} rows")
                yield number, cells
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: row {number + 1}: not CSV in UTF-8: {error}") from error
