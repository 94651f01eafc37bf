"""``python -m napari_pixcell.cli``."""

import sys

from napari_pixcell.cli.main import main

sys.exit(main())
