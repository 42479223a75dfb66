"""A pytest plugin: how workers share these tests out.

A file's tests stay with one worker, for they share a site. Those of ALONE are long, share nothing,
and go first, one by one. (The `loadgroup` of pytest-xdist 3.8 does nothing under pytest 9.2.)
"""

from xdist.scheduler import LoadScopeScheduling

ALONE = ("tests/lab/test_hardship.py", "tests/lab/test_paths.py", "tests/lab/test_posture.py")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: not item.nodeid.startswith(ALONE))


class Shares(LoadScopeScheduling):
    def _split_scope(self, nodeid):
        return nodeid if nodeid.startswith(ALONE) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config, log):
    return Shares(config, log)
