from apps.ai.admin import artifacts, jobs  # noqa: F401
