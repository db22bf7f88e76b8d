"""``python -m gen2studio``."""

import sys

from gen2studio.cli.main import main

sys.exit(main())
