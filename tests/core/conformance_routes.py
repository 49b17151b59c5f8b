"""Views and routes that use what DRF and Django document, for test_drf_conformance.py."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.urls import path
from rest_framework import (
    authentication,
    filters,
    mixins,
    pagination,
    parsers,
    permissions,
    renderers,
    serializers,
    throttling,
    versioning,
)
from rest_framework.response import Response

from aitbc.accounts.models import AuditEntry
from aitbc.core.hot_path import HotViewSet
from aitbc.core.renderers import FastJSONRenderer
from aitbc.core.serializers import ResourceSerializer, StrictSerializer
from aitbc.core.viewsets import PUBLIC, DomainViewSet
from aitbc.urls import handler400, handler403, handler404, handler500  # noqa: F401

SEEN: list[str] = []


class Never(permissions.BasePermission):
    """Denies everything, as a stock permission does: by returning False."""

    message = "not today"

    def has_permission(self, request: Any, view: Any) -> bool:
        return False


class NeverThisObject(permissions.BasePermission):
    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return False


class Named(authentication.BaseAuthentication):
    """Knows everybody who says a name in X-Name."""

    name = "X-Name"

    def authenticate(self, request: Any) -> Any:
        name = request.headers.get(self.name)
        return None if name is None else (Person(name), f"{self.name}:{name}")


class AlsoNamed(Named):
    name = "X-Other-Name"


class Person:
    is_authenticated = True
    is_active = True

    def __init__(self, name: str) -> None:
        self.pk = self.name = name

    def may(self, *scopes: str) -> bool:
        return True


class LinesRenderer(renderers.BaseRenderer):
    media_type = "text/x-lines"
    format = "lines"

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        return "\n".join(f"{name}={value}" for name, value in data.items()).encode()


class EntrySerializer(ResourceSerializer):
    """A source that is a method of the model, as DRF calls it."""

    shouted = serializers.CharField(source="__str__")

    class Meta:
        model = AuditEntry
        fields = ("id", "action", "shouted")


class WhoSerializer(StrictSerializer):
    name = serializers.CharField()
    owner = serializers.HiddenField(default=serializers.CurrentUserDefault())


class PlainView(DomainViewSet):
    """One action of each kind."""

    required_scopes: ClassVar[Any] = {"show": PUBLIC, "take": "client", "whose": "client", "boom": PUBLIC}

    def show(self, request: Any, **kwargs: Any) -> Response:
        return Response(
            {
                "user": str(getattr(request.user, "name", "")),
                "django_user": str(getattr(request._request.user, "name", "")),
                "auth": str(request.auth),
                "version": request.version,
            }
        )

    def take(self, request: Any) -> Response:
        return Response({"files": sorted(request.FILES), "fields": sorted(request.data)})

    def whose(self, request: Any) -> Response:
        return Response({"owner": str(self.validated(WhoSerializer)["owner"].pk)})

    def boom(self, request: Any) -> Response:
        raise ValueError("a bug")


class HookedView(PlainView):
    """Overrides every documented hook and says that it was called."""

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        SEEN.append("initialize_request")
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        SEEN.append("initial")
        super().initial(request, *args, **kwargs)

    def perform_authentication(self, request: Any) -> None:
        SEEN.append("perform_authentication")
        super().perform_authentication(request)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        SEEN.append("finalize_response")
        return super().finalize_response(request, response, *args, **kwargs)

    def handle_exception(self, exc: Exception) -> Any:
        SEEN.append("handle_exception")
        return Response({"handled": str(exc)}, status=418)


class EntryView(mixins.ListModelMixin, mixins.RetrieveModelMixin, DomainViewSet):
    required_scopes: ClassVar[Any] = {"list": PUBLIC, "retrieve": "client"}
    queryset = AuditEntry.objects.filter(subject="conformance").order_by("action")
    serializer_class = EntrySerializer
    search_fields = ("action",)


class HotView(HotViewSet, HookedView):
    """The same hooks on the short way."""

    hot_actions = frozenset({"show", "whose"})


class OncePerMinute(throttling.AnonRateThrottle):
    rate = "1/min"


plain, entries, hot = PlainView.as_view, EntryView.as_view, HotView.as_view
FORMS = [parsers.MultiPartParser, parsers.FormParser]
urlpatterns = [
    path("show", plain({"get": "show", "post": "show"})),
    path("boom", plain({"get": "boom"})),
    path("never", plain({"get": "show"}, permission_classes=[Never])),
    path("never-anonymous", plain({"get": "show"}, permission_classes=[Never], authentication_classes=[])),
    path("entries", entries({"get": "list"})),
    path("entries/searched", entries({"get": "list"}, filter_backends=[filters.SearchFilter])),
    path("entries/counted", entries({"get": "list"}, pagination_class=pagination.LimitOffsetPagination)),
    path("entries/<pk>", entries({"get": "retrieve"})),
    path("entries/<pk>/denied", entries({"get": "retrieve"}, permission_classes=[NeverThisObject])),
    path("forms", plain({"post": "take"}, parser_classes=FORMS)),
    path("whose", plain({"post": "whose"})),
    path("lines", plain({"get": "show"}, renderer_classes=[FastJSONRenderer, LinesRenderer])),
    path("versioned", plain({"get": "show"}, versioning_class=versioning.QueryParameterVersioning)),
    path("named", plain({"get": "show"}, authentication_classes=[Named, AlsoNamed])),
    path("seldom", plain({"get": "show"}, throttle_classes=[OncePerMinute])),
    path("hooked", HookedView.as_view({"get": "show", "post": "boom"})),
    path("hot", hot({"post": "show"})),
    path("hot/<name>", hot({"get": "show", "post": "boom"})),
    path("hot-whose", hot({"post": "whose"})),
    path("hot-lines", hot({"post": "show"}, renderer_classes=[LinesRenderer])),
    path("hot-versioned", hot({"post": "show"}, versioning_class=versioning.QueryParameterVersioning)),
]


def recording(get_response: Any) -> Any:
    """A middleware as tracing and error reporting have them."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        match = request.resolver_match
        SEEN.append(f"{match.route if match else None} {response.status_code}")
        return response

    return middleware
