from apps.gpu.admin import benchmarks, gpus, miners  # noqa: F401
