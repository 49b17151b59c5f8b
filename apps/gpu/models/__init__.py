from apps.gpu.models.benchmarks import BenchmarkTransition, GPUBenchmark, MinerOrder, OrderTransition
from apps.gpu.models.gpus import ConsumerGPUProfile, EdgeGPUMetrics, GPURegistry, GPUTransition
from apps.gpu.models.leases import LateResult, Lease
from apps.gpu.models.messages import Clock, IdempotencyRecord, Inbox, Outbox
from apps.gpu.models.miners import Backend, Miner, MinerTransition
from apps.gpu.models.queue import ClassHeads, FairShare, RequirementClass, Work
from apps.gpu.models.reservations import MinerHour, Reservation, WatchedHour

__all__ = [
    "Backend",
    "BenchmarkTransition",
    "ClassHeads",
    "Clock",
    "ConsumerGPUProfile",
    "EdgeGPUMetrics",
    "FairShare",
    "GPUBenchmark",
    "GPURegistry",
    "GPUTransition",
    "IdempotencyRecord",
    "Inbox",
    "LateResult",
    "Lease",
    "Miner",
    "MinerHour",
    "MinerOrder",
    "MinerTransition",
    "OrderTransition",
    "Outbox",
    "RequirementClass",
    "Reservation",
    "WatchedHour",
    "Work",
]
