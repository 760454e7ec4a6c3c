"""A folder of wrong files, each of which says in its first lines, after `#: `, what it has to be met with."""

from __future__ import annotations

from pathlib import Path

import pytest

from hedged.errors import ConfigurationError
from hedged.settings import load

FOLDER = Path(__file__).parent / "bad_config"


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.toml")))
def test_each_wrong_file_is_met_with_its_own_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fault is told with file, line, key, value and what is allowed, and no other fault is invented."""
    monkeypatch.chdir(FOLDER)
    lines = (FOLDER / name).read_text().splitlines()
    expected = [line.removeprefix("#: ") for line in lines if line.startswith("#: ")]
    with pytest.raises(ConfigurationError) as caught:
        load(Path(name), {})
    assert [problem.replace(str(FOLDER), "<folder>") for problem in caught.value.problems] == expected
    assert "CANARY" not in str(caught.value)


def test_the_folder_is_found() -> None:
    """An empty folder would make the test above pass without testing anything."""
    assert len(list(FOLDER.glob("*.toml"))) > 70
