"""Every route: the declared API, the admin, the documents at fixed places and the console."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.utils.module_loading import autodiscover_modules

import quickztna.celery  # noqa: F401  (web processes send tasks too)
from apps.core import pages
from apps.core.api import platform  # noqa: F401  (declares its calls)
from apps.core.api.registry import api_urlpatterns

# An app's `api` declares its endpoints by being imported.
autodiscover_modules("api")
_api = [*api_urlpatterns(), re_path("", pages.unknown_call)]

urlpatterns = [
    path("api/functions/", include((_api, "functions"))),
    path("api/", include((_api, "api"))),
    path("metrics", pages.metrics),
    path(".well-known/jwks.json", pages.jwks),
    path(".well-known/security.txt", pages.security_txt),
    path("admin/", admin.site.urls),
    re_path("^(?P<page>.*)$", pages.console),
]
handler404 = "apps.core.pages.not_found"
handler500 = "apps.core.pages.server_error"
