"""The Django app of AI jobs."""

from django.apps import AppConfig


class AiConfig(AppConfig):
    name = "apps.ai"
    label = "ai"
    verbose_name = "AI jobs"

    def ready(self) -> None:
        from apps.ai import handlers  # noqa: F401
