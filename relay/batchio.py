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
_RECEIVED_AT: Final = 14  # in words of 4 bytes
_NAME_SIZE_AT: Final = 2


def available() -> bool:
    """Whether this system has the calls, with the layouts that are known here."""
    return sys.platform == "linux" and struct.calcsize("P") == 8 and hasattr(ctypes.CDLL(None), "recvmmsg")


class BatchSocket:
    """Receives up to BATCH datagrams at once and answers some of them at once.

    After receive() datagram i lies in inbox at i * SLOT_BYTES, its sender's struct sockaddr in names at
    i * NAME_BYTES. Its answer goes into outbox at i * SLOT_BYTES.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._descriptor = sock.fileno()
        self._family_bytes = 16 if sock.family == socket.AF_INET else NAME_BYTES
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
        self._out_lengths = _view(out_vectors).cast("Q")
        self._heard_at, self._told_at = ctypes.addressof(heard), ctypes.addressof(told)
        self._answers: list[bytes] = []
        for index in range(BATCH):
            name = ctypes.addressof(names) + index * NAME_BYTES
            pieces = []
            for vectors, box in ((in_vectors, inbox), (out_vectors, outbox)):
                place = ctypes.addressof(box) + index * SLOT_BYTES
                _IOVEC.pack_into(vectors, index * _IOVEC.size, place, SLOT_BYTES)
                pieces.append(ctypes.addressof(vectors) + index * _IOVEC.size)
            _HEADER.pack_into(heard, index * _HEADER.size, name, NAME_BYTES, pieces[0], 1, 0, 0, 0, 0)
            self._answers.append(_HEADER.pack(name, self._family_bytes, pieces[1], 1, 0, 0, 0, 0))

    def receive(self) -> list[int]:
        """Sizes of the datagrams that were waiting; empty for none."""
        words = self._words
        for index in range(BATCH):
            words[index * 16 + _NAME_SIZE_AT] = NAME_BYTES
        count = self._recvmmsg(self._descriptor, ctypes.c_void_p(self._heard_at), BATCH, _DONTWAIT, None)
        return [words[index * 16 + _RECEIVED_AT] for index in range(max(0, count))]

    def send(self, answers: list[tuple[int, int]]) -> None:
        """Send (index, size) of answers in the outbox to who asked; what cannot be sent is dropped."""
        told, lengths, size = self._told, self._out_lengths, _HEADER.size
        for place, (index, length) in enumerate(answers):
            told[place * size : (place + 1) * size] = self._answers[index]
            lengths[2 * index + 1] = length
        done = 0
        while done < len(answers):
            rest = ctypes.c_void_p(self._told_at + done * size)
            sent = self._sendmmsg(self._descriptor, rest, len(answers) - done, _DONTWAIT)
            if sent < 0 and ctypes.get_errno() == errno.EAGAIN:
                return
            # The first of them failed: an address that has no route.
            done += max(1, sent)


def _view(buffer: "ctypes.Array[ctypes.c_char]") -> memoryview:
    return memoryview(buffer).cast("B")
