"""The benchmarks on a few rows: everybody runs, everybody does the same work. What they cost is measured in benchmarks/ alone."""

import json
import math
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from descend.run import Run

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
ROWS = {"A": 300, "C": 300, "D-linear": 2500, "D-two-layer": 2500}
BATCH = {"A": 64, "C": 64, "D-linear": 1024, "D-two-layer": 1024}
RIVALS = [
    ("A", "dataloader"),
    ("A", "vectorised"),
    ("A", "jax"),
    ("C", "tutorial"),
    ("C", "jax"),
    *((job, name) for job in ("D-linear", "D-two-layer") for name in ("by hand", "vectorised", "dataloader", "jax")),
]


@pytest.fixture(autouse=True)
def _as_a_script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The modules beside train.py, found as they are when it is started; threads and runs of others are left alone."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("DESCEND_RUNS", str(tmp_path))
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def compete(job: str, name: str, epochs: int = 2) -> dict:
    if name == "jax" and find_spec("jax") is None:
        pytest.skip("JAX is not installed")
    return import_module("contender").compete(job, name, epochs, rows=ROWS[job])


def sample(seconds: float | None = 1.0, wall: float = 2.0, processor: float = 3.0, peak_mb: float = 400.0):
    return import_module("child").Sample(seconds, wall, processor, peak_mb, 0.5)


def test_every_contender_of_every_job_is_tried_here():
    jobs = import_module("jobs").JOBS
    named = {(job.key, name) for group in jobs.values() for job in group if job.epochs for name in job.contenders}
    assert named == {*RIVALS, *((job, "descend") for job in ROWS)}


@pytest.mark.parametrize(("job", "name"), RIVALS)
def test_a_contender_measures_itself(job: str, name: str):
    measured = compete(job, name)
    assert len(measured["seconds"]) == 2
    assert all(seconds > 0 for seconds in measured["seconds"])
    assert len(measured["losses"]) == math.ceil(ROWS[job] / BATCH[job])
    assert all(math.isfinite(loss) and loss > 0 for loss in measured["losses"])
    assert math.isfinite(measured["score"])


@pytest.mark.parametrize(
    ("job", "name"),
    [
        ("A", "vectorised"),
        ("C", "tutorial"),
        ("D-linear", "vectorised"),
        ("D-two-layer", "vectorised"),
        ("D-linear", "by hand"),
        ("D-two-layer", "by hand"),
    ],
)
def test_descend_takes_the_same_steps(job: str, name: str):
    report = compete(job, "descend")
    losses = Run(report["path"]).losses
    theirs = compete(job, name)
    assert losses[: len(theirs["losses"])] == pytest.approx(theirs["losses"], rel=1e-6)
    seconds, score = import_module("child").of_report(report)
    assert seconds > 0
    assert score == pytest.approx(theirs["score"], rel=0.01)


def test_a_picture_becomes_a_tensor_as_its_bytes_divided_by_255():
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    tensor = import_module("loops")._to_tensor(Image.fromarray(pixels))
    assert torch.equal(tensor, torch.from_numpy(pixels).float()[None] / 255)


def test_a_process_is_measured_on_a_terminal_of_its_own():
    program = 'import sys; assert sys.stderr.isatty(); b = bytearray(60_000_000); print(\'{"seconds": [1, 3], "score": 0.5}\')'
    found = import_module("child").run([sys.executable, "-c", program], {})
    assert (found.seconds, found.score) == (2, 0.5)
    assert found.wall > 0
    assert 60 < found.peak_mb < 100_000


def test_a_process_that_fails_is_shown():
    child = import_module("child")
    with pytest.raises(child.ChildFailedError, match=r"ended with 3:\s+no such luck"):
        child.run([sys.executable, "-c", "import sys; sys.stderr.write('no such luck'); sys.exit(3)"], {})


def test_ratios_are_taken_round_by_round():
    tables, jobs = import_module("tables"), import_module("jobs")
    (job,) = jobs.JOBS["C"]
    samples = {"descend": [sample(1.0), sample(3.0), sample(1.0)], "tutorial": [sample(2.0), sample(4.0), sample(10.0)]}
    (target,) = tables.result(job, samples)["targets"]
    assert target["rounds"] == [0.5, 0.75, 0.1]
    assert (target["median"], target["at_most"], target["met"]) == (0.5, 0.6, True)


def test_the_table_shows_the_target_beside_what_was_measured():
    tables, jobs = import_module("tables"), import_module("jobs")
    (job,) = jobs.JOBS["A"]
    samples = {
        "descend": [sample(0.5, wall=4.0, peak_mb=560.0)],
        "dataloader": [sample(5.0, wall=24.0)],
        "vectorised": [sample(0.75)],
    }
    text = tables.table(job, samples)
    assert "A · MNIST, 784 → 128 → 10" in text
    rows = {" ".join(line.split()) for line in text.splitlines()}
    assert "DataLoader loop, as tutorials write it 5.000 10.00 24.00 3.00 400 0.5000" in rows
    assert "seconds per epoch, dataloader ÷ descend 10.0 10.0 to 10.0 at least 9 met" in rows
    assert "seconds per epoch, vectorised ÷ descend 1.50 1.50 to 1.50 at least 1.6 missed" in rows
    assert "peak memory, descend 560 560 to 560 at most 550 MB missed" in rows


def test_a_page_gets_its_figures(tmp_path: Path):
    tables, jobs = import_module("tables"), import_module("jobs")
    (job,) = jobs.JOBS["C"]
    page = tmp_path / "page.md"
    page.write_text(f"before\n{tables.BEGIN}\nold\n{tables.END}\nafter\n", encoding="utf-8")
    tables.write_into(page, tables.markdown(job, {"descend": [sample(0.5)], "tutorial": [sample(1.0)]}))
    lines = page.read_text(encoding="utf-8").splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert "old" not in lines
    assert "| tutorial loop: bare tensors, autograd | 1.000 | 2.00 | 2.00 | 3.00 | 400 | 0.5000 |" in lines
    assert "| seconds per epoch, descend ÷ tutorial | 0.50 | 0.50 to 0.50 | at most 0.6 | met |" in lines


def test_a_page_without_a_place_for_figures(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(ValueError, match="has no place for figures"):
        import_module("tables").write_into(page, "text")
    assert page.read_text(encoding="utf-8") == "nothing\n"


def test_a_target_without_its_contender_is_left_out():
    tables, jobs = import_module("tables"), import_module("jobs")
    (job,) = jobs.JOBS["C"]
    assert "target" not in tables.table(job, {"descend": [sample()]})
    assert tables.result(job, {"descend": [sample()]})["targets"][0]["median"] is None


def test_a_job_that_is_not_there(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        import_module("train").main(["B"])
    assert ended.value.code == 2
    assert "there is no job B; the jobs are A, C, D, start" in capsys.readouterr().err


def test_from_the_command_to_one_json_object(capsys: pytest.CaptureFixture[str]):
    import_module("train").main(["C", "--rounds", "1", "--rows", "300", "--without", "jax", "--json"])
    found = json.loads(capsys.readouterr().out)
    (job,) = found["jobs"]
    assert set(job["contenders"]) == {"descend", "tutorial"}
    for (only,) in job["contenders"].values():
        assert only["seconds"] > 0
        assert only["wall"] > only["seconds"]
        assert only["peak_mb"] > 50
    assert job["targets"][0]["median"] > 0
    assert found["machine"]["cores"] >= 1
