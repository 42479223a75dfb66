"""`manage.py openapi`: the document from which the console's types are made, on standard output."""

from typing import Any

from django.core.management.base import BaseCommand

from apps.core.api.schema import openapi_text


class Command(BaseCommand):
    help = "Print the OpenAPI document."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(openapi_text())
