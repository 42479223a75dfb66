"""Many UDP datagrams a system call: recvmmsg(2) and sendmmsg(2) through ctypes, on Linux.

Headers live in plain buffers that Python writes with slices, for ctypes' own fields cost as much as the
system call saves. Layouts are those of <sys/socket.h> on 64-bit Linux.
"""

import ctypes
import errno
import socket
import struct
import sys
from typing import Final

BATCH: Final = 64
SLOT_BYTES: Final = 1536
NAME_BYTES: Final = 28  # struct sockaddr_in6
_DONTWAIT: Final = 0x40
# struct mmsghdr: name, its size, iovec, how many, control, its size, flags, received bytes.
_HEADER: Final = struct.Struct("=QI4xQQQQI4xI4x")
_IOVEC: Final = struct.Struct("=QQ")
# In words of 4 bytes.
_WORDS: Final = _HEADER.size // 4
_RECEIVED_AT: Final = 14


def available() -> bool:
    """Whether this system has the calls, with the layouts that are known here."""
    return sys.platform == "linux" and struct.calcsize("P") == 8 and hasattr(ctypes.CDLL(None), "recvmmsg")


class BatchSocket:
    """Receives up to BATCH datagrams at once and answers some of them at once.

    After receive() datagram i lies in inbox at i * SLOT_BYTES, its sender's struct sockaddr in names at
    i * NAME_BYTES. Its answer, of answer_bytes, goes into outbox at i * SLOT_BYTES.
    """

    def __init__(self, sock: socket.socket, answer_bytes: int) -> None:
        self._descriptor = sock.fileno()
        name_bytes = 16 if sock.family == socket.AF_INET else NAME_BYTES
        library = ctypes.CDLL(None, use_errno=True)
        self._recvmmsg, self._sendmmsg = library.recvmmsg, library.sendmmsg
        self._buffers = [
            ctypes.create_string_buffer(size)
            for size in (
                *(BATCH * SLOT_BYTES, BATCH * SLOT_BYTES, BATCH * NAME_BYTES),
                *(BATCH * _HEADER.size, BATCH * _HEADER.size),
                *(BATCH * _IOVEC.size, BATCH * _IOVEC.size),
            )
        ]
        inbox, outbox, names, heard, told, in_vectors, out_vectors = self._buffers
        self.inbox, self.outbox, self.names = (_view(buffer) for buffer in (inbox, outbox, names))
        self._told, self._words = _view(told), _view(heard).cast("I")
        self._heard_at, self._told_at = ctypes.addressof(heard), ctypes.addressof(told)
        self._answers: list[bytes] = []
        for index in range(BATCH):
            name = ctypes.addressof(names) + index * NAME_BYTES
            pieces = []
            for vectors, box, size in ((in_vectors, inbox, SLOT_BYTES), (out_vectors, outbox, answer_bytes)):
                place = ctypes.addressof(box) + index * SLOT_BYTES
                _IOVEC.pack_into(vectors, index * _IOVEC.size, place, size)
                pieces.append(ctypes.addressof(vectors) + index * _IOVEC.size)
            # The kernel writes the size of the name back, which is the same every time.
            _HEADER.pack_into(heard, index * _HEADER.size, name, name_bytes, pieces[0], 1, 0, 0, 0, 0)
            self._answers.append(_HEADER.pack(name, name_bytes, pieces[1], 1, 0, 0, 0, 0))
        self._all = list(range(BATCH))
        self._places(self._all)

    def receive(self) -> list[int]:
        """Sizes of the datagrams that were waiting; empty for none."""
        count = self._recvmmsg(self._descriptor, ctypes.c_void_p(self._heard_at), BATCH, _DONTWAIT, None)
        return self._words[_RECEIVED_AT : count * _WORDS : _WORDS].tolist() if count > 0 else []

    def send(self, slots: list[int]) -> None:
        """Send the answers in these slots of the outbox to who asked; what cannot be sent is dropped."""
        count = len(slots)
        # Nearly always the first so many, and those stand in the headers already.
        in_order = slots == self._all[:count]
        if not in_order:
            self._places(slots)
        done = 0
        while done < count:
            rest = ctypes.c_void_p(self._told_at + done * _HEADER.size)
            sent = self._sendmmsg(self._descriptor, rest, count - done, _DONTWAIT)
            if sent < 0 and ctypes.get_errno() == errno.EAGAIN:
                break
            # The first of them failed: an address that has no route.
            done += max(1, sent)
        if not in_order:
            self._places(self._all[:count])

    def _places(self, slots: list[int]) -> None:
        size = _HEADER.size
        for place, slot in enumerate(slots):
            self._told[place * size : (place + 1) * size] = self._answers[slot]


def _view(buffer: "ctypes.Array[ctypes.c_char]") -> memoryview:
    return memoryview(buffer).cast("B")
