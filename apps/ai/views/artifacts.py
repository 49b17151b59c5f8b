"""The endpoints of /ai/artifacts: inputs and results of the caller that are kept as files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import FileResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core import blobs
from aitbc.core.pagination import KeysetPagination
from aitbc.core.parsers import BytesParser, refuse_encoded
from aitbc.core.renderers import DownloadRenderer
from aitbc.core.viewsets import DomainViewSet, Scopes
from apps.ai.errors import ArtifactNotFound
from apps.ai.models import Artifact
from apps.ai.selectors.artifacts import usage_of
from apps.ai.serializers.artifacts import ArtifactSerializer
from apps.ai.services import artifacts

READERS = ("client", "read")


class ArtifactPagination(KeysetPagination):
    """Keyset pages with what all artifacts of the caller take, and may take."""

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any]:
        self.usage = usage_of(request.user.pk)
        return super().paginate_queryset(queryset, request, view)

    def get_paginated_response(self, data: Any) -> Response:
        usage = {"used_bytes": self.usage.used, "quota_bytes": self.usage.quota}
        return Response({"items": data, "next": self.next_cursor, **usage})

    def get_paginated_response_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        envelope = super().get_paginated_response_schema(schema)
        envelope["properties"] |= {"used_bytes": {"type": "integer"}, "quota_bytes": {"type": "integer"}}
        envelope["required"] += ["used_bytes", "quota_bytes"]
        return envelope


class ArtifactViewSet(mixins.ListModelMixin, DomainViewSet):
    """Files of the caller: inputs for jobs and large results, named by their SHA-256."""

    queryset = Artifact.objects.all()
    serializer_class = ArtifactSerializer
    pagination_class = ArtifactPagination
    ordering = ("-id",)
    lookup_field = "sha256"
    body_limit = artifacts.UPLOAD_LIMIT
    parser_classes = (BytesParser,)
    required_scopes: ClassVar[Mapping[str, Scopes]] = {
        "create": "client", "list": READERS, "retrieve": READERS, "destroy": "client",
    }  # fmt: skip

    def get_queryset(self) -> QuerySet[Artifact]:
        return Artifact.objects.owned_by(self.actor.pk).with_use()

    def get_renderers(self) -> list[BaseRenderer]:
        """A download is what it is, whatever type the client accepts."""
        return [*super().get_renderers(), *([DownloadRenderer()] if self.action == "retrieve" else [])]

    @extend_schema(request={"application/octet-stream": OpenApiTypes.BINARY}, responses={201: ArtifactSerializer})
    def create(self, request: Request) -> Response:
        """Upload the body, at most 16 MiB, streamed; the same bytes again are the same artifact.

        413 with `used_bytes` and `quota_bytes` when the caller's artifacts would take more than its quota.
        """
        refuse_encoded(request._request)
        media_type = (request.content_type or "application/octet-stream")[:100]
        artifact = artifacts.upload(owner_id=self.actor.pk, chunks=_chunks(request._request), media_type=media_type)
        return self.answer(self.get_queryset().get(pk=artifact.pk), status=201)

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def retrieve(self, request: Request, sha256: str) -> HttpResponseBase:
        """Download; always as an attachment, so that a browser never runs what a miner sent."""
        artifact = self.get_object()
        try:
            body = blobs.open(artifact.sha256)
        except blobs.BlobNotFound:
            raise ArtifactNotFound from None
        response = FileResponse(body, as_attachment=True, filename=sha256, content_type="application/octet-stream")
        response["Content-Length"] = str(artifact.size)
        response["ETag"] = f'"{sha256}"'
        return response

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, sha256: str) -> Response:
        """Delete an artifact that no unfinished job uses.

        If it is the large result of a job, the job's result is then 410.
        """
        artifacts.delete(artifact=self.get_object())
        return Response(status=204)


def _chunks(request: Any) -> Iterator[bytes]:
    while chunk := request.read(blobs.CHUNK):
        yield chunk
