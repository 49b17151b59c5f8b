from apps.gpu.models.backends import Backend
from apps.gpu.models.benchmarks import BenchmarkTransition, GPUBenchmark
from apps.gpu.models.exchange_downtime import Clock
from apps.gpu.models.gpus import GPURegistry, GPUTransition
from apps.gpu.models.leases import LateResult, Lease
from apps.gpu.models.messages import IdempotencyRecord, Inbox, Outbox
from apps.gpu.models.miner_commands import CommandTransition, MinerCommand
from apps.gpu.models.miners import Miner, MinerTransition
from apps.gpu.models.profiles import ConsumerGPUProfile
from apps.gpu.models.queue import FairShare, Work
from apps.gpu.models.queue_heads import ClassHeads
from apps.gpu.models.requirement_classes import RequirementClass
from apps.gpu.models.reservations import Reservation
from apps.gpu.models.telemetry import EdgeGPUMetrics
from apps.gpu.models.uptime import MinerHour, WatchedHour

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
    "MinerCommand",
    "MinerTransition",
    "CommandTransition",
    "Outbox",
    "RequirementClass",
    "Reservation",
    "WatchedHour",
    "Work",
]
