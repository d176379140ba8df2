"""For all tests."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

# A worker that a test forks imports its way through the path; last in it, so that the installed package is tested.
sys.path.append(str(Path(__file__).parents[1]))

# A test run started in the background of a shell ignores Ctrl-C, and so would every command that a test starts to see
# what it does on Ctrl-C. A handler is not inherited, an ignored signal is.
signal.signal(signal.SIGINT, signal.default_int_handler)
