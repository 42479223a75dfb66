"""What `ztna acl plan` says of connections that a plan cuts."""

import pytest

from agent.cli.plantext import print_plan

PLAN = {
    "plan_id": "p",
    "base_version": 3,
    "changes": {"acl_rules": {"create": [], "update": [], "delete": []}},
    "checks": [],
    "tests": {"passed": 0, "failed": []},
    "unresolved": [],
    "shadowed": [],
    "duplicates": [],
    "flows": {"gained": [], "lost": [], "sampled": False},
    "machines_affected": 2,
    "live_connections_cut": [],
}
CUT = {
    "source": {"id": "a", "name": "alpha"},
    "destination": {"id": "b", "name": "beta"},
    "protocol": "tcp",
    "ports": "22",
    "connections": 3,
}
COUNTED = {
    "state": "counted",
    "connections": 3,
    "machines_asked": 2,
    "machines_answered": 2,
    "complete": True,
}


@pytest.mark.parametrize(
    ("count", "line"),
    [
        (COUNTED, "2 machines affected; 3 open connections will be cut."),
        (
            {**COUNTED, "machines_answered": 1},
            "at least 3 open connections will be cut, 1 machine did not answer.",
        ),
        ({**COUNTED, "complete": False}, "at least 3 open connections will be cut."),
        ({"state": "asking"}, "connections on 1 flow could be cut."),
        (None, "connections on 1 flow could be cut."),
    ],
)
def test_open_connections_are_told_with_what_is_not_known_of_them(capsys, count, line):
    print_plan({**PLAN, "live_connections": count, "live_connections_cut": [CUT]}, {})
    text = capsys.readouterr().out
    assert line in text
    listed = [each.split() for each in text.splitlines() if "alpha" in each]
    assert listed == ([["alpha", "beta", "tcp/22", "3"]] if count and count["state"] == "counted" else [])
