"""``python -m lkm`` is the lkm command."""

import sys

from lkm.cli.main import main

sys.exit(main(["lkm", *sys.argv[1:]]))
