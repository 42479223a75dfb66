"""A small process that outlives the daemon by a moment: when the daemon is killed, it undoes.

It reads from a pipe of which the daemon alone holds the other end. End of file means that the daemon is
gone; after an orderly end nothing is left to undo.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from agent.host.undo import undo
from agent.io.journal import Journal, identity
from agent.state import Store


class Guardian:
    """The daemon's end."""

    def __init__(self, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(directory), json.dumps(identity(os.getpid()))],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def close(self) -> None:
        """Let it end; call after everything is undone."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def main(directory: str, owner: str | None = None) -> None:
    """Wait for the daemon's end, then undo what it left.

    Without an owner at once: for a service manager that ends everything of the service, this included.
    """
    journal = Journal(Store(Path(directory)), undo)
    if owner is None:
        journal.claim()
        return
    sys.stdin.buffer.read()
    journal.replay_for(json.loads(owner))


if __name__ == "__main__":
    main(*sys.argv[1:])
