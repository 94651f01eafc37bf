"""``napari-pixcell`` as a program whose engines draw, named by PIXCELL_TEST_ENGINE."""

from __future__ import annotations

import os
import sys

import parallel_engines

from napari_pixcell.cli import dataset, dataset_processes
from napari_pixcell.cli.main import main
from napari_pixcell.datasets.runs import detaching

ENGINE = "PIXCELL_TEST_ENGINE"
PROGRAM = (sys.executable, __file__)

if __name__ == "__main__":
    chosen = getattr(parallel_engines, os.environ.get(ENGINE, "whole"))
    dataset.engine = dataset_processes.engine = chosen
    dataset_processes.start_engine = chosen
    detaching.PROGRAM = PROGRAM
    sys.exit(main())
