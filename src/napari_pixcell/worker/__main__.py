"""Entry point of the worker process, which :class:`~.client.WorkerClient` starts."""

from napari_pixcell.worker.process import main

if __name__ == "__main__":
    main()
