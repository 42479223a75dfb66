"""Requirements and judgement, without a database."""

import pytest

from apps.posture.judgement import Judgement, Policy, judge
from apps.posture.requirements import Requirements, Signals, lacks, release_of

NOW = 1_000_000.0
HEALTHY = Signals(
    os="linux",
    release="ubuntu 24.04",
    disk_encrypted=True,
    firewall_enabled=True,
    antivirus_enabled=True,
    patch_age_days=3,
    screen_lock_seconds=300,
    auto_update=True,
    agent_version="1.4.0",
)
STRICT = Requirements(
    allowed_os=frozenset({"linux", "macos"}),
    min_os_version={"linux": {"ubuntu": "22.04", "debian": "12"}},
    disk_encryption=True,
    firewall=True,
    antivirus=True,
    max_patch_age_days=30,
    screen_lock=True,
    max_idle_minutes=10,
    auto_update=True,
    agent_version_min="1.4",
)


def changed(**values):
    fields = {name: getattr(HEALTHY, name) for name in Signals.__slots__}
    return Signals(**(fields | values))


def codes(asked, signals):
    return [lack.code for lack in lacks(asked, signals)]


def test_a_healthy_machine_lacks_nothing():
    assert codes(STRICT, HEALTHY) == []


@pytest.mark.parametrize(
    ("signal", "value", "code"),
    [
        ("disk_encrypted", False, "disk_encryption_required"),
        ("firewall_enabled", False, "firewall_required"),
        ("antivirus_enabled", False, "antivirus_required"),
        ("patch_age_days", 31, "patch_age_exceeded"),
        ("os", "windows", "os_not_allowed"),
        ("release", "ubuntu 20.04", "os_version_too_old"),
        ("release", "Debian GNU/Linux 11", "os_version_too_old"),
        ("screen_lock_seconds", 601, "screen_lock_required"),
        ("screen_lock_seconds", 0, "screen_lock_required"),
        ("auto_update", False, "auto_update_required"),
        ("agent_version", "1.3.99", "agent_version_too_old"),
        *[
            (signal, None, "signal_unknown")
            for signal in (
                *("disk_encrypted", "firewall_enabled", "antivirus_enabled", "patch_age_days"),
                *("release", "screen_lock_seconds", "auto_update", "agent_version"),
            )
        ],
    ],
)
def test_each_requirement_fails_by_its_own_code_and_only_where_it_is_asked(signal, value, code):
    signals = changed(**{signal: value})
    assert codes(STRICT, signals) == [code]
    assert codes(Requirements(), signals) == []


def test_versions_compare_as_numbers_and_missing_parts_as_zero():
    asked = Requirements(min_os_version={"macos": "13.0"})
    assert codes(asked, changed(os="macos", release="macOS 13")) == []
    assert codes(asked, changed(os="macos", release="macOS 9.12")) == ["os_version_too_old"]
    assert codes(Requirements(min_os_version={"linux": "22.04"}), changed(release="fedora 41")) == []
    assert codes(Requirements(min_os_version={"linux": "22.04"}), changed(release="ubuntu 18.04")) == [
        "os_version_too_old"
    ]


@pytest.mark.parametrize("text", [None, "", "arch", "linux/amd64", "x" * 500, "\U0001f525 1.2"])
def test_a_text_that_names_no_release_is_unknown(text):
    assert release_of(text) is None


def test_grace_runs_per_policy_from_its_own_first_failure():
    old = Policy("old", "Old", Requirements(firewall=True), "restrict", 600)
    new = Policy("new", "New", Requirements(disk_encryption=True), "quarantine", 600)
    signals = changed(firewall_enabled=False, disk_encrypted=False)
    found = judge([old, new], signals, mode="enforce", failing={"old": NOW - 600}, now=NOW)
    assert (found.effect, found.imposed) == ("restrict", ("Old",))
    assert found.grace_ends == NOW + 600
    later = judge([old, new], signals, mode="enforce", failing=found.failing, now=NOW + 600)
    assert (later.effect, later.imposed, later.grace_ends) == ("quarantine", ("New",), None)
    assert later.codes == ["firewall_required", "disk_encryption_required"]


def test_a_clean_policy_forgets_its_failure():
    policy = Policy("p", "P", Requirements(firewall=True), "quarantine", 600)
    assert judge([policy], HEALTHY, mode="enforce", failing={"p": 0.0}, now=NOW) == Judgement()


def test_the_mode_caps_what_follows():
    policy = Policy("p", "P", Requirements(firewall=True))
    bad = changed(firewall_enabled=False)
    assert judge([policy], bad, mode="enforce", failing={}, now=NOW).effect == "quarantine"
    watched = judge([policy], bad, mode="monitor", failing={}, now=NOW)
    assert (watched.effect, watched.compliant) == ("warn", False)
    assert judge([policy], bad, mode="disabled", failing={}, now=NOW) == Judgement()
