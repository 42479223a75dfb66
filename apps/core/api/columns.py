"""Declared columns of a table endpoint."""

from dataclasses import dataclass

from django.db import models

KINDS = (
    (models.UUIDField, "uuid"),
    (models.ForeignKey, "uuid"),
    (models.BooleanField, "boolean"),
    (models.DateTimeField, "time"),
    (models.JSONField, "json"),
    (models.IntegerField, "integer"),
    ((models.FloatField, models.DecimalField), "number"),
)


@dataclass(frozen=True)
class Column:
    """A column that exists for readers.

    write: letter of the roles that may change it ("" = nobody); source: path in the ORM, when it is
    not the name; kind: uuid, boolean, time, json, integer, number or text, found from the model when
    left out (an annotation has to say it); filterable: whether filters and order may name it.
    """

    name: str
    write: str = ""
    source: str = ""
    kind: str = ""
    filterable: bool = True


def resolve(column: Column, model: type[models.Model]) -> Column:
    """The column with source and kind filled in."""
    source = column.source or column.name
    kind = column.kind or _kind(model, source)
    return Column(column.name, column.write, source, kind, column.filterable)


def _kind(model: type[models.Model], source: str) -> str:
    *relations, last = source.split("__")
    for relation in relations:
        model = model._meta.get_field(relation).related_model
    names = {field.attname: field for field in model._meta.concrete_fields}
    field = names.get(last) or model._meta.get_field(last)
    return next((kind for classes, kind in KINDS if isinstance(field, classes)), "text")
