"""Every input that a fuzzer ever found interesting, and noise besides."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
INPUTS = [(name, path) for name in TARGETS for path in sorted((CORPUS / name).iterdir())]


@pytest.mark.parametrize(("name", "path"), INPUTS, ids=lambda value: getattr(value, "name", value))
def test_the_corpus_is_refused_or_read_in_good_order(name, path):
    TARGETS[name](path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_noise_is_refused_or_read_in_good_order(name):
    seeds = [path.read_bytes() for path in (CORPUS / name).iterdir()]

    @settings(max_examples=200, deadline=None)
    @given(st.sampled_from(seeds), st.integers(0, 4096), st.binary(max_size=64), st.integers(0, 64))
    def corrupt(seed, at, inserted, removed):
        place = at % (len(seed) + 1)
        TARGETS[name](seed[:place] + inserted + seed[place + removed :])

    corrupt()


def test_every_target_has_a_corpus():
    assert {name for name, _ in INPUTS} == TARGETS.keys()
