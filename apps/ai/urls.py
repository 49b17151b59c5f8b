"""Every route of the ai domain, below its prefix."""

from rest_framework.routers import SimpleRouter

from apps.ai.views.artifacts import ArtifactViewSet
from apps.ai.views.jobs import JobViewSet
from apps.ai.views.operator_jobs import AdminJobViewSet

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("jobs", JobViewSet, basename="job")
router.register("artifacts", ArtifactViewSet, basename="artifact")
router.register("admin/jobs", AdminJobViewSet, basename="admin-job")

urlpatterns = router.urls
