from apps.gpu.views.doors import MinerDoorViewSet
from apps.gpu.views.records import BackendViewSet, MinerViewSet
from apps.gpu.views.registry import CardViewSet, EdgeGpuViewSet, OrderViewSet, StatusViewSet

__all__ = [
    "BackendViewSet",
    "CardViewSet",
    "EdgeGpuViewSet",
    "MinerDoorViewSet",
    "MinerViewSet",
    "OrderViewSet",
    "StatusViewSet",
]
