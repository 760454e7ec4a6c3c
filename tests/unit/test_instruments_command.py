"""`hedged instruments`: what can hedge what, in figures that can be checked by hand."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hedged.cli.main import app
from hedged.estimate.contract_terms import contract_terms
from hedged.model.snapshot import Quote
from tests.build import dec, future, perp
from tests.support import T0

CONFIG = 'mode = "monitor"\n[[accounts]]\nname = "sim"\nexchange = "simulated"\n'


def test_terms_of_a_perpetual() -> None:
    """0.1 ETH at 3,000 is 300; 0.01 % each 8 h is 10.95 % a year; 2,999.7 to 3,000.3 is a spread of 0.02 %."""
    quote = Quote(
        mark=dec(3000),
        bid=dec("2999.7"),
        ask=dec("3000.3"),
        funding_rate=dec("0.0001"),
        funding_interval_hours=dec(8),
    )
    terms = contract_terms(perp(multiplier="0.1", lot=1, notional_min=500), quote, T0)
    assert (terms.contract_coins, terms.contract_value) == (Decimal("0.1"), 300)
    assert (terms.order_min_contracts, terms.order_min_value) == (2, 600)
    assert terms.spread_ratio == Decimal("0.0002")
    assert terms.funding_year == Decimal("0.1095")


def test_basis_of_a_dated_contract() -> None:
    """3,030 over 3,000 thirty days before expiry is 12.1667 % a year."""
    dated = future("main:ETH/USDT:USDT-261202", T0 + timedelta(days=30))
    terms = contract_terms(dated, Quote(mark=dec(3030), index=dec(3000)), T0)
    assert terms.basis_year is not None
    assert round(terms.basis_year, 6) == Decimal("0.121667")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "p.toml"
    path.write_text(CONFIG)
    return path


def test_lists_one_underlying(config: Path) -> None:
    """Only contracts of the coin that was asked for, perpetual first."""
    result = CliRunner().invoke(app, ["instruments", "-c", str(config), "-a", "sim", "-u", "eth", "--json"])
    rows = json.loads(result.stdout)["instruments"]
    assert {row["underlying"] for row in rows} == {"ETH"}
    assert rows[0]["instrument"] == "sim:ETH/USDT:USDT"
    assert Decimal(rows[0]["order_min_value"]) > 0


@pytest.mark.parametrize(("arguments", "code"), [(["-a", "nobody"], 2), (["-a", "sim", "-u", "NONE"], 1)])
def test_says_when_there_is_nothing(config: Path, arguments: list[str], code: int) -> None:
    """An unknown account is a usage error; a coin without contracts is told."""
    result = CliRunner().invoke(app, ["instruments", "-c", str(config), *arguments])
    assert result.exit_code == code
