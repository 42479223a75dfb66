"""Two hundred machines at once get two hundred addresses, and a single-use key admits one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services import postgres

ROOT = Path(__file__).resolve().parents[3]


def race(data, **environment):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("QZTNA_")}
    result = subprocess.run(
        [sys.executable, "-m", "apps.machines.tests.race"],
        cwd=ROOT,
        env={**inherited, "QZTNA_DATA_DIR": str(data), **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout)


def check(found):
    assert found["many"] == {
        "results": {"OK": 200},
        "rows": 200,
        "addresses": 200,
        "names": 200,
        "used_count": 200,
    }
    assert found["single"]["results"] == {"OK": 1, "KEY_USED": 19}
    assert (found["single"]["rows"], found["single"]["used_count"]) == (1, 1)


def test_on_sqlite(tmp_path):
    check(race(tmp_path))


@pytest.mark.services
def test_on_postgresql(tmp_path):
    with postgres() as url:
        check(race(tmp_path, QZTNA_DATABASE_URL=url))
