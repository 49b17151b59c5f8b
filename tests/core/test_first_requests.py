"""What a fresh web process does once, before several requests can do it at the same time."""

import subprocess
import sys

import pytest

LEFT_TO_THE_FIRST_REQUEST = """
import django

django.setup()
import aitbc.urls
from drf_spectacular.plumbing import OpenApiGeneratorExtension

kinds = OpenApiGeneratorExtension.__subclasses__()
assert len(kinds) >= 5, kinds
print([one.__name__ for kind in kinds for one in kind._registry if isinstance(one.target_class, str)])
"""


@pytest.mark.no_db
def test_the_routes_leave_no_extension_of_the_schema_to_the_first_request():
    """Two first requests at once were 500 for one of them (AttributeError in drf_spectacular)."""
    done = subprocess.run([sys.executable, "-c", LEFT_TO_THE_FIRST_REQUEST], capture_output=True, text=True)

    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
