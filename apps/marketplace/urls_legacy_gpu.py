"""Routes of the predecessor's GPU marketplace: the same under the marketplace's prefix and under gpu's."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path

from apps.marketplace.legacy.views.gpus import LegacyGpuViewSet

ROOT = "v1/marketplace"


def routes(**shown: Any) -> list[URLPattern]:
    """`shown` says under whose name they stand in the schema."""

    def view(**methods: str) -> Any:
        return LegacyGpuViewSet.as_view(methods, **shown)

    one = f"{ROOT}/gpu/<str:gpu_id>"
    return [
        path(f"{ROOT}/gpu/list", view(get="list")),
        path(f"{ROOT}/gpu/register", view(post="register")),
        path(f"{ROOT}/gpu/purchase", view(post="purchase")),
        path(f"{ROOT}/orders", view(get="orders")),
        path(f"{ROOT}/pricing/<str:model>", view(get="pricing")),
        path(one, view(get="retrieve", delete="destroy")),
        path(f"{one}/book", view(post="book_gpu")),
        path(f"{one}/confirm", view(post="confirm")),
        path(f"{one}/release", view(post="release")),
        path(f"{one}/reviews", view(get="reviews", post="review")),
    ]


urlpatterns = routes()
