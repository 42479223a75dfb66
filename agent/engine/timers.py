"""Which of many peers is due next, without asking all of them each time."""

import heapq
import math


class Timers:
    """One moment for each key; setting it again moves it."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        # Entries of moved or removed keys stay until they come up, and are then passed over.
        self._heap: list[tuple[float, str]] = []

    def set(self, key: str, due: float) -> None:
        """key is due then; infinity for never."""
        if self._due.get(key, math.inf) == due:
            return
        if math.isinf(due):
            self._due.pop(key, None)
            return
        self._due[key] = due
        heapq.heappush(self._heap, (due, key))
        if len(self._heap) > 4 * len(self._due) + 64:
            self._heap = [(due, key) for key, due in self._due.items()]
            heapq.heapify(self._heap)

    def next(self) -> float:
        """The earliest moment, or infinity."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else math.inf

    def pop(self, now: float) -> list[str]:
        """Keys that are due; each must be set again to come up again."""
        found = []
        while self.next() <= now:
            found.append(heapq.heappop(self._heap)[1])
            del self._due[found[-1]]
        return found
