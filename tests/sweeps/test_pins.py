"""Every package that is installed is pinned by version and hash."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_consoles_packages_are_pinned():
    packages = json.loads((ROOT / "frontend/package-lock.json").read_text())["packages"]
    assert len(packages) > 100
    assert [name for name, package in packages.items() if name and "integrity" not in package] == []


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name)
def test_pythons_packages_are_pinned(path):
    text = re.sub(r"#.*", "", path.read_text()).replace("\\\n", " ")
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("-")]
    assert lines
    assert [line[0] for line in lines if "==" not in line[0] or "--hash=sha256:" not in " ".join(line)] == []
