from apps.gpu.admin import (  # noqa: F401
    backends,
    benchmarks,
    gpus,
    leases,
    miner_commands,
    miners,
    profiles,
    queue,
    requirement_classes,
    reservations,
    telemetry,
    uptime,
)
