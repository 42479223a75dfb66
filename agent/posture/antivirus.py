"""Whether an antivirus runs, by the names of processes (proc(5), at most 15 characters)."""

from pathlib import Path
from typing import Any

from agent.posture.findings import UnknownReading

# Process -> what it is called.
KNOWN = {
    "clamd": "clamav",
    "freshclam": "clamav",
    "clamonacc": "clamav",
    "falcon-sensor": "crowdstrike",
    "s1-agent": "sentinelone",
    "sentinelone-age": "sentinelone",
    "wdavdaemon": "defender",
    "savd": "sophos",
    "sophos_threat_d": "sophos",
    "oaeventd": "eset",
    "bdsecd": "bitdefender",
    "ds_agent": "trendmicro",
}


def antivirus(proc: Path = Path("/proc")) -> dict[str, Any]:
    """antivirus_enabled and antivirus_name; UnknownReading where other users' processes are hidden."""
    running = set()
    if not (proc / "1").is_dir():
        raise UnknownReading("processes of other users are hidden")
    for place in proc.iterdir():
        if place.name.isdecimal():
            name = _name(place)
            if name in KNOWN:
                running.add(KNOWN[name])
    return {"antivirus_enabled": bool(running), "antivirus_name": ", ".join(sorted(running)) or None}


def _name(place: Path) -> str | None:
    """A live process's name; None for one that has just ended, or is a zombie."""
    try:
        text = (place / "stat").read_text()
    except OSError:
        return None
    # The name is in parentheses and may hold some itself; the state follows the last one.
    name, _, rest = text.partition("(")[2].rpartition(")")
    return None if rest.split()[:1] in (["Z"], ["X"]) else name
