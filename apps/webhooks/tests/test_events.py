"""The list of events is what the code writes into the trail."""

import ast
import re
from pathlib import Path

import pytest

from apps.core.errors import InvalidInput
from apps.dns.services import SHOWN
from apps.orgs.planning import planned_tables
from apps.webhooks.events import GROUPS, NAMES, parse_events, wants

APPS = Path(__file__).parents[2]
NOUNS_KNOWN = {name.partition(".")[0] for name in NAMES}
# Of the shape of an event, and messages between parts of the control plane.
OTHERS = {"org.event", "webhook.test"}


def sources():
    for path in APPS.rglob("*.py"):
        if not {"tests", "migrations", "management"} & set(path.parts):
            yield path, ast.parse(path.read_text())


def texts(node):
    """Constants in an expression."""
    return [
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]


def test_every_name_in_the_code_is_in_the_list():
    found = {
        text
        for path, tree in sources()
        if path.name != "events.py"
        for text in texts(tree)
        if re.fullmatch(r"[a-z_]+\.[a-z_]+", text) and text.partition(".")[0] in NOUNS_KNOWN
    }
    assert len(found) > 50
    assert found - set(NAMES) - OTHERS == set()


def test_every_kind_that_is_written_is_in_the_list():
    """`record(action=...)` names its noun in the clear, even where the verb comes from elsewhere."""
    written = set()
    for _, tree in sources():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if getattr(call.func, "id", getattr(call.func, "attr", "")) in ("record", "tell", "save_change"):
                for keyword in (keyword for keyword in call.keywords if keyword.arg == "action"):
                    written |= {text.partition(".")[0] for text in texts(keyword.value) if "." in text}
    assert len(written) > 10
    assert written - NOUNS_KNOWN == set()
    assert {table.noun for table in planned_tables().values()} <= NOUNS_KNOWN
    for noun, _ in SHOWN.values():
        assert {f"dns.{noun}_{verb}" for verb in ("added", "updated", "removed")} <= set(NAMES)


def test_every_name_in_the_list_is_in_the_code():
    words = {
        word
        for path, tree in sources()
        if path.name != "events.py"
        for text in texts(tree)
        for word in re.split(r"[^a-z_]+", text)
    }
    composed = {name for name in NAMES if name.startswith("dns.")}
    assert {name for name in set(NAMES) - composed if name.partition(".")[2] not in words} == set()


def test_what_another_includes_is_left_out():
    assert parse_events(["jit.requested", "jit.*", "machine.deleted", "jit.*"]) == [
        "jit.*",
        "machine.deleted",
    ]
    assert parse_events(["jit.*", "*", "dns.settings_updated"]) == ["*"]


@pytest.mark.parametrize("events", [[], ["jit.nothing"], ["JIT.*"], ["jit.requested.*"], ["*", "x"], [""]])
def test_others_are_refused(events):
    with pytest.raises(InvalidInput) as failure:
        parse_events(events)
    assert failure.value.extra == {"field": "events"}


def test_which_lists_include_an_event():
    assert wants(["*"], "jit.requested")
    assert wants(["jit.*"], "jit.requested")
    assert wants(["jit.requested"], "jit.requested")
    assert not wants(["jit.approved", "jit_x.*", "machine.*"], "jit.requested")
    # An event that is newer than the list still reaches those who asked for everything.
    assert wants(["*"], "new_noun.happened")


def test_each_name_stands_in_one_group():
    assert len(NAMES) == len(set(NAMES))
    assert all(nouns for nouns in GROUPS.values())
