"""`python -m tests.lab.pinger ADDRESS`: 50 pings a second from now on, also while there is no way yet.

Prints one JSON document at SIGTERM: `first_at` (Unix time of the first answer, or null) and, counted
from there on, `sent`, `lost` and `rtts_ms` of the last hundred answers.
"""

import contextlib
import json
import os
import select
import signal
import socket
import struct
import sys
import time

INTERVAL_SECONDS = 0.02
# Answers that come later than this count as lost; the slowest link of the lab takes 0.3 s.
WAIT_SECONDS = 1.5
_ECHO, _ECHO6, _REPLIES = 8, 128, (0, 129)


def checksum(packet: bytes) -> int:
    """The internet checksum (RFC 1071) of an even number of bytes."""
    total = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def run(target: str) -> dict[str, object]:
    """Ping until SIGTERM."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    protocol = socket.IPPROTO_ICMPV6 if ":" in target else socket.IPPROTO_ICMP
    echo = _ECHO6 if ":" in target else _ECHO
    own, number = os.getpid() & 0xFFFF, 0
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
    sent: dict[int, float] = {}
    answered: dict[int, float] = {}
    first_at = None
    with socket.socket(family, socket.SOCK_RAW, protocol) as sock:
        sock.setblocking(False)
        due = time.monotonic()
        while not stopped:
            now = time.monotonic()
            if now >= due:
                due += INTERVAL_SECONDS
                number += 1
                head = struct.pack("!BBHHHd", echo, 0, 0, own, number & 0xFFFF, now)
                sent[number] = now
                with contextlib.suppress(OSError):  # no tunnel yet: the ping is lost
                    sock.sendto(head[:2] + struct.pack("!H", checksum(head)) + head[4:], (target, 0))
            ready, _, _ = select.select([sock], [], [], max(0.0, due - time.monotonic()))
            if not ready:
                continue
            packet = sock.recv(2048)
            body = packet if ":" in target else packet[(packet[0] & 15) * 4 :]
            kind, _, _, ident, sequence, began = struct.unpack_from("!BBHHHd", body)
            if kind in _REPLIES and ident == own and sequence <= number:
                answered.setdefault(sequence, (time.monotonic() - began) * 1000)
                first_at = first_at or time.time()
    begun = min(answered, default=0)
    counted = [key for key, at in sent.items() if key >= begun and time.monotonic() - at > WAIT_SECONDS]
    lost = [key for key in counted if key not in answered]
    return {
        "first_at": first_at,
        "sent": len(counted),
        "lost": len(lost),
        # Runs of lost pings: how long each outage was.
        "outages_s": _runs(lost),
        "rtts_ms": [round(answered[key], 2) for key in sorted(answered)[-100:]],
    }


def _runs(lost: list[int]) -> list[float]:
    runs: list[list[int]] = []
    for key in lost:
        if runs and runs[-1][-1] == key - 1:
            runs[-1].append(key)
        else:
            runs.append([key])
    return [round(len(run) * INTERVAL_SECONDS, 2) for run in runs]


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1])))
