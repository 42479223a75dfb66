"""Whether the file systems of root and home lie on dm-crypt, through sysfs (block devices by number)."""

import os
from pathlib import Path

from agent.posture.findings import UnknownReading

PLACES = ("/", "/home")
# dm/uuid of a device of dm-crypt, LUKS or plain (cryptsetup, device-mapper UUID prefixes).
_CRYPT = "CRYPT-"
_DEPTH = 16


def disk_encrypted(sysfs: Path = Path("/sys"), mountinfo: Path = Path("/proc/self/mountinfo")) -> bool:
    """True if every place is encrypted; UnknownReading where a file system is on no block device."""
    mounts = parse_mounts(mountinfo.read_text())
    devices = {mounts[place]: place for place in PLACES if place in mounts}
    unknown = None
    for (number, kind, source), place in devices.items():
        try:
            if not _encrypted(sysfs, _device(number, kind, source, place), _DEPTH):
                return False
        except UnknownReading as error:
            unknown = error
    if unknown is not None or not devices:
        raise unknown or UnknownReading("no root file system is mounted")
    return True


def parse_mounts(text: str) -> dict[str, tuple[str, str, str]]:
    """Mount point -> (device number, type, source) of proc(5) mountinfo; the last mount hides others."""
    found = {}
    for line in text.splitlines():
        fields, _, rest = line.partition(" - ")
        before, after = fields.split(), rest.split()
        if len(before) >= 5 and len(after) >= 2:
            found[before[4]] = (before[2], after[0], after[1])
    return found


def _device(number: str, kind: str, source: str, place: str) -> str:
    """The block device's number: btrfs and its like have one of their own, and name the device."""
    if not number.startswith("0:"):
        return number
    try:
        device = os.stat(source).st_rdev if source.startswith("/dev/") else 0
    except OSError:
        device = 0
    if not device:
        raise UnknownReading(f"{place} is {kind}, which is on no block device")
    return f"{os.major(device)}:{os.minor(device)}"


def _encrypted(sysfs: Path, number: str, depth: int) -> bool:
    """This device, or everything that it is made of; a disk and a partition are made of nothing else."""
    place = sysfs / "dev/block" / number
    if depth == 0 or not place.exists():
        raise UnknownReading(f"block device {number} is not in sysfs")
    uuid = place / "dm/uuid"
    if uuid.exists() and uuid.read_text().startswith(_CRYPT):
        return True
    slaves = place / "slaves"
    below = sorted(slaves.iterdir()) if slaves.is_dir() else []
    numbers = [(slave / "dev").read_text().strip() for slave in below]
    return bool(numbers) and all(_encrypted(sysfs, each, depth - 1) for each in numbers)
