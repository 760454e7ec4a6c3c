"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXIT_FAILED = 1
EXIT_CONFIGURATION = 78  # sysexits.h; the unit does not start the daemon again after this one

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The portfolio's TOML file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Trade on paper only, with a store of its own beside the real one.")
]
