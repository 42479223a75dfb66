"""A pytest plugin, loaded before settings: workers of one run share a Redis, each has its own database."""

import os

URL = "QZTNA_REDIS_URL"

if (worker := os.environ.get("PYTEST_XDIST_WORKER")) and URL in os.environ:
    os.environ[URL] = f"{os.environ[URL].rpartition('/')[0]}/{int(worker.removeprefix('gw')) + 1}"
