from apps.gpu.views.gpus import CardViewSet, EdgeGpuViewSet, OrderViewSet, StatusViewSet
from apps.gpu.views.miner_protocol import MinerDoorViewSet
from apps.gpu.views.miners import BackendViewSet, MinerViewSet

__all__ = [
    "BackendViewSet",
    "CardViewSet",
    "EdgeGpuViewSet",
    "MinerDoorViewSet",
    "MinerViewSet",
    "OrderViewSet",
    "StatusViewSet",
]
