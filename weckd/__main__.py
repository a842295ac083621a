"""`python -m weckd`: the command line, where the package is not installed."""

import sys

from weckd.cli import main

sys.exit(main())
