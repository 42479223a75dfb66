"""PostgreSQL and Redis of the tests' own, on free ports of loopback, gone with the block."""

import contextlib
import os
import pwd
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

START_SECONDS = 30


class ServiceError(RuntimeError):
    """A service is not installed or did not start."""


def free_port() -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def free_ports(count: int) -> int:
    """The first of so many TCP ports in a row, below those that connections take for themselves."""
    while True:
        first = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), contextlib.ExitStack() as probes:
            for port in range(first, first + count):
                probes.enter_context(socket.create_server(("127.0.0.1", port)))
            return first


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """URL of an empty database in a cluster of its own; fsync is off, it lives for minutes."""
    binaries = _postgres_binaries()
    directory = Path(tempfile.mkdtemp(prefix="qz-pg-"))
    port = free_port()
    prefix: list[str] = []
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root.
        user = _unprivileged_user()
        shutil.chown(directory, user)
        prefix = ["runuser", "-u", user, "--"]
    data = directory / "data"
    settings = f"-p {port} -k {directory} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200"
    control = [*prefix, str(binaries / "pg_ctl"), "-D", str(data), "-w", "-t", str(START_SECONDS)]
    try:
        _run([*prefix, str(binaries / "initdb"), "-D", str(data), "-U", "quickztna", "-A", "trust", "-N"])
        _run([*control, "-l", str(directory / "log"), "-o", settings, "start"])
        _run([str(binaries / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "quickztna", "quickztna"])
        yield f"postgresql://quickztna@127.0.0.1:{port}/quickztna"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], capture_output=True, timeout=30)
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """URL of an empty Redis that keeps nothing on disk."""
    if shutil.which("redis-server") is None:
        raise ServiceError("redis-server is not installed")
    port = free_port()
    process = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
        cwd=tempfile.gettempdir(),
    )
    try:
        _wait_for_port(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)


def _postgres_binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    in_path = shutil.which("initdb")
    if not found and in_path is None:
        raise ServiceError("PostgreSQL is not installed")
    return found[-1].parent if found else Path(str(in_path)).parent


def _unprivileged_user() -> str:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise ServiceError("no unprivileged user to run PostgreSQL as")


def _run(command: Sequence[str]) -> None:
    # Output goes to a file: the server inherits it and would keep a pipe open for ever.
    with tempfile.TemporaryFile("w+") as output:
        result = subprocess.run(
            command, stdout=output, stderr=subprocess.STDOUT, timeout=START_SECONDS + 10, cwd="/"
        )
        output.seek(0)
        if result.returncode:
            raise ServiceError(f"{command[-1]}: {output.read().strip()}")


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if time.monotonic() > deadline:
            raise ServiceError(f"nothing listens on port {port}")
        time.sleep(0.05)


def main() -> int:
    """`python -m tests.services COMMAND...`: run a command with both services switched on."""
    with postgres() as database_url, redis() as redis_url:
        environment = {**os.environ, "QZTNA_DATABASE_URL": database_url, "QZTNA_REDIS_URL": redis_url}
        return subprocess.run(sys.argv[1:], env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
