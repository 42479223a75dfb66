"""The daemon looks at itself: its threads, its tasks, how late its loop runs."""

import asyncio
import platform
import resource
import sys
import threading
import time
import traceback
from types import FrameType
from typing import Any

MAX_FRAMES = 50


def threads() -> list[dict[str, Any]]:
    """Every thread with its stack, outermost call first."""
    frames = sys._current_frames()
    return [
        {
            "id": thread.ident,
            "name": thread.name,
            "daemon": thread.daemon,
            "stack": _stack(frames.get(thread.ident or 0)),
        }
        for thread in threading.enumerate()
    ]


def tasks() -> list[dict[str, Any]]:
    """Every task of the running loop: name, state, what it awaits, stack."""
    found = []
    for task in asyncio.all_tasks():
        coroutine = task.get_coro()
        awaiting = getattr(coroutine, "cr_await", None)
        frames = task.get_stack(limit=MAX_FRAMES)
        found.append(
            {
                "name": task.get_name(),
                "state": "done" if task.done() else "cancelling" if task.cancelling() else "pending",
                "awaiting": getattr(awaiting, "__qualname__", None) or (type(awaiting).__name__),
                "stack": [line for frame in frames for line in _stack(frame, limit=1)],
            }
        )
    return sorted(found, key=lambda each: str(each["name"]))


async def figures() -> dict[str, Any]:
    """Python version, threads, tasks, peak memory in bytes, how late the loop runs in ms."""
    began = time.monotonic()
    await asyncio.sleep(0)
    return {
        "os": sys.platform,
        "arch": platform.machine(),
        "runtime": f"Python {platform.python_version()}",
        "threads": threading.active_count(),
        "tasks": len(asyncio.all_tasks()),
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "cpu_seconds": round(time.process_time(), 2),
        "loop_lag_ms": round((time.monotonic() - began) * 1000, 3),
    }


def _stack(frame: FrameType | None, limit: int = MAX_FRAMES) -> list[str]:
    if frame is None:
        return []
    return [
        f"{entry.filename}:{entry.lineno} {entry.name}" for entry in traceback.extract_stack(frame)[-limit:]
    ]
