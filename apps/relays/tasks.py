"""Jobs: relays are visited before somebody misses them, and sessions end that nobody tells of."""

from django.conf import settings

from apps.core.jobs import job
from apps.relays.health import judged, probe_all, show, show_load
from apps.relays.models import BuiltinRegion, DerpRegion
from apps.relays.regions import regions_of
from apps.relays.sessions import drop_stale, load_of

EVERY_SECONDS = 30


@job("relay-probe", every_seconds=EVERY_SECONDS)
def visit_relays() -> dict[str, int]:
    """Visit built-in regions, and those of organisations that have their own.

    In embedded mode nobody waits for that visit: health is looked at when it is asked for.
    """
    dropped = {"dropped": count} if (count := drop_stale()) else {}
    if settings.EMBEDDED:
        return dropped
    builtin = probe_all(regions_of(None), private=True, anew=True)
    show(builtin)
    for region_id, code in BuiltinRegion.objects.filter(enabled=True).values_list("pk", "region_code"):
        show_load(code, load_of(region_id))
    found = [builtin]
    owners = DerpRegion.all_orgs.filter(enabled=True).values_list("org_id", flat=True).distinct()
    found += [probe_all(regions_of(org_id), private=False, anew=True) for org_id in owners]
    return {
        **dropped,
        "visited": sum(map(len, found)),
        "unhealthy": sum(len(judged(regions)["degraded"]) for regions in found),
    }
