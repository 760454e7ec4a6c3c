"""`hedged check-config`: the loader that `run` uses, and nothing else."""

from __future__ import annotations

import json as json_
from pathlib import Path
from typing import Annotated, Any

import typer

EX_CONFIG = 78  # sysexits.h


def check_config(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="The portfolio's TOML file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of the file and stop.")] = False,
) -> None:
    """Say everything that is wrong with a configuration, a line each, or that `run` will take it.

    Exit status 0, or 78 with faults. Secret files are read too, where they exist, and never shown.
    """
    if schema:
        from hedged.settings import Document

        typer.echo(json_.dumps(Document.model_json_schema(), indent=2))
        return
    if config is None:
        raise typer.BadParameter("give the file to check, or --schema", param_hint="'--config' / '-c'")
    report = _report(config)
    if json:
        typer.echo(json_.dumps(report, indent=2, ensure_ascii=False))
    elif report["valid"]:
        typer.echo(f"{config}: valid  name {report['name']}, mode {report['mode']}, world {report['world']}")
    else:
        for problem in report["problems"]:
            typer.echo(problem["message"], err=True)
    raise typer.Exit(0 if report["valid"] else EX_CONFIG)


def _report(config: Path) -> dict[str, Any]:
    """What is said about a file; `problems` holds one object a fault, unknown parts null."""
    from hedged.errors import ConfigurationError
    from hedged.settings import SettingsError, load

    report: dict[str, Any] = {"schema": 1, "valid": False, "file": str(config), "problems": []}
    try:
        settings = load(config)
        faults = settings.credential_faults()
        faults += [each for told in settings.order_faults().values() for each in told if each not in faults]
        if faults:
            raise ConfigurationError(*faults)
    except SettingsError as error:
        report["problems"] = [_problem(str(fault), fault) for fault in error.faults]
    except ConfigurationError as error:
        report["problems"] = [_problem(problem) for problem in error.problems]
    else:
        report |= {"valid": True, "name": settings.name, "mode": settings.mode, "world": settings.world}
        report["store"] = str(settings.store_path())
    return report


def _problem(message: str, fault: Any = None) -> dict[str, Any]:
    parts = ("file", "line", "column", "variable", "key", "value", "text")
    return {"message": message, **{part: getattr(fault, part, None) or None for part in parts}}
