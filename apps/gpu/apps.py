from django.apps import AppConfig


class GpuConfig(AppConfig):
    """Miners, the work that waits for them, and the leases under which they do it."""

    name = "apps.gpu"
    label = "gpu"
    verbose_name = "GPU"

    def ready(self) -> None:
        from apps.gpu import handlers  # noqa: F401  registers subscriptions
