"""`python -m brushnet`, which is also how Lightning starts the other processes of a run on several devices."""

import sys

from brushnet.cli import main

if __name__ == "__main__":
    sys.exit(main())
