"""What crosses a host's line: datagrams as tcpdump records them, and sent anew under any source."""

import contextlib
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.filtered import inside
from tests.lab.net import Host
from tests.lab.site import wait_until

INITIATION, RESPONSE, DATA = 1, 2, 4
# Type, three zeros, and the length with UDP's header (the WireGuard paper, section 5.4).
INITIATIONS = "(udp[8:4] = 0x01000000 and udp[4:2] = 156)"
HANDSHAKES = f"({INITIATIONS} or (udp[8:4] = 0x02000000 and udp[4:2] = 100))"
# REKEY_AFTER_TIME to REJECT_AFTER_TIME and a retry, by a clock that has seconds.
SPACING_SECONDS = (119.0, 185.0)
_PCAP_HEAD, _RECORD, _ETHERNET = 24, struct.Struct("=IIII"), 14
_TTL = 64
Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Datagram:
    """One over IPv4; `at` is Unix time."""

    at: float
    source: Place
    target: Place
    payload: bytes

    @property
    def kind(self) -> int:
        """WireGuard's message type; anything else reads as another number."""
        return int.from_bytes(self.payload[:4], "little")


class Capture:
    """What passed so far, read from tcpdump's file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def datagrams(self) -> list[Datagram]:
        """All of them, in order."""
        raw, at, found = self._path.read_bytes(), _PCAP_HEAD, []
        while at + _RECORD.size <= len(raw):
            seconds, micros, length, _ = _RECORD.unpack_from(raw, at)
            packet = raw[at + _RECORD.size + _ETHERNET : at + _RECORD.size + length]
            at += _RECORD.size + length
            if at <= len(raw):
                found.append(_datagram(seconds + micros / 1e6, packet))
        return found


@contextlib.contextmanager
def captured(host: Host, interface: str, what: str, path: Path) -> Iterator[Capture]:
    """Record the datagrams that match tcpdump's expression while the block runs."""
    said = path.with_suffix(".log")
    with said.open("wb") as log:
        options = ("-Z", "root", "-n", "-p", "--immediate-mode", "-U", "-B", "16384")
        expression = f"ip and udp and ({what})"
        command = ["tcpdump", *options, "-i", interface, "-w", str(path), expression]
        process = host.spawn(command, log=log)
        try:
            wait_until(lambda: "listening on" in said.read_text(), "a capture", 10, pause=0.05)
            yield Capture(path)
        finally:
            process.terminate()
            process.wait(5)


def send(host: Host, source: Place, target: Place, payload: bytes) -> None:
    """A datagram whose source address host need not have."""
    length = 28 + len(payload)
    packet = b"".join(
        (
            struct.pack("!BBHHHBBH", 0x45, 0, length, 0, 0, _TTL, socket.IPPROTO_UDP, 0),
            socket.inet_aton(source[0]),
            socket.inet_aton(target[0]),
            # No checksum, which UDP may do without over IPv4.
            struct.pack("!HHHH", source[1], target[1], length - 20, 0),
            payload,
        )
    )
    with inside(host), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        sock.sendto(packet, (target[0], 0))


def _datagram(at: float, packet: bytes) -> Datagram:
    header = (packet[0] & 15) * 4
    source_port, target_port, length = struct.unpack_from("!HHH", packet, header)
    source, target = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
    payload = packet[header + 8 : header + length]
    return Datagram(at, (source, source_port), (target, target_port), payload)
