"""Every route of the project: each domain under its prefix, and what belongs to none."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from aitbc.core import site
from aitbc.core.health import HealthViewSet
from aitbc.core.renderers import TextRenderer
from aitbc.core.schema import load_extensions
from aitbc.domains import Domain, served
from apps.marketplace.urls import gpu_urlpatterns

Routes = list[URLPattern | URLResolver]
#: Legacy routes under one domain's prefix whose rows are another's: the view is the owner's and writes its database.
GUESTS = {"gpu": gpu_urlpatterns}


def own(domain: Domain) -> Routes:
    """What the project adds to each domain: is it alive, is it ready, its part of the schema."""
    shown: dict[str, Any] = {"label": domain.label}
    return [
        path("health", HealthViewSet.as_view({"get": "live"}, **shown), name=f"{domain.label}-health"),
        path("ready", HealthViewSet.as_view({"get": "ready"}, **shown), name=f"{domain.label}-ready"),
        path("schema", SpectacularAPIView.as_view(patterns=mounted(domain)), name=f"{domain.label}-schema"),
    ]


def mounted(domain: Domain, prefix: str | None = None) -> list[URLResolver]:
    """A domain's routes, and its guests', under its prefix (or another)."""
    root = f"{domain.prefix}/" if prefix is None else prefix
    own_routes = path(root, include(f"apps.{domain.label}.urls"))
    return [own_routes, path(root, include(GUESTS[domain.label]))] if domain.label in GUESTS else [own_routes]


def routes_of(domain: Domain) -> Routes:
    return [path(f"{domain.prefix}/", include(own(domain))), *mounted(domain)]


domains = served(settings.AITBC_SERVICES)
# A process that serves one domain is that service: /health says its name, as on that service's own port.
alone: dict[str, Any] = {"label": domains[0].label} if len(domains) == 1 else {}
urlpatterns: Routes = [
    path("health", HealthViewSet.as_view({"get": "live"}, **alone), name="health"),
    path("services", HealthViewSet.as_view({"get": "services"}), name="services"),
    path("metrics", site.SiteViewSet.as_view({"get": "metrics"}, renderer_classes=[TextRenderer]), name="metrics"),
    path(".well-known/aitbc-keys.json", site.SiteViewSet.as_view({"get": "keys"}), name="signing-keys"),
    path("schema", SpectacularAPIView.as_view(), name="schema"),
    path("docs", SpectacularSwaggerView.as_view(url_name="schema", http_method_names=["get", "head"]), name="docs"),
    path("admin/", admin.site.urls),
    *[route for domain in domains for route in routes_of(domain)],
]
if len(domains) == 1:
    # A process that serves one domain also answers on that domain's own port without the prefix.
    urlpatterns += [path("", include(own(domains[0]))), *mounted(domains[0], "")]

load_extensions()  # this module is imported once, whatever requests wait for it

handler400 = "aitbc.core.problems.bad_request"
handler403 = "aitbc.core.problems.forbidden"
handler404 = "aitbc.core.problems.not_found"
handler500 = "aitbc.core.problems.server_error"
