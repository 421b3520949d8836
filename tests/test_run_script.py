"""``descend run``: a watched program does, prints and leaves exactly what it does under Python alone."""

import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest

from descend.record.reader import Reader

PROGRAMS = Path(__file__).parent / "programs"

# Program, its arguments, and the steps that the record must have.
TRAININGS = [
    ("accumulation", [], 6),
    ("gan", [], 10),
    ("several_backwards", [], 4),
    ("manual_updates", [], 6),
    ("mixed_precision", [], 4),
    ("k_fold", [], 9),
    ("custom_function", [], 4),
    ("own_hooks", [], 2),
    ("own_modes", [], 5),
    ("by_hand", [], 30),
    ("in_a_thread", [], 4),
    ("lbfgs", [], 3),
    ("functional", [], None),
    ("per_sample", [], 4),
    ("threads", [], 120),
    ("trains_nothing", [], 0),
]
ENDINGS = {
    "twice": "failed",
    "shape": "failed",
    "chained": "failed",
    "group": "failed",
    "hook": "failed",
    "exit": "failed",
    "exit with words": "failed",
    "interrupt": "interrupted",
    "exit at once": "died",
    "kill": "died",
}

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
needs_compiler = pytest.mark.skipif(
    shutil.which("c++") is None and shutil.which("g++") is None, reason="no C++ compiler, which inductor needs"
)


def _take_interrupts():
    """A shell lets what it starts in the background ignore them, and that is inherited."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Ended:
    """What a program left behind."""

    def __init__(self, command, folder, stdin=""):
        folder.mkdir(exist_ok=True)
        environment = {**os.environ, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            command,
            cwd=folder,
            input=stdin,
            capture_output=True,
            text=True,
            env=environment,
            timeout=300,
            check=False,
            preexec_fn=_take_interrupts if os.name == "posix" else None,
        )
        self.stdout, self.stderr, self.status = done.stdout, done.stderr, done.returncode
        self.files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        shutil.rmtree(folder)


@pytest.fixture
def start(tmp_path):
    """Starts words after ``python`` or after ``descend run``; both in the same folder, which begins empty."""

    def start(*words, watched=False, stdin="", flags=(), own=("--quiet",), prepare=lambda folder: None):
        folder = tmp_path / "here"
        folder.mkdir()
        prepare(folder)
        ours = ("-m", "descend", "run", "--runs", str(tmp_path / "runs"), *own) if watched else ()
        return Ended([sys.executable, *flags, *ours, *map(str, words)], folder, stdin)

    return start


@pytest.fixture
def both(start, tmp_path):
    """The same words under Python and under watch, compared; gives what was left the second time.

    Python's own process that clears up after spawned ones finds a semaphore now and then that a worker was ended with, watched or not.
    What finds one is run again: a leak of ours would be there every time.
    """

    def ended(*words, **options):
        for _ in range(3):
            shutil.rmtree(tmp_path / "runs", ignore_errors=True)
            found = start(*words, **options)
            if "resource_tracker: " not in found.stderr:
                break
        return found

    def both(*words, **options):
        plain = ended(*words, **options)
        watched = ended(*words, watched=True, **options)
        assert watched.stderr == plain.stderr
        assert watched.stdout == plain.stdout
        assert watched.status == plain.status
        assert watched.files == plain.files
        return watched

    return both


@pytest.fixture
def record(tmp_path):
    """Opens the record of the one run."""

    def record():
        (folder,) = (tmp_path / "runs").iterdir()
        return Reader(folder)

    return record


@pytest.mark.parametrize(("program", "arguments", "steps"), TRAININGS, ids=[each[0] for each in TRAININGS])
def test_the_same_bits_with_and_without_watching(program, arguments, steps, both, record):
    watched = both(PROGRAMS / f"{program}.py", *arguments)
    assert watched.status == 0
    with record() as found:
        assert found.info.kind == "run"
        assert found.status == "finished"
        assert found.info.report["title"] == f"{program}.py"
        assert str(PROGRAMS / f"{program}.py") in found.sources()
        if steps is not None:
            assert len(found.steps().step) == steps
            assert found.info.report["steps"] == steps


def test_what_several_threads_train_is_told_in_one_row_and_no_fault(start, record):
    assert start(PROGRAMS / "threads.py", watched=True).status == 0
    with record() as found:
        report = found.info.report
    assert [each["code"] for each in report["findings"] if each["code"].startswith("D1")] == []
    assert [each["what"] for each in report["unseen"]] == ["faults of what other threads train"]
    assert [each["steps"] for each in report["trainings"]] == [120]


@pytest.mark.parametrize("how", ENDINGS)
def test_every_way_to_end(how, both, record):
    watched = both(PROGRAMS / "crashes.py", how)
    assert "descend" not in watched.stderr
    assert watched.status != 0
    with record() as found:
        assert found.status == ENDINGS[how]
        if ENDINGS[how] != "died":
            assert len(found.steps().step) == 3


def test_interrupted_means_killed_by_the_signal_as_shells_expect(both):
    assert both(PROGRAMS / "crashes.py", "interrupt").status == -signal.SIGINT


@pytest.mark.parametrize("words", [[], ["--help"], ["--lr", "3", "--json"], ["--", "-m", "--name=x", "a b", ""]])
def test_all_after_the_script_is_its_own(words, both):
    assert both(PROGRAMS / "surroundings.py", *words, stdin="first\nsecond").status == 0


@pytest.mark.parametrize("flags", [["-O"], ["-P"], ["-W", "error::UserWarning"], ["-Xutf8", "-I"], ["-B", "-u"]])
def test_flags_of_python_hold(flags, both):
    if "-I" in flags and "PYTHONPATH" in os.environ:
        pytest.skip("isolated from the folder that descend is found by")
    assert both(PROGRAMS / "surroundings.py", "x", flags=flags).status == 0


def test_a_script_given_by_a_link_or_a_crooked_path(both, tmp_path):
    def prepare(folder):
        (folder / "link.py").symlink_to(PROGRAMS / "surroundings.py")
        (folder / "sub").mkdir()

    assert both("link.py", prepare=prepare).status == 0
    assert both("./sub/../link.py", prepare=prepare).status == 0


def test_a_module_is_run_as_python_does(both):
    def prepare(folder):
        package = folder / "package"
        package.mkdir()
        (package / "__init__.py").write_text("print('package', __name__)\n")
        (package / "other.py").write_text("value = 5\n")
        (package / "__main__.py").write_text("from .other import value\nprint(__name__, __spec__.name, value)\n")
        (package / "part.py").write_text(
            "import sys\nfrom . import other\nprint(__name__, __package__, sys.argv, sys.path[0], other.value, __cached__)\n1 / 0\n"
        )

    assert both("-m", "package", prepare=prepare).status == 0
    assert both("-m", "package.part", "--quiet", "x", prepare=prepare).status == 1
    assert both("-m", "package.missing", prepare=prepare).status == 1
    assert both("-m", "no_such_module", prepare=prepare).status == 1


@pytest.mark.parametrize(
    "content",
    [None, b"def f(:\n", b"\x00\x01\x02", b"\xff\xfe", b"# coding: nonsense\n", b"x = 1\n  y = 2\n", b"return 5\n"],
)
def test_what_is_no_python_gives_what_python_gives(content, both, tmp_path):
    def prepare(folder):
        if content is not None:
            (folder / "train.py").write_bytes(content)

    assert both("train.py", prepare=prepare).status in (1, 2)
    assert not (tmp_path / "runs").exists()


def test_a_folder_gives_what_python_gives(both, tmp_path):
    assert both(".").status == 1
    assert not (tmp_path / "runs").exists()


def test_warnings_of_the_compiler_and_of_the_program_come_once(both):
    def prepare(folder):
        (folder / "train.py").write_text(
            'import warnings\nassert (1, "always true")\nprint(1 is 1)\n'
            'def f():\n    warnings.warn("mine", stacklevel=2)\nf()\nf()\nwarnings.warn("here")\n'
        )

    assert "mine" in both("train.py", prepare=prepare).stderr


def test_modules_beside_the_script_come_first_as_always(both):
    def prepare(folder):
        (folder / "queue.py").write_text("print('my queue')\n")
        (folder / "rich").mkdir()
        (folder / "rich" / "__init__.py").write_text("print('my rich')\n")
        (folder / "train.py").write_text("import queue, rich\nprint(queue.__file__, rich.__file__)\n")

    assert "my rich" in both("train.py", prepare=prepare).stdout


def test_what_is_set_before_torch_is_imported_holds(both):
    def prepare(folder):
        (folder / "train.py").write_text(
            "import os, sys\nassert 'torch' not in sys.modules\nos.environ['OMP_NUM_THREADS'] = '2'\n"
            "import torch\nprint(torch.get_num_threads(), torch.__spec__.loader.exec_module.__module__)\n"
        )

    assert both("train.py", prepare=prepare).stdout.startswith("2 ")


@needs_fork
def test_files_forks_and_folders_are_the_scripts_business(both, record):
    watched = both(PROGRAMS / "files.py")
    assert watched.files["rest.txt"] == b"to a file\n"
    with record() as found:
        assert found.status == "finished"
        assert found.steps().step == [1, 2, 3]


@pytest.mark.parametrize("method", ["spawn", pytest.param("fork", marks=needs_fork)])
def test_workers_of_a_loader(method, both, record):
    watched = both(PROGRAMS / "workers.py", method)
    assert watched.status == 0
    with record() as found:
        assert len(found.steps().step) == 6


_ELSEWHERE = """
import torch
w = torch.zeros(1, requires_grad=True)
def begin(number):
    global epoch
    epoch = number
body = compile('''
for _ in range(50):
    ((w - 3) ** 2).sum().backward()
    with torch.no_grad():
        w -= 0.01 * w.grad
        w.grad = None
''', "body.py", "exec")
"""


@pytest.mark.parametrize("head", ["for epoch in range(4):", "for number in range(4):\n    begin(number)"])
def test_epochs_are_counted_by_a_variable_that_other_code_sets(head, both, record, tmp_path):
    script = tmp_path / "elsewhere.py"
    script.write_text(f"{_ELSEWHERE}{head}\n    exec(body)\nprint(w.item())\n", encoding="utf-8")
    both(script)
    with record() as found:
        assert found.steps().epoch == [epoch for epoch in range(1, 5) for _ in range(50)]


def test_processes_that_the_script_starts_train_unwatched(both, record):
    watched = both(PROGRAMS / "distributed.py")
    assert watched.status == 0
    assert sorted(watched.files) == ["rank0.txt", "rank1.txt"]
    with record() as found:
        assert found.steps().step == []


@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=needs_compiler)])
def test_compiled_models(backend, both, record):
    if find_spec("torch._dynamo") is None:
        pytest.skip("this torch cannot compile")
    watched = both(PROGRAMS / "compiled.py", backend)
    assert watched.status == 0
    with record() as found:
        assert len(found.steps().step) == 4


def test_what_is_ours_comes_on_stderr_when_all_has_ended(start, tmp_path):
    plain = start(PROGRAMS / "in_a_thread.py")
    shown = start(PROGRAMS / "in_a_thread.py", watched=True, own=("--name", "threads", "--json", "report.json"))
    assert shown.stdout == plain.stdout
    assert shown.stderr.startswith(plain.stderr)
    assert "threads" in shown.stderr[len(plain.stderr) :]
    report = json.loads(shown.files["report.json"])
    assert report["run"] == "threads"
    assert report["steps"] == 4
    assert report["path"] == str(tmp_path / "runs" / "threads")


def test_a_record_that_cannot_be_made_stops_nothing(start, tmp_path):
    (tmp_path / "runs").write_text("a file where a folder should be")
    plain = start(PROGRAMS / "manual_updates.py")
    quiet = start(PROGRAMS / "manual_updates.py", watched=True)
    assert (quiet.stdout, quiet.stderr, quiet.status) == (plain.stdout, plain.stderr, plain.status)
    shown = start(PROGRAMS / "manual_updates.py", watched=True, own=("--json", "report.json"))
    assert shown.stdout == plain.stdout
    assert shown.status == 0
    assert " ".join(shown.stderr.split()).count("othing") >= 1
    report = json.loads(shown.files["report.json"])
    assert report["run"] is None
    assert "cannot be made" in report["not_kept"]


def test_a_report_that_cannot_be_written_is_said(start, tmp_path):
    shown = start(PROGRAMS / "trains_nothing.py", watched=True, own=("--json", "no/such/report.json"))
    assert shown.status == 0
    assert "descend: cannot write report.json: no such file or directory" in shown.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "there is nothing to run"),
        (["--quiet"], "there is nothing to run"),
        (["--fats", "x.py"], "run has no flag '--fats' (did you mean '--fast'?)"),
        (["--pause", "soon", "x.py"], "--pause soon: expected the number of a step, first, or nan"),
        (["--pause", "0", "x.py"], "--pause 0: expected the number of a step, first, or nan"),
        (["--name", "last", str(PROGRAMS / "trains_nothing.py")], "a run cannot be called 'last'"),
    ],
)
def test_wrong_words_of_ours_are_told_before_anything_runs(words, message, start, tmp_path):
    ended = start(*words, watched=True, own=())
    assert ended.status == 2
    assert ended.stdout == ""
    assert message in ended.stderr
    assert not list((tmp_path / "runs").glob("*"))


def test_help_is_ours_before_the_script_only(start):
    ended = start("--help", watched=True, own=())
    assert ended.status == 0
    assert "SCRIPT" in ended.stdout


@pytest.mark.parametrize(
    ("program", "own", "typed", "expected"),
    [
        ("manual_updates", ["--pause", "2"], "p loss.item()\nc\n", "paused in step 2"),
        ("manual_updates", ["--pause", "first"], "p of_w.shape\nc\n", "paused in step 1"),
        ("by_hand", ["--pause", "3"], "p epoch + 1000\nc\n", "paused in step 3"),
    ],
)
def test_a_pause_opens_the_debugger_in_the_programs_own_frame(program, own, typed, expected, start):
    plain = start(PROGRAMS / f"{program}.py")
    paused = start(PROGRAMS / f"{program}.py", watched=True, own=("--quiet", *own), stdin=typed)
    assert expected in paused.stderr
    assert f"{program}.py" in paused.stdout
    assert "NameError" not in paused.stdout
    assert paused.status == 0
    assert plain.stdout.splitlines()[-1] in paused.stdout.splitlines()


def test_nan_opens_the_debugger_where_it_first_comes(start):
    program = (
        "import torch\nw = torch.ones(1, requires_grad=True)\nfor epoch in range(9):\n"
        "    loss = (w * (float('nan') if epoch == 3 else 1.0)).sum()\n    loss.backward()\n"
        "    with torch.no_grad():\n        w -= 0.1 * w.grad\n    w.grad = None\nprint('to the end', epoch)\n"
    )

    def prepare(folder):
        (folder / "train.py").write_text(program)

    paused = start(
        "train.py", watched=True, own=("--quiet", "--pause", "nan"), stdin="p 'at', epoch\nc\n", prepare=prepare
    )
    assert "paused in step 4" in paused.stderr
    assert "('at', 3)" in paused.stdout
    assert paused.stdout.endswith("to the end 8\n")
    assert paused.status == 0


def test_quitting_the_debugger_ends_the_program_and_keeps_the_record(start, record):
    paused = start(
        PROGRAMS / "manual_updates.py", watched=True, own=("--quiet", "--pause", "3"), stdin="p loss.item()\nq\n"
    )
    assert paused.status == 1
    assert "Traceback" not in paused.stderr
    assert "BdbQuit" not in paused.stderr
    with record() as found:
        assert found.status == "interrupted"
        assert found.steps().step == [1, 2]


@pytest.mark.parametrize("archive", [False, True], ids=["folder", "zip"])
def test_a_folder_or_an_archive_with_a_main_is_run_and_watched(archive, both, record):
    files = {
        "__main__.py": "import sys, steps\nprint(sys.argv, sys.path[0], __file__, __package__, __spec__.name)\nsteps.train()\n1 / 0\n",
        "steps.py": "import torch\ndef train():\n    w = torch.ones(1, requires_grad=True)\n    for epoch in range(4):\n"
        "        loss = (w * w).sum()\n        loss.backward()\n        w.data -= 0.1 * w.grad\n        w.grad = None\n"
        "    print(w.item())\n",
    }

    def prepare(folder):
        if archive:
            with zipfile.ZipFile(folder / "program", "w") as packed:
                for name, text in files.items():
                    packed.writestr(zipfile.ZipInfo(name), text)
        else:
            (folder / "program").mkdir()
            for name, text in files.items():
                (folder / "program" / name).write_text(text)

    watched = both("program", "--quiet", "x", prepare=prepare)
    assert watched.stdout.startswith("['program', '--quiet', 'x']")
    assert watched.status == 1
    with record() as found:
        assert found.steps().step == [1, 2, 3, 4]
        assert found.info.title == "program"


def test_a_script_beside_a_file_that_is_called_main(both):
    def prepare(folder):
        (folder / "__main__.py").write_text("print('not me')\n")
        (folder / "train.py").write_text("import __main__, sys\nprint(__main__ is sys.modules['__main__'], __name__)\n")

    assert both("train.py", prepare=prepare).stdout == "True __main__\n"


def test_errors_that_the_program_catches_look_as_ever(both):
    def prepare(folder):
        (folder / "train.py").write_text(
            "import logging, traceback\nimport torch\nw, model = torch.ones(2, requires_grad=True), torch.nn.Linear(2, 1)\n"
            "def forward():\n    return model(torch.ones(3, 3))\n"
            "for what in ((w * 2).backward, forward):\n    for _ in range(2):\n        try:\n            what()\n"
            "        except RuntimeError as error:\n            traceback.print_exc()\n            logging.exception('so')\n"
            "            print(''.join(traceback.format_exception(error)))\n"
            "            raised = traceback.TracebackException.from_exception(error)\n            print(len(raised.stack))\n"
        )

    watched = both("train.py", prepare=prepare)
    assert watched.stderr.count("Traceback") == 8


def test_modules_of_the_program_are_kept_as_they_were_when_they_came_up(start, record):
    steps = "def step(w, x):\n    loss = (w * x).square().mean()\n    loss.backward()\n    return loss\n"

    def prepare(folder):
        (folder / "steps.py").write_text(steps)
        (folder / "unused.py").write_text("value = 1\n")
        (folder / "train.py").write_text(
            "import torch, steps, unused\nw = torch.ones(2, requires_grad=True)\nfor _ in range(30):\n"
            "    steps.step(w, torch.ones(2))\n    with torch.no_grad():\n        w -= 0.1 * w.grad\n    w.grad = None\n"
            "with open('steps.py', 'w') as file:\n    file.write('changed')\n"
        )

    assert start("train.py", watched=True, prepare=prepare).status == 0
    with record() as found:
        texts = {Path(file).name: text for file, text in found.sources().items()}
        assert set(texts) == {"train.py", "steps.py"}
        assert texts["steps.py"] == steps
        backward = next(row for row in found.phases() if row.phase == "backward")
        assert (Path(backward.file).name, backward.line) == ("steps.py", 3)
        assert found.info.report["phases"][0]["source"] is not None


@pytest.mark.parametrize("way", ["optimizer", "in place", "data", "new tensors", "by hand"])
@pytest.mark.parametrize("function", [False, True], ids=["module", "function"])
def test_how_far_parameters_moved_is_known_to_the_end(way, function, start, record):
    updates = {
        "optimizer": "optimizer.step(); optimizer.zero_grad()",
        "in place": "w.grad.mul_(0.01); w.requires_grad_(False); w -= w.grad; w.requires_grad_(True); w.grad = None",
        "data": "w.data = w.data - 0.01 * w.grad; w.grad = None",
        "new tensors": "w = (w - 0.01 * w.grad).detach().requires_grad_()",
        "by hand": "w = w - 0.01 * (2 * (w * x - y) * x).mean()",
    }
    loop = [
        "w = torch.zeros(1" + ("" if way == "by hand" else ", requires_grad=True") + ")",
        *(["optimizer = torch.optim.SGD([w], lr=0.01)"] if way == "optimizer" else []),
        "for step in range(57):",
        "    loss = ((w * x - y) ** 2).mean()",
        *([] if way == "by hand" else ["    loss.backward()"]),
        f"    {updates[way]}",
        "print(w.item())",
    ]
    start_of = ["import torch", "x, y = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 5.0])"]
    body = ["def main():", *(f"    {line}" for line in loop), "main()"] if function else loop

    def prepare(folder):
        (folder / "train.py").write_text("\n".join([*start_of, *body, ""]))

    last = float(start("train.py", watched=True, prepare=prepare).stdout)
    with record() as found:
        (parameter,) = found.info.report["parameters"]
        assert found.info.report["steps"] == 57
    assert (parameter["name"], parameter["values_before"]) == ("w", [0.0])
    if function and way in ("data", "new tensors"):  # gone when the program ends, and known from the newest snapshot
        assert parameter["until"] == 10
    else:
        assert (parameter["values"], parameter["until"]) == ([last], None)
        assert parameter["moved"] == last


def test_two_hundred_thousand_tiny_steps(both, tmp_path, record):
    def prepare(folder):
        (folder / "train.py").write_text(
            "import torch\ntorch.manual_seed(0)\nw = torch.zeros(1, requires_grad=True)\nfor step in range(200_000):\n"
            "    loss = (w - 2).square().sum()\n    loss.backward()\n    with torch.no_grad():\n        w -= 1e-5 * w.grad\n"
            "    w.grad = None\n    if step % 10_000 == 0:\n        print(step, loss.item())\nprint(w.item())\n"
        )

    assert both("train.py", prepare=prepare).status == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 50e6
    with record() as found:
        steps = found.steps()
        assert len(steps.step) == 200_000
        assert all(before > after for before, after in pairwise(steps.loss))
        assert found.info.report["steps"] == 200_000
        assert {row.step for row in found.snapshots()} == {10**power for power in range(6)}
