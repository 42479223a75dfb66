"""Starts the daemon, in the foreground or behind it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from agent.cli.context import Context
from agent.errors import AgentError
from agent.platform import Platform
from agent.state import MachineState

START_SECONDS = 15.0


def foreground(
    context: Context, machine: MachineState, platform: Platform, started: Callable[[], None]
) -> None:
    """Run the daemon in this process until it ends; AgentError when it could not."""
    from agent import logs
    from agent.daemon import Daemon

    logs.start(context.settings.log_file, context.settings.log_level)

    async def run() -> int | None:
        daemon = Daemon(
            settings=context.settings,
            store=context.store,
            machine=machine,
            api_url=context.api_url(),
            platform=platform,
        )
        await daemon.run(started)
        return daemon.signalled

    if asyncio.run(run()) == signal.SIGINT:
        raise KeyboardInterrupt


def background(context: Context) -> int:
    """Start the daemon as a process of its own; its id once it answers."""
    from agent.state import private_directory

    private_directory(context.settings.directory)
    environment = {name: value for name, value in os.environ.items() if name != "ZTNA_AUTH_KEY"}
    if context.settings.ca_file:
        environment["QUICKZTNA_CA_FILE"] = str(Path(context.settings.ca_file).absolute())
    environment["QUICKZTNA_USERSPACE"] = "on" if context.settings.userspace else "off"
    if context.settings.proxy:
        environment["QUICKZTNA_PROXY"] = "{}:{}".format(*context.settings.proxy)
    process = subprocess.Popen(
        [sys.executable, "-m", "agent", "--log-level", context.settings.log_level, "up"],
        env={**environment, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + START_SECONDS
    while context.ask_if_running("status") is None:
        if process.poll() is not None:
            assert process.stderr is not None
            reason = process.stderr.read().strip().splitlines()
            raise AgentError(
                "START_FAILED", reason[-1].removeprefix("error: ") if reason else "the daemon ended"
            )
        if time.monotonic() > deadline:
            process.terminate()
            raise AgentError("START_FAILED", "the daemon did not start in time; see 'ztna log'")
        time.sleep(0.05)
    return process.pid
