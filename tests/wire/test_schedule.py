"""Windows of time across days, zones and changes of the clocks."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from wire.binary import WireError
from wire.schedule import Window


def at(text, zone="UTC"):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("window", "now", "active", "changes"),
    [
        (Window(540, 1080), at("2026-06-01T08:59:59"), False, at("2026-06-01T09:00")),
        (Window(540, 1080), at("2026-06-01T09:00"), True, at("2026-06-01T18:00")),
        (Window(1320, 360), at("2026-06-01T23:00"), True, at("2026-06-02T06:00")),
        (Window(days=(0,)), at("2026-06-01T23:00"), True, at("2026-06-02T00:00")),
        (Window(days=(0,)), at("2026-06-02T00:00"), False, at("2026-06-08T00:00")),
        (Window(540, 1080, outside=True), at("2026-06-01T09:00"), False, at("2026-06-01T18:00")),
        (Window(), at("2026-06-01T09:00"), True, None),
        # 02:30 does not exist on that night in Berlin: the window opens when the clock is put to 03:00.
        (Window(150, 240, timezone="Europe/Berlin"), at("2026-03-29T00:30"), False, at("2026-03-29T01:00")),
        # 02:30 comes twice on that one: it shuts, and opens again an hour later.
        (Window(120, 150, timezone="Europe/Berlin"), at("2026-10-25T00:00"), True, at("2026-10-25T00:30")),
        (Window(120, 150, timezone="Europe/Berlin"), at("2026-10-25T00:30"), False, at("2026-10-25T01:00")),
        (Window(540, 1080, timezone="Asia/Kolkata"), at("2026-06-01T03:30"), True, at("2026-06-01T12:30")),
    ],
)
def test_windows_open_and_shut_at_their_boundary(window, now, active, changes):
    assert window.active(now) is active
    assert window.next_change(now) == changes


@pytest.mark.parametrize(
    "document",
    [
        {"start": -1},
        {"end": 1441},
        {"start": 600, "end": 600},
        {"days": []},
        {"days": [7]},
        {"timezone": "Mars/Olympus"},
        {"timezone": "/etc/passwd"},
        [],
    ],
)
def test_documents_that_are_no_window_are_refused(document):
    with pytest.raises(WireError):
        Window.from_json(document)


def test_a_window_survives_the_journey():
    document = {"start": 540, "end": 1080, "days": [0, 4], "timezone": "Asia/Kolkata", "unknown": 1}
    assert Window.from_json(document) == Window(540, 1080, (0, 4), "Asia/Kolkata")
