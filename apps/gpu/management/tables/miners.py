"""Which columns the `miner` command shows."""

MINERS = ("miner_id", "state", "concurrency", "region", "price_per_hour", "reputation", "last_heartbeat")
GPUS = ("model", "memory_mb", "architecture", "cuda", "status", "price_per_hour", "region")
JOBS = ("job_id", "task_type", "attempt", "state", "metered_ms", "rate", "code", "granted_at")
BACKENDS = ("id", "url", "kind", "healthy", "models", "state", "last_error", "polled_at")
EARNINGS = ("job_id", "amount", "payment_status")
