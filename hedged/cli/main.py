"""`hedged`: every command, imported light; each loads what it needs when it runs."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Annotated

import typer

from hedged import __version__
from hedged.cli.accept import accept_balance, accept_order, accept_position
from hedged.cli.alerts import ack, alerts, silence
from hedged.cli.check_config import check_config
from hedged.cli.commands import commands
from hedged.cli.demo import demo
from hedged.cli.doctor import doctor
from hedged.cli.effect import effect
from hedged.cli.go_live import go_live
from hedged.cli.instruments import instruments
from hedged.cli.notify import notify
from hedged.cli.once import once
from hedged.cli.options import EXIT_CONFIGURATION, EXIT_FAILED
from hedged.cli.paper import paper
from hedged.cli.pause import pause, resume
from hedged.cli.plan import plan
from hedged.cli.probe import probe
from hedged.cli.proposals import approve, proposals, reject
from hedged.cli.replay import replay
from hedged.cli.run import run
from hedged.cli.set_ratio import set_ratio
from hedged.cli.simulate import simulate
from hedged.cli.status import status
from hedged.cli.unwind import unwind
from hedged.errors import ConfigurationError, HedgedError, WrongStore

app = typer.Typer(
    name="hedged",
    help="Watches a crypto portfolio and keeps it hedged.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"hedged {__version__}")
        raise typer.Exit


@app.callback()
def hedged(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Watches a crypto portfolio and keeps it hedged."""


app.command()(demo)
app.command()(once)
app.command()(run)
app.command()(status)
app.command()(probe)
app.command()(alerts)
app.command()(ack)
app.command()(silence)
app.add_typer(notify, name="notify")
app.command()(effect)
app.command("check-config")(check_config)
app.command()(doctor)
app.command()(instruments)
app.command()(plan)
app.command()(replay)
app.command()(simulate)
app.command("accept-position")(accept_position)
app.command("accept-balance")(accept_balance)
app.command("accept-order")(accept_order)
app.command("set-ratio")(set_ratio)
app.command()(pause)
app.command()(resume)
app.command()(unwind)
app.command()(proposals)
app.command()(approve)
app.command()(reject)
app.command("go-live")(go_live)
app.command()(commands)
app.add_typer(paper, name="paper")


def main() -> None:
    """Run a command; errors that are meant for people come as text, with the exit code of their kind."""
    try:
        try:
            app()
        finally:
            if sys.stdout:  # None where it is closed; a full disk is told here, not when nobody listens any more
                sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(130)
    except (ConfigurationError, WrongStore) as error:
        typer.echo(str(error), err=True)
        sys.exit(EXIT_CONFIGURATION)
    except HedgedError as error:
        typer.echo(str(error), err=True)
        sys.exit(EXIT_FAILED)
    except OSError as error:
        typer.echo(_told(error), err=True)
        _give_up_output()
        sys.exit(EXIT_FAILED)


def _told(error: OSError) -> str:
    where = error.filename if isinstance(error.filename, str) else "the output could not be written"
    return f"{where}: {error.strerror or error}"


def _give_up_output() -> None:
    """What could not be written is not tried again at the end, where it would be a second error."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
