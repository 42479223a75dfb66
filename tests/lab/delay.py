"""`python -m tests.lab.delay A B`: joins two interfaces of its namespace by a link with a delay.

In place of `tc netem`, which this kernel may lack. Frames are carried whole, with the virtio header
in front that tells of unfinished checksums and segmentation (packet(7), PACKET_VNET_HDR).
"""

import argparse
import contextlib
import heapq
import random
import select
import socket
import time
from dataclasses import dataclass, replace

_SOL_PACKET, _PACKET_VNET_HDR = 263, 15
_ETH_P_ALL = 3
_MAX_FRAME = 70_000
_QUEUE_FRAMES = 20_000
_BUFFER_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Link:
    """One way: milliseconds of delay and of added jitter, per cent of loss, and Mbit/s (0: any).

    only: an IPv4 address; what is neither from nor to it passes at once.
    """

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss_pct: float = 0.0
    rate_mbit: float = 0.0
    only: str = ""

    def half(self) -> "Link":
        """One of two that together make this one."""
        return replace(
            self, delay_ms=self.delay_ms / 2, jitter_ms=self.jitter_ms / 2, loss_pct=self.loss_pct / 2
        )

    def concerns(self, frame: bytes) -> bool:
        """Whether a frame, behind its virtio header, is of the address that this is for."""
        return not self.only or socket.inet_aton(self.only) in (frame[36:40], frame[40:44])

    def arguments(self) -> list[str]:
        """As the program takes them."""
        fields = ("delay_ms", "jitter_ms", "loss_pct", "rate_mbit", "only")
        return [f"--{name.replace('_', '-')}={getattr(self, name)}" for name in fields]


def carry(first: str, second: str, link: Link) -> None:
    """Forward between two interfaces for ever."""
    ends = [_open(first), _open(second)]
    queue: list[tuple[float, int, socket.socket, bytes]] = []
    free_at = dict.fromkeys(ends, 0.0)
    number = 0
    while True:
        pause = max(0.0, queue[0][0] - time.monotonic()) if queue else None
        ready, _, _ = select.select(ends, [], [], pause)
        for source in ready:
            target = ends[1 - ends.index(source)]
            for frame in _frames(source):
                if not link.concerns(frame):
                    _send(target, frame)
                    continue
                if random.random() * 100 < link.loss_pct or len(queue) >= _QUEUE_FRAMES:
                    continue
                begins = max(time.monotonic(), free_at[target])
                if link.rate_mbit:
                    begins += len(frame) * 8 / link.rate_mbit / 1e6
                free_at[target] = begins if link.rate_mbit else 0.0
                number += 1
                due = begins + (link.delay_ms + random.random() * link.jitter_ms) / 1000
                heapq.heappush(queue, (due, number, target, frame))
        now = time.monotonic()
        while queue and queue[0][0] <= now:
            _, _, target, frame = heapq.heappop(queue)
            _send(target, frame)


def _send(target: socket.socket, frame: bytes) -> None:
    # A full queue or a link that is down loses packets.
    with contextlib.suppress(OSError):
        target.send(frame)


def _open(interface: str) -> socket.socket:
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    end.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        end.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
    end.setblocking(False)
    end.bind((interface, _ETH_P_ALL))
    return end


def _frames(source: socket.socket) -> list[bytes]:
    found = []
    for _ in range(256):
        try:
            frame, address = source.recvfrom(_MAX_FRAME)
        except OSError:
            break
        if address[2] != socket.PACKET_OUTGOING:
            found.append(frame)
    return found


def main() -> None:
    """Run until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ends", nargs=2, metavar="INTERFACE")
    for name in ("delay-ms", "jitter-ms", "loss-pct", "rate-mbit"):
        parser.add_argument(f"--{name}", type=float, default=0.0)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    link = Link(options.delay_ms, options.jitter_ms, options.loss_pct, options.rate_mbit, options.only)
    carry(*options.ends, link)


if __name__ == "__main__":
    main()
