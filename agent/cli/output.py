"""Tables, colour and JSON. Colour and marks only on a terminal that wants them."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`, as every command that prints data has it."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def print_json(document: Any) -> None:
    """One document on standard output."""
    click.echo(json.dumps(document, indent=2))


def print_error(code: str, message: str, as_json: bool) -> None:
    """A failure: on standard error for people, on standard output too for scripts."""
    click.echo(f"{style('error:', fg='red', bold=True, stream=sys.stderr)} {message}", err=True)
    if as_json:
        print_json({"error": {"code": code, "message": message}})


def note(text: str) -> None:
    """Progress and warnings: standard error."""
    click.echo(text, err=True)


def style(text: str, *, stream: Any = None, **how: Any) -> str:
    """Coloured text where colour is wanted."""
    return click.style(text, **how) if colourful(stream or sys.stdout) else text


def colourful(stream: Any) -> bool:
    """Whether a stream wants colour."""
    return bool(stream.isatty()) and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def plain(text: Any) -> str:
    """Text from elsewhere, fit for a terminal: no control characters."""
    return _CONTROL.sub("?", str(text))


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns under a header in capitals; the last one is not padded."""
    table = [[style(name, dim=True) for name in header], *rows]
    widths = [max(width(row[index]) for row in table) for index in range(len(header))]
    for row in table:
        cells = [cell + " " * (widths[index] - width(cell)) for index, cell in enumerate(row[:-1])]
        click.echo("   ".join([*cells, row[-1]]).rstrip())


def width(text: str) -> int:
    """Columns that a text takes, colour apart."""
    return len(_ANSI.sub("", text))


def milliseconds(value: float | None) -> str:
    """A latency."""
    return "-" if value is None else f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


def bytes_text(value: int) -> str:
    """A number of bytes with a unit."""
    size = float(value)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError("unreachable")


def ago(moment: str | None) -> str:
    """How long ago an RFC 3339 moment was."""
    if not moment:
        return "never"
    try:
        seconds = (datetime.now(UTC) - datetime.fromisoformat(moment.replace("Z", "+00:00"))).total_seconds()
    except ValueError:
        return "-"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} ago"
    return "now" if seconds < 5 else f"{seconds:.0f} s ago"
