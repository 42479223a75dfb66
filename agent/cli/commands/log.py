"""`ztna log`."""

import os
import sys
import time
from collections import deque
from pathlib import Path
from typing import TextIO

import click

from agent.cli.context import Context
from agent.cli.output import json_option, plain, print_json

POLL_SECONDS = 0.2


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Keep printing what is added.")
@click.option("-n", "--lines", type=click.IntRange(0), default=50, show_default=True, help="How many lines.")
@click.option("--clear", is_flag=True, help="Empty the log.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def command(context: Context, follow: bool, lines: int, clear: bool, yes: bool, as_json: bool) -> None:
    """Show the daemon's log."""
    path = context.settings.log_file
    if not path.exists():
        print_json([]) if as_json else click.echo("No log yet.")
        return
    if clear:
        if not yes and sys.stdin.isatty():
            click.confirm("Empty the log?", abort=True)
        os.truncate(path, 0)
        return
    with path.open(encoding="utf-8", errors="replace") as stream:
        last = [line.rstrip("\n") for line in deque(stream, maxlen=lines)]
        if as_json:
            print_json(last)
            return
        for line in last:
            click.echo(plain(line))
        if follow:
            _follow(path, stream)


def _follow(path: Path, stream: TextIO) -> None:
    """Print lines as they come; a rotated or emptied log is read from its beginning."""
    while True:
        line = stream.readline()
        if line:
            click.echo(plain(line.rstrip("\n")))
            continue
        time.sleep(POLL_SECONDS)
        try:
            now, mine = path.stat(), os.fstat(stream.fileno())
        except FileNotFoundError:
            continue
        if now.st_ino != mine.st_ino:
            stream = path.open(encoding="utf-8", errors="replace")
        elif now.st_size < stream.tell():
            stream.seek(0)
