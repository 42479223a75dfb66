"""OpenAPI: each declared operation, action endpoints as a union told apart by `action`."""

from drf_spectacular.openapi import AutoSchema


class OperationSchema(AutoSchema):
    pass
