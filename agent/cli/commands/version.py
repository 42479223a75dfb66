"""`ztna version`."""

import platform
import sys
from pathlib import Path

import click

from agent import __version__
from agent.cli.output import json_option, print_json
from agent.clock import rfc3339
from agent.settings import machine_arch


def line() -> str:
    """One line, without the network."""
    return f"ztna version {__version__} (built {_built()}, {sys.platform}/{machine_arch()})"


@click.command()
@click.option("--verbose", is_flag=True, help="Name the programs and libraries in use, too.")
@json_option
def command(verbose: bool, as_json: bool) -> None:
    """Print the version."""
    if not verbose and not as_json:
        click.echo(line())
        return
    details = _details()
    if as_json:
        print_json(details)
        return
    for name, value in details.items():
        click.echo(f"{name.replace('_', '-'):<14} {value or '-'}")


def _details() -> dict[str, str | None]:
    import shutil
    import subprocess

    from cryptography.hazmat.backends.openssl import backend

    wireguard_go = None
    if shutil.which("wireguard-go"):
        result = subprocess.run(["wireguard-go", "--version"], capture_output=True, text=True, timeout=5)
        wireguard_go = result.stdout.partition("\n")[0].removeprefix("wireguard-go ").strip() or None
    return {
        "version": __version__,
        "build_time": _built(),
        "commit": None,
        "os": sys.platform,
        "arch": machine_arch(),
        "python": platform.python_version(),
        "wireguard_go": wireguard_go,
        "openssl": backend.openssl_version_text(),
    }


def _built() -> str:
    """When this installation's files were written."""
    return rfc3339(Path(__file__).stat().st_mtime)
