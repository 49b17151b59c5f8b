"""Which columns the `miner` command shows."""

MINERS = (
    "miner_id",
    "state",
    "last_heartbeat",
    "price_per_hour",
    "parked_results",
    "concurrency",
    "reputation",
    "region",
)
GPUS = ("model", "status", "memory_mb", "price_per_hour", "architecture", "cuda", "region")
JOBS = ("job_id", "state", "task_type", "granted_at", "metered_ms", "rate", "code", "attempt")
BACKENDS = ("id", "url", "state", "healthy", "models", "last_error", "kind", "polled_at")
EARNINGS = ("job_id", "amount", "payment_status")
