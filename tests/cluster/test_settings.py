"""Cluster files, and the job scripts that follow from them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from napari_pixcell.cluster.jobs import KINDS, Jobs, job_options
from napari_pixcell.cluster.settings import ClusterSettings
from napari_pixcell.errors import PixCellError

DOCUMENTED = Path(__file__).parents[2] / "docs" / "how-to" / "clusters.md"


def examples() -> list[str]:
    return re.findall(r"```toml\n(.*?)```", DOCUMENTED.read_text("utf-8"), re.DOTALL)


def script(settings: ClusterSettings) -> str:
    """Return the job script that dask-jobqueue submits."""
    options = job_options(settings)
    del options["scheduler_options"]
    job = KINDS[settings.kind].job_cls(scheduler="tcp://head:1", name="worker", **options)
    return str(job.job_script())


def test_the_documentation_has_an_example_of_each_kind() -> None:
    found = [ClusterSettings.of(tomllib.loads(text), "cluster.toml") for text in examples()]
    assert sorted(one.kind for one in found) == sorted(KINDS)
    assert all(text.count("  # ") >= 2 for text in examples())
    for settings in found:
        assert "distributed.cli.dask_worker tcp://head:1" in script(settings)


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        (
            "slurm",
            (
                "#SBATCH -p gpu",
                "#SBATCH -A lab",
                "#SBATCH --cpus-per-task=4",
                "#SBATCH --mem=15G",  # SLURM's are 1024³ bytes
                "#SBATCH -t 02:00:00",
                "#SBATCH --gres=gpu:1",
                "#SBATCH --exclusive",
            ),
        ),
        (
            "pbs",
            (
                "#PBS -q gpu",
                "#PBS -A lab",
                "#PBS -l select=1:ncpus=4:mem=15259mb:ngpus=1",
                "#PBS -l walltime=02:00:00",
                "#PBS --exclusive",
            ),
        ),
        (
            "lsf",
            (
                "#BSUB -q gpu",
                '#BSUB -P "lab"',
                "#BSUB -n 4",
                "#BSUB -W 02:00",
                '#BSUB -gpu "num=1"',
                "#BSUB --exclusive",
            ),
        ),
    ],
)
def test_a_job_script_asks_for_what_the_file_names(kind: str, lines: tuple[str, ...]) -> None:
    settings = ClusterSettings(
        kind,
        cores=4,
        memory="16 GB",
        gpus=1,
        walltime="02:00:00",
        queue="gpu",
        account="lab",
        directives=("--exclusive",),
        prologue=("module load cuda",),
    )
    written = script(settings).splitlines()
    assert [line for line in lines if line not in written] == []
    assert written.index("module load cuda") > written.index("export OMP_NUM_THREADS=4")
    assert "--nthreads 1 " in written[-1] and written[-1].endswith("--lifetime 7080s")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('kind = "slurm"\nqeue = "gpu"', "c.toml has no key “qeue”. Did you mean “queue”?"),
        ('kind = "slurm"\nzzz = 1', "c.toml has no key “zzz”. Choose from: kind, least_workers,"),
        ('queue = "gpu"', "c.toml lacks “kind”. Add it: one of local, slurm, pbs, lsf."),
        ('kind = "sge"', "“kind” of c.toml does not fit. Choose one of: local, slurm, pbs, lsf."),
        ('kind = "pbs"\ncores = "4"', "“cores” of c.toml does not fit. Use a whole number."),
        ('kind = "pbs"\ncores = true', "“cores” of c.toml does not fit. Use a whole number."),
        ('kind = "pbs"\ncores = 0', "“cores” of c.toml does not fit. Use a number from 1"),
        ('kind = "pbs"\nmemory = 16', "“memory” of c.toml does not fit. Use text."),
        ('kind = "pbs"\nmemory = "16"', "“memory” of c.toml does not fit. Use a size such as 16"),
        ('kind = "pbs"\ngpus = 4', "“gpus” of c.toml does not fit. Use 0 or 1:"),
        ('kind = "pbs"\nmost_workers = 0', "“most_workers” of c.toml does not fit."),
        ('kind = "pbs"\nleast_workers = 2', "“least_workers” of c.toml does not fit."),
        ('kind = "pbs"\nwalltime = "2h"', "“walltime” of c.toml does not fit. Use hours,"),
        ('kind = "pbs"\nwalltime = "00:05:00"', "“walltime” of c.toml does not fit."),
        ('kind = "pbs"\nqueue = "a b"', "“queue” of c.toml does not fit. Use a name"),
        ('kind = "pbs"\nprologue = "x"', "“prologue” of c.toml does not fit. Use a list of texts."),
        ('kind = "pbs"\nprologue = ["a\\nb"]', "“prologue” of c.toml does not fit. Use lines of"),
        ('kind = "pbs"\ndashboard = 1', "“dashboard” of c.toml does not fit. Use true or false."),
        ("kind =", "c.toml is not valid TOML: "),
        ("\ufeffkind = 1\x00", "c.toml is not valid TOML: "),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(PixCellError) as refused:
        ClusterSettings.load(path)
    assert str(refused.value).startswith(sentence) and "\n" not in str(refused.value)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PixCellError):
        ClusterSettings.load(tmp_path / "none.toml")
    (tmp_path / "c.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(PixCellError, match=r"c.toml is not valid TOML"):
        ClusterSettings.load(tmp_path / "c.toml")


def test_a_scheduler_on_a_missing_interface_is_a_sentence() -> None:
    settings = ClusterSettings(kind="slurm", memory="1 GB", interface="lacking0")
    with pytest.raises(PixCellError, match=r"cannot be started: .*lacking0.*Check “interface” and"):
        Jobs(settings)
