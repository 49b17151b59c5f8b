from apps.ai.admin import artifacts, input_claims, jobs  # noqa: F401
