"""The benchmarks on a few rows: everybody runs, everybody does the same work. What they cost is measured in benchmarks/ alone."""

import json
import math
import runpy
import sys
from dataclasses import replace
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


WATCHED_PROGRAMS = sorted(
    path.stem for path in (BENCHMARKS / "watch_programs").glob("*.py") if path.stem != "stopwatch"
)


def run_of(
    processor: float,
    *,
    peak_mb: float = 300.0,
    processor_wall: float = 3.0,
    told: float | None = None,
    started: float = 1.0,
):
    make = import_module("watched").Run
    whole, each = 1.5 * processor, (processor, processor, processor)
    return make(3, 2 * processor, processor, 0.5, 4.0, processor_wall, peak_mb, told, whole, started, each)


def test_every_program_is_listed():
    watched = import_module("watched")
    assert sorted([*watched.PROGRAMS, watched.START]) == WATCHED_PROGRAMS


@pytest.mark.parametrize("name", WATCHED_PROGRAMS)
def test_a_program_times_its_steps(
    name: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    if name == "digits":
        monkeypatch.syspath_prepend(str(request.getfixturevalue("torchvision_folder")))
    monkeypatch.syspath_prepend(str(BENCHMARKS / "watch_programs"))
    monkeypatch.setattr(import_module("stopwatch"), "STEPS", 23)
    state = torch.get_rng_state()
    try:
        runpy.run_path(str(BENCHMARKS / "watch_programs" / f"{name}.py"), run_name="__main__")
    finally:
        torch.set_rng_state(state)
    printed = capsys.readouterr().out
    found = json.loads(printed)
    if name == "nothing":
        assert found["started"] > 0
        return
    assert found["steps"] == {"scores": 2 * 23, "two_layer": 10 * 23, "digits": 3 * 23}.get(name, 23) - 20
    assert found["whole"] > 0
    assert found["seconds"] > 0
    assert found["processor"] >= 0
    assert len(found["each"]) == found["steps"]
    assert found["seconds"] == pytest.approx(sum(found["each"]) / found["steps"])
    assert math.isfinite(found["score"])


def test_what_watching_costs_is_a_row_for_each_program_and_one_for_each_limit():
    watched = import_module("watched")
    slow = [
        watched.Pair(run_of(1e-3), run_of(1.02e-3, peak_mb=350, processor_wall=4.0, told=0.45)),
        watched.Pair(run_of(2e-3), run_of(2.20e-3, peak_mb=360, processor_wall=4.0, told=0.55)),
        watched.Pair(run_of(1e-3), run_of(1.04e-3, peak_mb=340, processor_wall=4.0, told=0.50)),
    ]
    short = [watched.Pair(run_of(80e-6), run_of(96e-6, processor_wall=3.6))]
    start = [watched.Pair(run_of(1.0), run_of(1.0, processor_wall=3.25, started=1.2))]
    text = watched.text({"cnn": slow, "tiny": short, "nothing": start})
    rows = {" ".join(line.split()) for line in text.splitlines()}
    assert "two convolutions, batch norm, AdamW 1,000 1,040 40.0 1.040 1.04 1.02 to 1.10 +50 0.67" in rows
    assert "1,000 tiny steps of nn.Linear 80 96 16.0 1.200 1.20 1.20 to 1.20 +0" in rows
    assert "ratio of longer steps, median of the programs 1.040× at most 1.03× missed" in rows
    assert "ratio of longer steps, worst program 1.040× at most 1.1× met" in rows
    assert "steps under 100 µs, worst program 16.0 µs at most 15 µs missed" in rows
    assert "start, over importing torch 0.20 s at most 0.3 s met" in rows
    assert "start and end of a program that trains nothing 0.25 s" in rows
    assert "memory, worst program 50.0 MB at most 100 MB met" in rows
    assert not any("--fast" in row for row in rows)


def test_a_step_that_took_long_in_one_round_does_not_count():
    watched = import_module("watched")
    plain, spoilt = run_of(1e-3), replace(run_of(1.1e-3), each=(1.1e-3, 9.0, 1.1e-3))
    pairs = [watched.Pair(plain, run_of(1.1e-3)), watched.Pair(plain, spoilt), watched.Pair(plain, run_of(1.1e-3))]
    rows = {" ".join(line.split()) for line in watched.text({"cnn": pairs}).splitlines()}
    assert "two convolutions, batch norm, AdamW 1,000 1,100 100.0 1.100 1.10 1.10 to 1.10 +0" in rows


def test_fast_loading_is_compared_with_the_plain_program():
    watched = import_module("watched")
    text = watched.markdown({"digits": [watched.Pair(run_of(4e-3), run_of(4e-3), run_of(1e-3))]})
    assert "| --fast, an epoch after the first steps | 4.000× | at least 3.5× | met |" in text.splitlines()
    assert (
        "| --fast, the same as torchvision gives it, three epochs from the first step on | 4.000× |  |  |"
        in text.splitlines()
    )


def test_without_torchvision_its_program_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    watch = import_module("watch")
    measured = []
    monkeypatch.setattr(watch, "find_spec", lambda name: None)
    monkeypatch.setattr(watch, "measure", lambda name, *_: measured.append(name) or [])
    monkeypatch.setattr(watch.watched, "text", lambda found: "")
    watch.main([])
    assert "digits is left out: torchvision is not installed" in capsys.readouterr().err
    assert measured == [name for name in [*watch.PROGRAMS, watch.START] if name != "digits"]
    with pytest.raises(SystemExit):
        watch.main(["digits"])
    assert "digits needs torchvision, which is not installed" in capsys.readouterr().err


def test_a_watched_program_ends_with_the_same_loss(capsys: pytest.CaptureFixture[str]):
    import_module("watch").main(["tiny", "nothing", "--rounds", "1", "--steps", "40", "--json"])
    said = capsys.readouterr()
    found = json.loads(said.out)
    (pair,) = found["programs"]["tiny"]
    assert pair["plain"]["steps"] == pair["watched"]["steps"] == 20
    assert pair["plain"]["score"] == pair["watched"]["score"]
    assert pair["plain"]["told"] is None
    assert pair["watched"]["told"] > 0
    (start,) = found["programs"]["nothing"]
    assert start["watched"]["processor_wall"] > 0
    assert "1,000 tiny steps of nn.Linear" in said.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["softmaks"], "there is no program softmaks; the programs are scores, line, softmax, layers"),
        (["--rounds", "0"], "--rounds takes a number from 1 up"),
        (["--steps", "20"], "--steps takes a number from 21 up: the first 20 do not count"),
    ],
)
def test_what_the_benchmark_of_watching_cannot_do(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        import_module("watch").main(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_programs_that_end_differently_are_no_comparison(monkeypatch: pytest.MonkeyPatch):
    watch = import_module("watch")
    losses = iter([0.5, 0.25])
    monkeypatch.setattr(watch, "run_once", lambda *_: replace(run_of(1e-3), score=next(losses)))
    with pytest.raises(import_module("child").ChildFailedError, match=r"line does not end with the same loss: .*0\.25"):
        watch.measure("line", 1)


def test_a_page_has_a_place_for_each_script(tmp_path: Path):
    tables = import_module("tables")
    page = tmp_path / "page.md"
    mark = tables.BEGIN.replace("train.py", "watch.py")
    page.write_text(f"{tables.BEGIN}\nold\n{tables.END}\n{mark}\nold too\n{tables.END}\n", encoding="utf-8")
    tables.write_into(page, "of watching", of="watch.py")
    lines = page.read_text(encoding="utf-8").splitlines()
    assert "old" in lines
    assert "old too" not in lines
    assert lines.index("of watching") > lines.index(mark)
