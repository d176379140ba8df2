"""How often detectors alarm when nothing changes, how soon when something does, and what they cost: ours and others'.

    python benchmarks/detectors.py --quick                  # minutes
    python benchmarks/detectors.py --size medium            # half an hour
    python benchmarks/detectors.py                          # hours; interrupted, it goes on where it was
    python benchmarks/detectors.py --report --plots --write # tables and plots of docs/detectors.md, of what there is

Ours are measured at their defaults and calibrated to a run length (events per false alarm, over all features together),
without `min_effect`; River's, Frouros' and CapyMOA's at their defaults (see benchmarks/README.md on how to install the
latter two); then the usual mistake, SciPy's test at alpha 0.05 again and again, and two that look at nothing.

False alarms: on streams that stay as they are, events per alarm. Of calibrated ones the ratio to what was stated, and
its 95% confidence interval, as the number of alarms is Poisson's. Their alarms count from the first event of a new
stream, as many events as are stated, over and over; those of others in one long stream. A measurement ends after 50
(quick), 100 (medium) or 400 alarms. Delay: mean / median of the events from a change to the first alarm, in runs of
their own, without those that had alarmed before (where most had, all count, which a star says); "1.5x" is the mean over
the least that is possible at the detector's own measured run length: the events whose information about the change is
ln(run length). Missed: no alarm after 10,000 events (full: 20,000). Cost: the time per value over that of River's
ADWIN, in turns. Detectors that take half a millisecond per value get an eighth, tenth or fifth of the events and runs.

Every cell has a fixed seed and is kept in benchmarks/state/ under a digest of what it depends on: its sizes, the code
of our detectors, the other libraries' versions. All contenders see the same streams.
"""

import importlib
import sys
from pathlib import Path

HERE = str(Path(__file__).parent)
# This script has the name of a package, which its own folder must not hide.
sys.path[:] = [*(folder for folder in sys.path if folder != HERE), HERE]

if __name__ == "__main__":
    from detecting.command import main

    main(__doc__ or "")
elif __name__ == "detectors":  # another script of this folder means the package
    del sys.modules[__name__]
    sys.modules[__name__] = importlib.import_module(__name__)
