"""Whatever a file holds, loading it gives settings or a ConfigurationError, and never shows a secret."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hedged.errors import ConfigurationError
from hedged.settings import load
from hedged.settings.schema import Document
from tests.support import ROOT

CANARY = "CANARY9f8e7d6c"
EXAMPLE = (ROOT / "config" / "demo.toml").read_text(encoding="utf-8")
LINES = EXAMPLE.splitlines()
TABLES = ["", "schedule", "portfolio", "accounts", "holdings", "instruments", "hedges", "tiers", "paper", "margin"]
TABLES += ["expiry", "limits", "alerts", "alerts.repeat", "alerts.for", "mqtt", "notify", "store", "web", "positions"]
WORDS = st.sampled_from(
    [*Document.model_fields, "assets", "instrument", "band", "beta", "weights", "exchange", "apiKey", "host", "every"]
)
VALUES = st.sampled_from(
    ["0", "-1", "1e400", "nan", "inf", "true", "2026-11-01", "2026-11-01T10:00:00", "10:00:00", "[]", "{}", "[1, [2]]"]
) | st.sampled_from(["live", "*", "sim:ETH/USDT:USDT", "\x00", "", "~/x", "60s", "9999d", "ETH"]).map(json.dumps)
noise = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def attempt(path: Path, content: bytes, environ: dict[str, str] | None = None) -> str:
    """What the user is told."""
    path.write_bytes(content)
    try:
        found = load(path, environ or {"HOME": "/"}, dry_run=True)
    except ConfigurationError as error:
        return str(error)
    return repr((found, found.policy(), found.store_path(), found.instance))


@noise
@given(st.lists(st.tuples(st.integers(0, len(LINES)), st.sampled_from(TABLES), WORDS, VALUES), max_size=4))
def test_any_key_with_any_value_anywhere(tmp_path: Path, edits: list[tuple[int, str, str, str]]) -> None:
    """Wrong types and wrong places are told, not raised as something else."""
    lines = list(LINES)
    for at, table, key, value in edits:
        header = [f"[{table}]"] if table in {"", *TABLES} - {"accounts", "holdings", "hedges"} else [f"[[{table}]]"]
        lines[at:at] = ([] if header == ["[]"] else header) + [f"{key} = {value}"]
    attempt(tmp_path / "mine.toml", "\n".join(lines).encode())


@noise
@given(st.binary(max_size=40), st.integers(0, len(EXAMPLE)), st.integers(0, 30))
def test_damaged_files(tmp_path: Path, damage: bytes, at: int, cut: int) -> None:
    """Half-written, overwritten and truncated files give readable lines."""
    raw = EXAMPLE.encode()
    attempt(tmp_path / "mine.toml", raw[:at] + damage + raw[at + cut :])


@noise
@given(st.sampled_from(["apiKey", "secret", "password", "token", "privateKey", "passphrase"]), st.sampled_from(TABLES))
def test_a_secret_in_the_file_is_refused_and_never_repeated(tmp_path: Path, key: str, table: str) -> None:
    """Error lines end up in journals and bug reports."""
    header = f"[[{table}]]" if table in {"holdings", "instruments", "tiers"} else f"[{table}]" if table else ""
    text = f'{key} = "{CANARY}"\n' if not header else EXAMPLE + f'\n{header}\n{key} = "{CANARY}"\n'
    told = attempt(tmp_path / "mine.toml", text.encode(), {"HEDGED_MQTT__PASSWORD": CANARY})
    assert CANARY not in told


@noise
@given(st.decimals(allow_nan=True, allow_infinity=True, places=4) | st.decimals())
def test_the_band_is_a_fraction(tmp_path: Path, band: Decimal) -> None:
    """Between 0 and 1, both excluded, kept to the last digit; everything else is refused."""
    path = tmp_path / "mine.toml"
    path.write_text(EXAMPLE.replace("band = 0.05", f'band = "{band}"', 1), encoding="utf-8")
    if band.is_finite() and 0 < band < 1:
        assert load(path, {}).hedges[0].band == band
    else:
        with pytest.raises(ConfigurationError, match=r"hedges\[0\]\.band = "):
            load(path, {})
