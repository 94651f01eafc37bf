"""``python -m napari_pixcell.worker``: started by :class:`~.client.WorkerClient`."""

from napari_pixcell.worker.process import main

if __name__ == "__main__":
    main()
