"""What every benchmark needs: CPU time of a process, pinning, and the closing JSON object."""

import json
import os
import sys
from collections.abc import Mapping

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has used, all its threads together."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def pin(pid: int, core: int) -> None:
    """Keep a process (0 is this one) on one core, where the machine has that many."""
    os.sched_setaffinity(pid, {core % (os.cpu_count() or 1)})


def progress(text: str) -> None:
    """Say on standard error what takes so long."""
    print(f"  · {text}", file=sys.stderr, flush=True)


def finish(bench: str, figures: Mapping[str, object], ratios: Mapping[str, float]) -> None:
    """The last line of every benchmark."""
    print(json.dumps({"bench": bench, "figures": dict(figures), "ratios": dict(ratios)}))
