"""Batches that wait for a client's link: neighbours for one peer merge into larger frames."""

from collections import deque
from collections.abc import Iterator

from wire import relay as frames


class _Batch:
    """Datagrams of one size for one peer, the last perhaps shorter."""

    __slots__ = ("key", "parts", "segment", "size")

    def __init__(self, key: bytes, segment: int, payload: bytes) -> None:
        self.key, self.segment = key, segment
        self.parts, self.size = [payload], len(payload)


class BatchQueue:
    """In order of arrival. Bounded by whoever pushes."""

    def __init__(self) -> None:
        self._batches: deque[_Batch] = deque()
        self.queued_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._batches)

    def push(self, key: bytes, segment: int, payload: bytes | memoryview) -> None:
        """Append a batch, to the last frame where it is for the same peer, of the same size, and fits.

        payload is copied unless it is bytes: the caller may use its buffer again.
        """
        payload = bytes(payload)
        self.queued_bytes += len(payload)
        last = self._batches[-1] if self._batches else None
        if (
            last is not None
            and last.segment == segment
            and last.size % segment == 0
            and last.size + len(payload) <= frames.MAX_PAYLOAD_BYTES
            and last.key == key
        ):
            last.parts.append(payload)
            last.size += len(payload)
        else:
            self._batches.append(_Batch(key, segment, payload))

    def pop(self, size: int) -> Iterator[bytes]:
        """SEND frames from the front until they come to size bytes or more."""
        while self._batches and size > 0:
            batch = self._batches.popleft()
            self.queued_bytes -= batch.size
            size -= batch.size
            yield frames.encode_data(frames.SEND, batch.key, batch.segment, b"".join(batch.parts))
