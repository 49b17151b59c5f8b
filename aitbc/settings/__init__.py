"""Settings: the environment decides; the parts are split by what they are about, and read in this order."""

from aitbc.settings.api import *  # noqa: F403
from aitbc.settings.base import *  # noqa: F403
from aitbc.settings.databases import *  # noqa: F403
from aitbc.settings.logging import *  # noqa: F403
from aitbc.settings.tasks import *  # noqa: F403
