"""What a rule may say, and what is said of a rule that may not stand."""

import pytest

from apps.policy.abac import parse_attribute_policy
from apps.policy.conditions import format_days, format_hours, parse_days, parse_hours
from apps.policy.faults import RuleFault
from apps.policy.ports import format_ports, parse_ports
from apps.policy.rules import parse_rule
from apps.policy.selectors import parse_selector

RULE = {"id": "r", "name": "r", "source": "*", "destination": "*"}


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("*", "*"),
        (" 8000 - 8100 ", "8000-8100"),
        ("443,22", "22,443"),
        ("1-65535", "1-65535"),
        ("80-90,85-99,100", "80-100"),
        ("22,22", "22"),
    ],
)
def test_ports_in_any_spelling_are_stored_in_one(text, stored):
    assert format_ports(parse_ports(text)) == stored


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("0", "0 is not within 1 to 65535"),
        ("65536", "65536 is not within"),
        ("0-10", "0 is not within"),
        ("8100-8000", "did you mean 8000-8100"),
        ("", "neither a port"),
        ("22,", "neither a port"),
        ("-22", "neither a port"),
        ("22-", "neither a port"),
        ("1-2-3", "neither a port"),
        ("ssh", "neither a port"),
        ("+22", "neither a port"),
        ("٢٢", "neither a port"),
        ("²", "neither a port"),
        ("999999999999", "neither a port"),
        (",".join(["22"] * 65), "at most 64"),
        (22, "must be text"),
    ],
)
def test_ports_that_cannot_be_are_refused_with_what_is_wrong(text, hint):
    with pytest.raises(RuleFault, match=hint):
        parse_ports(text)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("*", "*"),
        ("tag:Web", "tag:Web"),
        ("group:Ops Team", "group:Ops Team"),
        ("USER:Ann@Example.com", "user:ann@example.com"),
        ("tag:a , tag:b,tag:a", "tag:a,tag:b"),
        ("10.0.0.0/8,10.1.0.0/16", "10.0.0.0/8,10.1.0.0/16"),
        ("fd00:0:0::/48", "fd00::/48"),
        ("100.64.0.1/32", "100.64.0.1"),
        ("FD00::1", "fd00::1"),
        ("Db-Server", "db-server"),
        ("01234567-89AB-CDEF-0123-456789ABCDEF", "01234567-89ab-cdef-0123-456789abcdef"),
    ],
)
def test_selectors_in_any_spelling_are_stored_in_one(text, stored):
    assert parse_selector(text, "source").text == stored


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ",", "tag:", "tag:a b", "tag:🦊", "user:nobody", "user:", "group:", "group:a\x07b"),
        *("10.0.0.1/8", "10.0.0.0/33", "10.0.0.256", "fd00::/129", "1.2.3", "a b", "foo:bar", "a\x00b"),
        ",".join(f"tag:t{n}" for n in range(33)),
        None,
        7,
    ],
)
def test_malformed_selectors_are_refused(text):
    with pytest.raises(RuleFault) as caught:
        parse_selector(text, "source")
    assert caught.value.field == "source"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("name", ""),
        ("name", "x" * 101),
        ("name", "line\nbreak"),
        ("name", "evil\u202eeman"),
        ("protocol", "all"),
        ("protocol", "sctp"),
        ("action", "permit"),
        ("priority", -1),
        ("priority", 100_001),
        ("priority", True),
        ("time_hour", "25-26"),
        ("time_hour", "9"),
        ("time_hour", "09-09"),
        ("time_hour", "09:60-10"),
        ("time_hour", "24-08"),
        ("day_of_week", "mon-someday"),
        ("day_of_week", ""),
        ("timezone", "Mars/Olympus"),
        ("timezone", "../../etc/passwd"),
        ("source_country", ["IND"]),
        ("source_country", "1N"),
        ("source_os", ["templeos"]),
        ("source_os", 7),
    ],
)
def test_a_rule_with_a_wrong_column_names_the_column(column, value):
    if (column, value) == ("day_of_week", ""):
        assert parse_rule(RULE | {column: value}).conditions.window is None
        return
    with pytest.raises(RuleFault) as caught:
        parse_rule(RULE | {column: value})
    assert caught.value.field == column


def test_icmp_has_no_ports_and_emoji_are_text():
    with pytest.raises(RuleFault):
        parse_rule(RULE | {"protocol": "icmp", "ports": "22"})
    assert parse_rule(RULE | {"name": "🦊 to 数据库"}).name == "🦊 to 数据库"


def test_hours_and_days_have_one_stored_form():
    assert format_hours(*parse_hours("9-18")) == "09-18"
    assert format_hours(*parse_hours("22:30-06:00")) == "22:30-06:00"
    assert format_hours(*parse_hours("22-00")) == "22-24"
    assert format_days(parse_days("MON - FRI")) == "mon-fri"
    assert format_days(parse_days("fri-mon")) == "mon,fri,sat,sun"
    assert parse_rule(RULE | {"time_hour": "00-24", "day_of_week": "mon-sun"}).conditions.window is None


@pytest.mark.parametrize(
    "change",
    [
        {"effect": "allow"},
        {"conditions": {}},
        {"conditions": {"shoe_size": 44}},
        {"conditions": {"roles": ["king"]}},
        {"conditions": {"network": ["10.0.0.1/8"]}},
        {"conditions": {"posture": "fine"}},
        {"selector": "tag:"},
    ],
)
def test_attribute_policies_say_what_is_wrong(change):
    document = {"id": "p", "name": "p", "effect": "deny", "selector": "*", "conditions": {"os": ["linux"]}}
    assert parse_attribute_policy(document)
    with pytest.raises(RuleFault):
        parse_attribute_policy(document | change)
