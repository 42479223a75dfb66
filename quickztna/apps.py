"""The glue as a Django app, so that its commands are found."""

from django.apps import AppConfig


class GlueConfig(AppConfig):
    name = "quickztna"
    label = "quickztna"
