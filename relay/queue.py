"""What waits for one client: bounded by bytes and age, the oldest goes first."""

from collections import deque


class FrameQueue:
    """Frames in order of arrival. Dropping happens here, before encryption, or nowhere."""

    __slots__ = ("_frames", "_max_age", "_max_bytes", "dropped", "queued_bytes")

    def __init__(self, max_bytes: int, max_age_seconds: float) -> None:
        self._frames: deque[tuple[float, bytes]] = deque()
        self._max_bytes = max_bytes
        self._max_age = max_age_seconds
        self.queued_bytes = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._frames)

    def age(self, now: float) -> float:
        """Seconds since the oldest frame arrived; 0 without frames."""
        return now - self._frames[0][0] if self._frames else 0.0

    def push(self, frame: bytes, now: float) -> None:
        """Append a frame; make room by dropping the oldest ones."""
        self._frames.append((now, frame))
        self.queued_bytes += len(frame)
        while self.queued_bytes > self._max_bytes and len(self._frames) > 1:
            self._drop_oldest()

    def pop(self, now: float) -> bytes | None:
        """The next frame that is still worth sending."""
        while self._frames:
            at, frame = self._frames[0]
            if now - at > self._max_age:
                self._drop_oldest()
                continue
            self._frames.popleft()
            self.queued_bytes -= len(frame)
            return frame
        return None

    def _drop_oldest(self) -> None:
        _, frame = self._frames.popleft()
        self.queued_bytes -= len(frame)
        self.dropped += 1
