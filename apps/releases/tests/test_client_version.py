"""Which version an agent is told to run."""

from itertools import pairwise

import pytest

from apps.releases import services
from apps.releases.models import ClientVersion
from apps.releases.versions import version_key
from tests.cast import ApiClient

pytestmark = pytest.mark.django_db


@pytest.fixture
def build():
    def make(version, platform="linux", arch="amd64", **values):
        made = ClientVersion.objects.create(
            version=version,
            platform=platform,
            arch=arch,
            download_url=f"https://downloads.example.test/{version}",
            checksum_sha256="0" * 64,
            **values,
        )
        services.publish(made)
        return made

    return make


def check(**values):
    return ApiClient().call("/api/client-version", {"action": "check", **values})


@pytest.mark.parametrize("spelling", ["1.9.0", "v1.9.0"])
def test_versions_compare_as_numbers(build, spelling):
    build("1.9.0")
    build("1.10.0")
    data = check(platform="linux", current_version=spelling).json()["data"]
    assert (data["latest_version"], data["update_available"]) == ("1.10.0", True)


@pytest.mark.parametrize("current", ["1.10.0", "2.0.0"])
def test_latest_and_newer_agents_are_up_to_date(build, current):
    build("1.10.0")
    assert check(platform="linux", current_version=current).json()["data"]["update_available"] is False


@pytest.mark.parametrize("platform", ["darwin", "macos", "darwin-amd64"])
def test_old_spellings_of_platforms_are_understood(build, platform):
    build("1.0.0", platform="macos")
    assert check(platform=platform).json()["data"]["update_available"] is True


@pytest.mark.parametrize(
    ("values", "status", "code"),
    [
        ({}, 400, "MISSING_FIELDS"),
        ({"platform": ""}, 400, "MISSING_FIELDS"),
        ({"platform": "beos"}, 404, "NOT_FOUND"),
        ({"platform": "linux", "current_version": "newest"}, 400, "INVALID_INPUT"),
        ({"platform": "linux", "channel": "nightly"}, 400, "INVALID_INPUT"),
    ],
)
def test_bad_questions_get_their_code(values, status, code):
    response = check(**values)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


def test_the_retired_field_names_the_right_one():
    assert "platform" in check(os="linux").json()["error"]["message"]


def test_publishing_moves_the_mark_and_twice_is_as_once(build):
    old, new = build("1.0.0"), build("1.1.0")
    services.publish(new)
    old.refresh_from_db()
    assert (old.is_latest, new.is_latest) == (False, True)


def test_the_latest_build_is_a_redirect_and_a_missing_one_is_plain_text(build):
    build("1.0.0")
    found = ApiClient().get("/api/releases/latest/linux/amd64")
    assert (found.status_code, found["Location"]) == (302, "https://downloads.example.test/1.0.0")
    missing = ApiClient().get("/api/releases/latest/linux/arm64")
    assert (missing.status_code, missing["Content-Type"]) == (404, "text/plain")


def test_a_pre_release_comes_before_its_release():
    order = ["1.0.0-alpha", "1.0.0-alpha.2", "1.0.0-alpha.10", "1.0.0", "1.0.1"]
    assert [version_key(a) < version_key(b) for a, b in pairwise(order)] == [True] * 4
