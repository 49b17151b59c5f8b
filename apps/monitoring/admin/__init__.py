from apps.monitoring.admin import heartbeats  # noqa: F401
