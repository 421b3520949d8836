"""The command line: what each command prints, what it writes, and its exit status."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from descend.cli import main
from descend.data import builtin
from descend.data.catalogue import CATALOGUE
from descend.errors import RecordError, UsageError
from descend.models.folder import load
from descend.record.reader import Reader
from descend.show.output import print_error, print_json
from descend.train.recipe import SETTINGS

CHATTERING = """
from torch import nn
print("loaded")
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)
        print("made")
    def forward(self, x):
        print("asked")
        return self.layer(x)
"""
FOREVER = ["train", "scores", "--epochs", "10000000", "--lr", "0.001", "--json"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A run that reads digits well enough, made from the command line."""
    base = tmp_path_factory.mktemp("digits")
    status = main(
        ["train", "mnist-softmax", "--epochs", "1", "--batch-size", "256", "--runs", str(base), "--name", "d"]
    )
    assert status == 0
    return base


def one_object(capsys):
    """The JSON object on stdout, and nothing else there; and what stderr holds."""
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1
    assert captured.out.endswith("\n")
    value = json.loads(captured.out)
    assert isinstance(value, dict)
    return value, captured.err


def start(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "descend", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


def wait_for_steps(record, count):
    for _ in range(600):
        try:
            with Reader(record) as reader:
                if len(reader.steps().step) >= count:
                    return
        except RecordError:  # not there yet
            pass
        time.sleep(0.05)
    pytest.fail(f"no {count} steps in the record after 30 seconds")


def test_help_and_the_list_of_sets_do_not_import_torch():
    code = (
        "import sys\n"
        "from descend.cli import main\n"
        "for words in (['--help'], [], ['train', '--help'], ['--version'], ['data'], ['data', '--json'], ['nope']):\n"
        "    assert main(words) == (2 if words == ['nope'] else 0), words\n"
        "    assert 'torch' not in sys.modules, words\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--batch-size" in done.stdout
    assert "mnist-softmax" in done.stdout


def test_data_lists_every_set_in_a_line(capsys):
    assert main(["data"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(CATALOGUE)
    assert "five students: exam score from hours studied" in lines[3]
    assert main(["data", "--json"]) == 0
    sets = one_object(capsys)[0]["sets"]
    assert [each["name"] for each in sets] == list(CATALOGUE)
    assert sets[0]["rows"] == {"train": 60_000, "test": 10_000}
    assert sets[4]["layouts"] == ["rows", "reshape"]


def test_train_says_what_it_did_and_where_to_look_next(capsys):
    assert main(["train", "scores", "--epochs", "20"]) == 0
    out = capsys.readouterr().out
    for words in (
        "scores · 5 rows: hours → score",
        "linear 1 → 1 (2 parameters) · MSE · SGD lr 0.01 · full batch · 20 epochs",
        "before        loss 7,326.7271",
        "epoch 20/20   loss   728.4144",
        "Loss fell from 7,326.7 to 723.24.",
        "score = 11.622 × hours + 6.4302",
        "runs/scores-1/model",
        "descend predict last --values hours=1",
    ):
        assert words in out
    assert sorted(path.name for path in Path("runs/scores-1").iterdir()) == ["model", "record.sqlite", "tensors"]


def test_train_answers_with_one_object(capsys):
    assert main(["train", "scores-two", "--epochs", "3", "--layout", "reshape", "--json"]) == 0
    report, err = one_object(capsys)
    assert "epoch 3/3" in err
    assert report["run"] == "scores-two-1"
    assert report["model"] == "runs/scores-two-1/model"
    assert report["status"] == "finished"
    assert report["notes"][0].startswith("layout reshape repeats a published fault")
    assert report["rows"] == {"train": 5, "validation": 0, "test": 0}
    assert (
        report["validation"] is report["test"] is report["message"] is report["worst"] is report["best_epoch"] is None
    )
    assert set(report["train"]) == set(report["before"]["train"]) == {"loss", "rmse", "mae", "r2"}
    assert [epoch["epoch"] for epoch in report["epochs"]] == [1, 2, 3]
    assert set(report["epochs"][0]) == {"epoch", "step", "seconds", "loss", "validation", "test", "lr"}
    assert report["losses"]["first"] == report["epochs"][0]["loss"] == report["losses"]["curve"][0]
    assert set(report["seconds"]) == {"total", "training", "per_epoch", "evaluation", "recording"}
    assert sum(report["phases"].values()) == pytest.approx(1)
    assert {each["key"]: each["by"] for each in report["choices"]} | {
        "epochs": "you",
        "layout": "you",
        "lr": "published",
    } == {each["key"]: each["by"] for each in report["choices"]}
    assert report["recipe"].keys() == SETTINGS.keys()
    assert report["parameters"][0]["name"] == "output.weight"


def test_what_was_asked_for_has_the_last_word(capsys):
    Path("r.toml").write_text('data = "line"\nlr = 0.1\nepochs = 7\nseed = 1\nmodel = "mlp"\nsizes = [3, 2]\n')
    words = ["--recipe", "r.toml", "--set", "lr=0.2", "--set", "seed=2", "--set", "batch-size=4", "--lr", "0.3"]
    assert main(["train", *words, "--dry-run", "--json"]) == 0
    plan = one_object(capsys)[0]
    recipe = plan["recipe"]
    assert [recipe[key] for key in ("data", "lr", "epochs", "seed", "sizes", "batch_size")] == [
        "line",
        0.3,
        7,
        2,
        [3, 2],
        4,
    ]
    assert main(["train", "scores", *words, "--dry-run", "--json"]) == 0
    assert one_object(capsys)[0]["recipe"]["data"] == "scores"


@pytest.mark.parametrize("flag", [[], ["--json"]])
def test_a_dry_run_gives_every_reason_and_writes_nothing(capsys, tmp_path, flag):
    assert main(["train", "mnist", "--dry-run", "--batch-size", "1e2", *flag]) == 0
    assert list(tmp_path.iterdir()) == []
    out = capsys.readouterr().out
    assert all(key in out for key in SETTINGS)
    if flag:
        choices = json.loads(out)["choices"]
        assert [each["key"] for each in choices] == list(SETTINGS)
        assert all(each["reason"] for each in choices)
        assert {"key": "batch_size", "value": 100, "reason": "you said so", "by": "you"} in choices
    else:
        assert "as you said" in out
        assert "no GPU is here" in out


@pytest.mark.parametrize(
    ("words", "status", "kind"),
    [
        (["data"], 0, None),
        (["runs"], 0, None),
        (["train", "scores", "--epochs", "1"], 0, None),
        (["train", "scores", "--epochs", "1", "--dry-run"], 0, None),
        (["train", "scores", "--lr", "9", "--epochs", "90"], 1, None),
        (["train", "mnits"], 2, "DataError"),
        (["train"], 2, "UsageError"),
        (["train", "scores", "--epochs", "x"], 2, "RecipeError"),
        (["train", "scores", "--model", "no.py:Net"], 2, "ModelError"),
        (["train", "scores", "--epoch", "3"], 2, "UsageError"),
        (["train", "scores", "too", "many"], 2, "UsageError"),
        (["runs", "a", "b"], 2, "RecordError"),
        (["runs", "a"], 2, "UsageError"),
        (["evaluate", "last"], 2, "RecordError"),
        (["evaluate"], 2, "UsageError"),
        (["predict", "nope", "x.png"], 2, "RecordError"),
        (["nope"], 2, "UsageError"),
    ],
)
def test_json_is_one_object_also_for_errors(capsys, words, status, kind):
    assert main([*words, "--json"]) == status
    answer, err = one_object(capsys)
    if kind is None:
        assert "error" not in answer
    else:
        error = answer["error"]
        assert error["kind"] == kind
        assert error["what"]
        assert error["help"]
        assert err.startswith(f"descend: {error['what']}\n")


def test_a_model_that_prints_does_not_disturb_the_object(capsys):
    Path("net.py").write_text(CHATTERING)
    words = ["--model", "net.py:Net", "--json"]
    assert main(["train", "scores", "--epochs", "2", "--lr", "0.001", *words]) == 0
    report, err = one_object(capsys)
    assert report["architecture"] == "Net (net.py) 1 → 1 (2 parameters)"
    assert all(word in err for word in ("loaded", "made", "asked"))
    assert main(["evaluate", "last", *words]) == 0
    assert one_object(capsys)[0]["metrics"]["loss"] == report["train"]["loss"]
    assert main(["predict", "last", "--values", "hours=1,2", *words]) == 0
    answer = one_object(capsys)[0]
    assert answer["rows"] == [[1.0], [2.0]]
    assert main(["evaluate", "last", "--json"]) == 2
    assert "add --model net.py:Net" in one_object(capsys)[0]["error"]["help"]


def test_runs_are_listed_and_compared(capsys):
    assert main(["runs"]) == 0
    capsys.readouterr()
    assert main(["train", "scores", "--epochs", "2", "--name", "short"]) == 0
    assert main(["train", "scores", "--epochs", "4", "--lr", "0.001"]) == 0
    Path("runs/broken").mkdir()
    Path("runs/broken/record.sqlite").write_bytes(b"no")
    capsys.readouterr()
    assert main(["runs"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("short", "scores-1", "broken", "damaged"))
    assert main(["runs", "--json"]) == 0
    listed = one_object(capsys)[0]["runs"]
    assert [(each["run"], each["status"]) for each in listed] == [
        ("scores-1", "finished"),
        ("short", "finished"),
        ("broken", "damaged"),
    ]
    assert main(["runs", "short", "last"]) == 0
    out = capsys.readouterr().out
    assert "0.001" in out
    assert main(["runs", "short", "last", "--json"]) == 0
    assert [each["recipe"]["epochs"] for each in one_object(capsys)[0]["runs"]] == [2, 4]
    assert main(["runs", "short", "shrot"]) == 2
    assert "there is no run 'shrot' (did you mean 'short'?)" in capsys.readouterr().err


def test_runs_go_where_the_variable_or_the_flag_says(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("DESCEND_RUNS", str(tmp_path / "a"))
    assert main(["train", "scores", "--epochs", "1"]) == 0
    assert main(["train", "scores", "--epochs", "1", "--runs", "b"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    capsys.readouterr()
    assert main(["evaluate", "last", "--runs", "b", "--json"]) == 0
    assert one_object(capsys)[0]["rows"] == 5


def test_a_digit_is_read_from_a_picture(capsys, digits, tmp_path):
    examples = builtin.load("mnist").test
    first = (examples.features[0, 0] * 255).byte().numpy()
    Image.fromarray(255 - first).resize((280, 280)).save("seven.png")
    Image.fromarray(first).save("small.png")
    assert main(["predict", str(digits / "d"), "seven.png", "small.png", "--json"]) == 0
    large, small = one_object(capsys)[0]["predictions"]
    assert large["prediction"] == small["prediction"] == str(int(examples.targets[0])) == "7"
    assert sum(small["probabilities"]) == pytest.approx(1)
    assert len(small["logits"]) == len(small["names"]) == 10
    assert small["said"] == []
    assert "dark on light: inverted" in large["said"]
    assert main(["predict", "d", "seven.png", "--runs", str(digits)]) == 0
    out = capsys.readouterr().out
    assert "280×280 → 28×28" in out
    assert main(["predict", "d", "--runs", str(digits), "--values", "x=1"]) == 2
    assert "this model reads pictures" in capsys.readouterr().err


def test_evaluate_finds_what_the_training_reported(capsys, digits):
    assert main(["evaluate", "last", "--runs", str(digits), "--json"]) == 0
    answer = one_object(capsys)[0]
    with Reader(digits / "d") as record:
        report = record.info.report
    assert answer["part"] == "test"
    assert answer["rows"] == 10_000
    assert answer["metrics"] == report["test"]
    assert report["test"]["accuracy"] > 0.85
    assert main(["evaluate", str(digits / "d" / "model")]) == 0
    assert "10,000 test rows" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian"], "there is no command 'trian' (did you mean 'train'?)"),
        (["--nope"], "there is no flag '--nope'"),
        (["train", "scores", "--epoch", "3"], "train has no flag '--epoch' (did you mean '--epochs'?)"),
        (["data", "--runs", "x"], "data has no flag '--runs'"),
        (["train", "scores", "--clip", "1"], "write --set clip=VALUE; it means: largest norm of the whole gradient"),
        (["train", "scores", "--epochs"], "train needs a value for --epochs"),
        (["train", "scores", "--seed", "1", "--seed", "2"], "--seed is given twice"),
        (["train", "scores", "extra"], "train does not know what to do with 'extra'"),
        (["train", "scores", "--pause", "x"], "--pause x: expected a whole number"),
        (["train", "scores", "--dry-run=perhaps"], "--dry-run perhaps: expected true or false"),
        (["train", "scores", "--pause", "0"], "there is no step 0 to pause in"),
        (["train", "--set", "data=3"], "data = 3: expected the name of a set"),
        (["evaluate"], "evaluate needs a value for MODEL"),
        (["runs", "a"], "1 run to compare"),
    ],
)
def test_wrong_use_is_told_in_plain_words(capsys, tmp_path, words, said):
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("descend: ")
    assert said in captured.err
    assert "\n  help: " in captured.err
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_after_the_step_and_keeps_everything(tmp_path):
    process = start(*FOREVER, cwd=tmp_path)
    run = tmp_path / "runs" / "scores-1"
    wait_for_steps(run, 500)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    report = json.loads(out)
    assert report["status"] == "interrupted"
    with Reader(run) as record:
        assert record.status == "interrupted"
        steps = record.steps()
        assert steps.step == list(range(1, report["steps"] + 1))
        assert record.info.report == report
    assert b"Interrupted after" in err
    assert load(run / "model").description.metrics["train"]["loss"] == report["train"]["loss"] < steps.loss[-2]


def test_a_killed_run_can_be_read_and_is_called_dead(tmp_path, capsys):
    process = start(*FOREVER, cwd=tmp_path)
    run = tmp_path / "runs" / "scores-1"
    wait_for_steps(run, 500)
    process.kill()
    process.communicate(timeout=30)
    with Reader(run) as record:
        assert record.status == "died"
        steps = record.steps()
        assert len(steps.step) >= 500
        assert steps.step == list(range(1, len(steps.step) + 1))
    assert main(["evaluate", "last"]) == 2
    assert "the run 'scores-1' left no model: it died" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_output_that_nobody_can_take_ends_quietly_or_in_one_message(tmp_path):
    command = [sys.executable, "-m", "descend"]
    read, write = os.pipe()
    os.close(read)  # as `| head` does once it has seen enough
    for words in (["data"], ["data", "--json"], ["train", "scores", "--epochs", "3"]):
        done = subprocess.run([*command, *words], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), words
    os.close(write)
    with Reader(tmp_path / "runs" / "scores-1") as record:
        assert record.status == "finished"
    with open("/dev/full", "w") as full:
        done = subprocess.run([*command, "data"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("descend: the system refused: no space left on device\n  where: the output\n  help: ")


def test_numbers_that_are_not_finite_are_json_still(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"loss": math.nan, "rows": [math.inf, -math.inf, 1.5], "class": "NaN"}, sys.stdout)
    written = capsys.readouterr().out
    assert written == '{"loss": null, "rows": [1e999, -1e999, 1.5], "class": "NaN"}\n'
    assert json.loads(written)["rows"][0] == math.inf


def test_an_error_with_a_strangers_name_in_it_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(UsageError("there is no '\x1b[2J'", where="a\x1b]0;b\x07", help="look"))
    assert capsys.readouterr().err == (
        "descend: there is no '\N{REPLACEMENT CHARACTER}[2J'\n"
        "  where: a\N{REPLACEMENT CHARACTER}]0;b\N{REPLACEMENT CHARACTER}\n  help: look\n"
    )


def test_ctrl_c_is_answered_wherever_it_comes(tmp_path, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("descend.record.runs.list_runs", interrupted)
    assert main(["runs"]) == 1
    assert capsys.readouterr().err == "descend: interrupted\n"
