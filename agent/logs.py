"""The daemon's log: one line an event, rotated, without secrets."""

import logging
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

from agent.state import private_directory

MAX_BYTES = 10 * 1024 * 1024
KEPT_FILES = 2
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
# These write request headers, and so the node key, when they debug, and a line a request otherwise.
_TALKATIVE = ("httpx", "httpcore", "websockets")


class _PrivateFile(RotatingFileHandler):
    def _open(self):  # type: ignore[no-untyped-def]
        stream = super()._open()
        Path(self.baseFilename).chmod(0o600)
        return stream


def start(path: Path, level: str) -> None:
    """Send this process's log to a file that only its owner may read."""
    private_directory(path.parent)
    handler = _PrivateFile(path, maxBytes=MAX_BYTES, backupCount=KEPT_FILES, encoding="utf-8")
    formatter = logging.Formatter(
        "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level])
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, _LEVELS[level]))
