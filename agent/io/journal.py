"""Undo journal: every change to the host is on disk before it is made.

`down`, a signal, the guardian of a killed daemon and the next start replay what is left. A lasting
change (the kill switch) outlives a crash, for it was asked for: only an orderly end takes it back.
"""

import fcntl
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.state import Store, private_directory

logger = logging.getLogger("agent.journal")

FILE = "undo.json"
LOCK = "undo.lock"

Change = dict[str, Any]


class Journal:
    """Changes of one daemon that are not undone yet, newest last. undo(change) may raise OSError."""

    def __init__(self, store: Store, undo: Callable[[Mapping[str, Any]], None]) -> None:
        self._store, self._undo = store, undo
        self._owner: dict[str, int | None] | None = None
        self._changes: list[Change] = []
        self._load()

    @property
    def pending(self) -> bool:
        """Whether something is left to undo."""
        return bool(self._changes)

    def claim(self) -> None:
        """Undo what a killed daemon left, and take the journal over for this process."""
        with self._locked():
            self._load()
            self._owner = identity(os.getpid())
            self._replay(keep_lasting=True)

    def record(self, kind: str, *, lasting: bool = False, **what: Any) -> None:
        """A change is about to be made; one that is on record already is not recorded again."""
        if self.find(kind, **what) is None:
            self._changes.append({"kind": kind, **({"lasting": True} if lasting else {}), **what})
            self._save()

    def find(self, kind: str, **what: Any) -> Change | None:
        """The newest recorded change of this kind with these values."""
        for change in reversed(self._changes):
            if change["kind"] == kind and what.items() <= change.items():
                return change
        return None

    def retract(self, kind: str, **what: Any) -> None:
        """Undo one recorded change now, if there is one."""
        change = self.find(kind, **what)
        if change is not None:
            self._take_back(change)

    def forget(self, kind: str, **what: Any) -> None:
        """Strike a recorded change without undoing it: somebody else did, or it has a new undo."""
        change = self.find(kind, **what)
        if change is not None:
            self._changes.remove(change)
            self._save()

    def replay(self, *, crashed: bool = False) -> None:
        """Undo everything, newest first; after a crash without the lasting changes."""
        with self._locked():
            self._replay(keep_lasting=crashed)

    def replay_for(self, owner: Mapping[str, int | None]) -> bool:
        """Undo what a dead daemon left, unless another one has taken the journal over; True if done."""
        with self._locked():
            self._load()
            if self._owner != owner:
                return False
            self._replay(keep_lasting=True)
            return True

    def _replay(self, *, keep_lasting: bool) -> None:
        for change in reversed(list(self._changes)):
            if not (keep_lasting and change.get("lasting")):
                self._take_back(change)

    def _take_back(self, change: Change) -> None:
        try:
            self._undo(change)
        except OSError as error:
            # What cannot be undone must not keep the rest from it.
            logger.warning("could not undo %s: %s", change["kind"], error)
        self._changes.remove(change)
        self._save()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time: a guardian may be at it while the next daemon starts."""
        private_directory(self._store.directory)
        descriptor = os.open(self._store.directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _load(self) -> None:
        document = self._store.load_json(FILE) or {}
        self._owner, self._changes = document.get("owner"), list(document.get("changes", []))

    def _save(self) -> None:
        if self._changes:
            self._store.save_json(FILE, {"owner": self._owner, "changes": self._changes})
        else:
            self._store.remove(FILE)


def identity(pid: int) -> dict[str, int | None]:
    """A process told from a later one with the same number: start time in clock ticks since boot."""
    try:
        started_at = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        started_at = None
    return {"pid": pid, "started_at": started_at}
