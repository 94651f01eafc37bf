"""Where the next dataset is made: one line, and details that fold out."""

from __future__ import annotations

from qtpy.QtWidgets import QLabel, QLineEdit, QWidget

from napari_pixcell.studio.datasets.outside import OutsideRuns
from napari_pixcell.studio.datasets.place import CLUSTER, HERE, MOST_PROCESSES, PLACES, PROCESSES
from napari_pixcell.ui.arrange import boxed, column, row
from napari_pixcell.ui.bind import bind
from napari_pixcell.ui.dialogs import ask_file
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.widgets import AMBER, Text, button, combo, number

NARROW = 74  # px of a spin box


class PlacePanel(QWidget):
    """Chooses where datasets are made, and says what that means."""

    def __init__(self, runs: OutsideRuns) -> None:
        super().__init__()
        self._runs = runs
        place = runs.place
        places = {name: f"{words[:1].upper()}{words[1:]}" for name, words in PLACES.items()}
        tip = "Where pairs are made. Processes of this machine or a cluster outlive the window"
        self.where = combo(tip, places, "Where to make it")
        tip = "Number of processes. Each loads the models"
        self.processes = number(1, MOST_PROCESSES, tip, width=NARROW)
        self.processes.setAccessibleName(tr("Number of processes"))
        self.processes.setFixedWidth(NARROW)
        tip = "Numbers of the GPUs, such as 1,2. Without any: all but GPU 0, which the window uses"
        self.gpus = QLineEdit()
        self.gpus.setToolTip(tr(tip))
        self.gpus.setAccessibleName(tr("GPUs"))
        tip = "A cluster file (cluster.toml), or the address of a Dask scheduler"
        self.cluster = QLineEdit()
        self.cluster.setToolTip(tr(tip))
        self.cluster.setAccessibleName(tr("Cluster file or scheduler"))
        self.cluster.setPlaceholderText("cluster.toml or tcp://host:8786")
        tip = "Choose a cluster file"
        self.choose_button = button("Choose…", tip, self.choose)
        bind(self.where, place, "where")
        bind(self.processes, place, "processes")
        bind(self.gpus, place, "gpus")
        bind(self.cluster, place, "cluster")
        self._gpu_line = boxed(row(QLabel(tr("GPUs")), self.gpus, stretch=1))
        self._cluster_line = boxed(row(self.cluster, self.choose_button, stretch=0))
        self.meaning = Text(small=True)
        line = row(QLabel(tr("Where")), self.where, self.processes, stretch=1)
        line.setSpacing(3)  # the longest entry needs the width
        column(self, line, self._gpu_line, self._cluster_line, self.meaning, spacing=3)

    def choose(self) -> None:
        def chosen(path: object) -> None:
            self._runs.place.cluster = str(path)

        ask_file(self, "Cluster file", "Cluster files (*.toml)", chosen)

    def refresh(self) -> None:
        place, gpus = self._runs.place, self._runs.gpus or []
        if place.where == PROCESSES:
            self._runs.find_gpus()
        several = len(gpus) > 1
        self.processes.setVisible(place.where == PROCESSES and not several)
        self._gpu_line.setVisible(place.where == PROCESSES and several)
        self.gpus.setPlaceholderText(",".join(map(str, range(1, len(gpus)))))
        self._cluster_line.setVisible(place.where == CLUSTER)
        self.meaning.say("" if place.where == HERE else place.words(gpus))
        self.meaning.tint(AMBER if place.why_not(gpus) else "")
