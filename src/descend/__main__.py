"""``python -m descend`` is ``descend``."""

import os
import sys

if not sys.flags.safe_path:
    # Python has put the current folder here: a person's own queue.py must not stand in for the one that we import.
    sys.path[0] = os.path.dirname(sys.executable)  # noqa: PTH120 - as for the command `descend`

from descend.cli import main

sys.exit(main())
