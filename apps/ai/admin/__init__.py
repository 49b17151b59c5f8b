from apps.ai.admin import jobs  # noqa: F401
