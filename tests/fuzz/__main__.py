"""`./dev fuzz NAME`: run one target under a coverage-guided fuzzer.

Inputs that reach new code go to var/fuzz, or with --keep to tests/fuzz/corpus, which every test run
replays. An input that breaks the target is left in var/fuzz as NAME-crash-*.
"""

import argparse
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["wire", "relay"]):
    from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
FOUND = ROOT / "var" / "fuzz"
MAX_INPUT_BYTES = 4096


def main() -> None:
    """Fuzz until the time is up; the process ends inside the fuzzer."""
    parser = argparse.ArgumentParser(prog="./dev fuzz", description=__doc__)
    parser.add_argument("name", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--keep", action="store_true", help="what is found joins the corpus")
    options = parser.parse_args()
    found, corpus = FOUND / options.name, CORPUS / options.name
    for folder in (found, corpus):
        folder.mkdir(parents=True, exist_ok=True)
    folders = [corpus, found] if options.keep else [found, corpus]
    arguments = [
        f"-artifact_prefix={FOUND}/{options.name}-",
        f"-max_len={MAX_INPUT_BYTES}",
        f"-max_total_time={options.seconds}",
        *map(str, folders),
    ]
    atheris.Setup([sys.argv[0], *arguments], TARGETS[options.name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
