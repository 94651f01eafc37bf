"""``python -m napari_pixcell``: the same as ``napari-pixcell``."""

import sys

from napari_pixcell.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
