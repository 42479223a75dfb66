"""Undo journal: every change to the host is on disk before it is made.

`down`, a signal and the next start replay what is left, so a killed daemon leaves nothing for good.
"""

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.io.wireguard_go import remove_stale_socket
from agent.state import Store

FILE = "undo.json"


class Journal:
    """Changes of one daemon that are not undone yet, newest last."""

    def __init__(self, store: Store, remove_interface: Callable[[str], None]) -> None:
        self._store, self._remove_interface = store, remove_interface
        self._entries: list[dict[str, Any]] = list((store.load_json(FILE) or {}).get("changes", []))

    @property
    def pending(self) -> bool:
        """Whether something is left to undo."""
        return bool(self._entries)

    def interface(self, name: str) -> None:
        """An interface is about to be made."""
        self._record({"kind": "interface", "name": name})

    def process(self, pid: int, name: str) -> None:
        """A process serves it; started_at tells it from a later process with the same number."""
        self._record({"kind": "process", "pid": pid, "name": name, "started_at": _started_at(pid)})

    def replay(self) -> None:
        """Undo everything, newest first."""
        while self._entries:
            self._undo(self._entries[-1])
            self._entries.pop()
            self._save()

    def _record(self, entry: dict[str, Any]) -> None:
        self._entries.append(entry)
        self._save()

    def _undo(self, entry: dict[str, Any]) -> None:
        if entry["kind"] == "interface":
            self._remove_interface(entry["name"])
            with contextlib.suppress(OSError):
                remove_stale_socket(entry["name"])
        elif entry["kind"] == "process" and _started_at(entry["pid"]) == entry["started_at"]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(entry["pid"], signal.SIGKILL)

    def _save(self) -> None:
        if self._entries:
            self._store.save_json(FILE, {"changes": self._entries})
        else:
            self._store.remove(FILE)


def _started_at(pid: int) -> int | None:
    """Start time of a process in clock ticks since boot, or None when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
