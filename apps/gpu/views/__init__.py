from apps.gpu.views.doors import MinerDoorViewSet
from apps.gpu.views.records import BackendViewSet, MinerViewSet

__all__ = ["BackendViewSet", "MinerDoorViewSet", "MinerViewSet"]
