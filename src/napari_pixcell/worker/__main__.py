"""Entry point of the worker process, which :class:`~.client.WorkerClient` starts."""

from napari_pixcell.worker.priority import step_back

if __name__ == "__main__":
    step_back()
    from napari_pixcell.worker.process import main  # imports NumPy

    main()
