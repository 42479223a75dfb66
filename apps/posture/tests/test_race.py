"""Machines report and are tagged while posture and groups are planned, written and taken back: nobody waits
for ever, and nobody is held by a policy that is gone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services import postgres

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.services
def test_on_postgresql(tmp_path):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("QZTNA_")}
    with postgres() as url:
        result = subprocess.run(
            [sys.executable, "-m", "apps.posture.tests.race"],
            cwd=ROOT,
            env={**inherited, "QZTNA_DATA_DIR": str(tmp_path), "QZTNA_DATABASE_URL": url},
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert result.returncode == 0, result.stderr[-3000:]
    assert json.loads(result.stdout) == {
        "results": {"applied": 12, "rolled_back": 12, "direct": 12, "followed": 12},
        "failures": {},
        "reported": True,
        "held": 0,
    }
