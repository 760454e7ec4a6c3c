"""The kinds of value a key may take, each with its bounds and the words a wrong one is met with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

K = TypeVar("K")
V = TypeVar("V")

_DURATION = re.compile(r"(\d{1,9})(s|m|h|d)", re.ASCII)
_UNIT = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION_MAX = timedelta(days=36_500)
_ASSET = re.compile(r"[^\W_][\w.+-]{0,31}")
_ACCOUNT = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_DATED = re.compile(r"-(\d{6})$")
_SYMBOL = re.compile(r"[^/:\s]+/[^/:\s]+:[^/:\s-]+(-\d{6})?")


def duration_text(value: timedelta) -> str:
    """The shortest spelling of a duration: `90s`, `5m`, `24h`, `7d`."""
    seconds = int(value.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0 and (unit != "d" or seconds > size):
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def parse_duration(value: object) -> timedelta:
    """Raises ValueError with what is allowed."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('must be a duration: a whole number and s, m, h or d in quotes, such as "60s" or "7d"')
    duration = timedelta(**{_UNIT[match[2]]: int(match[1])})
    if duration > _DURATION_MAX:
        raise ValueError("must be at most 36500d")
    return duration


def positive(value: timedelta) -> timedelta:
    if value < timedelta(seconds=1):
        raise ValueError("must be at least 1s")
    return value


def moment(value: object) -> datetime:
    """Midnight UTC of a date; a date with a time has to say its zone."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("must name its zone, such as 2026-11-01T09:30:00Z")
        return value.astimezone(UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise ValueError("must be a date without quotes, such as 2026-11-01 or 2026-11-01T09:30:00Z")


def _no_truth(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a whole number")  # noqa: TRY004 - pydantic collects ValueErrors only
    return value


def printable_name(value: str) -> str:
    if not value.isprintable() or value != value.strip() or not 1 <= len(value) <= 64:
        raise ValueError("must be 1 to 64 characters, without control characters or spaces around them")
    return value


def _account_name(value: str) -> str:
    if not _ACCOUNT.fullmatch(value):
        raise ValueError("must be 1 to 64 letters, digits and . _ - (it is part of a file name and of instruments)")
    return value


def _asset(value: str) -> str:
    if not _ASSET.fullmatch(value):
        raise ValueError('must be the code of an asset, such as "ETH"')
    if value.islower():
        raise ValueError(f'must be written as exchanges write it; did you mean "{value.upper()}"?')
    return value


def _asset_or_rest(value: str) -> str:
    return value if value == "*" else _asset(value)


def _instrument(value: str) -> str:
    account, separator, symbol = value.partition(":")
    if separator and _ACCOUNT.fullmatch(account) and _SYMBOL.fullmatch(symbol):
        if _DATED.search(value) and instrument_date(value) is None:
            raise ValueError("must end in a date that there is, as YYMMDD")
        return value
    if separator and symbol.count("/") == 1 and ":" not in symbol:
        raise ValueError(f'is a spot pair: name a contract, "{account}:{symbol}:{symbol.partition("/")[2]}"')
    raise ValueError('must be account:SYMBOL with ccxt\'s symbol of a contract, such as "main:ETH/USDT:USDT"')


def instrument_date(value: str) -> datetime | None:
    """Midnight UTC of the date at the end of a dated contract's name; None for a perpetual, or where it is no date."""
    match = _DATED.search(value)
    try:
        return datetime.strptime(match[1], "%y%m%d").replace(tzinfo=UTC) if match else None
    except ValueError:
        return None


def _price_source(value: str) -> str:
    return _instrument(value) if ":" in value else _asset(value)


def _expiry(value: object) -> object:
    if isinstance(value, str) and value != "cme":
        raise ValueError('must be a moment without quotes, such as 2026-11-27T16:00:00Z, or "cme" for CME\'s rule')
    return value if value == "cme" else moment(value)


def _path(value: object) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError("must be a path in quotes")
    return Path(value)


def freeze(value: Mapping[K, V] | None) -> Mapping[K, V] | None:
    return None if value is None else MappingProxyType(dict(value))


_DURATION_SCHEMA = WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,9}[smhd]$"})

Duration = Annotated[timedelta, BeforeValidator(parse_duration), AfterValidator(positive), _DURATION_SCHEMA]
Patience = Annotated[timedelta, BeforeValidator(parse_duration), _DURATION_SCHEMA]
"""A duration that may be zero."""
Moment = Annotated[
    datetime, BeforeValidator(moment), WithJsonSchema({"type": "string", "format": "date-time", "title": "As Of"})
]
FilePath = Annotated[Path, BeforeValidator(_path), WithJsonSchema({"type": "string", "format": "path"})]
Whole = Annotated[int, BeforeValidator(_no_truth)]
Amount = Annotated[Decimal, Field(ge=0, le=Decimal("1e18"))]
PositiveAmount = Annotated[Decimal, Field(gt=0, le=Decimal("1e18"))]
Fraction = Annotated[Decimal, Field(gt=0, lt=1)]
Name = Annotated[str, AfterValidator(printable_name)]
AccountName = Annotated[str, AfterValidator(_account_name)]
Asset = Annotated[str, AfterValidator(_asset)]
AssetOrRest = Annotated[str, AfterValidator(_asset_or_rest)]
InstrumentName = Annotated[str, AfterValidator(_instrument)]
PriceSource = Annotated[str, AfterValidator(_price_source)]
Expiry = Annotated[Any, BeforeValidator(_expiry), WithJsonSchema({"type": "string", "title": "Expiry"})]
"""A moment, or the name of a rule."""

Frozen: Any = AfterValidator(freeze)
"""Makes a table's values as unchangeable as the rest of the settings."""
