"""What holds for every test."""

import os

from hypothesis import settings

# Time limits on single examples would fail on a busy machine, not on a fault.
settings.register_profile("descend", deadline=None)
settings.load_profile("descend")

# A person's own setting must not move the runs that tests make.
os.environ.pop("DESCEND_RUNS", None)
