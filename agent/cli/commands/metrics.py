"""`ztna metrics`."""

import os
import tempfile
from pathlib import Path

import click

from agent import __version__
from agent.cli.context import Context
from agent.cli.output import json_option, note, print_json


@click.group("metrics")
def command() -> None:
    """Figures for Prometheus."""


@command.command("print")
@json_option
@click.pass_obj
def print_metrics(context: Context, as_json: bool) -> None:
    """Print them in Prometheus' text format."""
    text = _text(context)
    print_json({"text": text}) if as_json else click.echo(text, nl=False)


@command.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
@click.pass_obj
def write(context: Context, file: Path, as_json: bool) -> None:
    """Write them to FILE in one step, for node_exporter's textfile collector."""
    text = _text(context)
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w") as out:
            out.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, file)
    except BaseException:
        os.unlink(temporary)
        raise
    if as_json:
        print_json({"path": str(file), "bytes": len(text)})
    else:
        note(f"Wrote {len(text)} bytes to {file}.")


def _text(context: Context) -> str:
    from agent.diagnostics.exposition import render

    status = context.ask_if_running("status")
    gauges = context.ask_if_running("gauges") if status else None
    return render(status, gauges, version=__version__)
