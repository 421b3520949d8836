"""What the pages in docs/ say is what the program does: flags, output, settings, code."""

import importlib
import io
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from descend import cli
from descend.data import builtin
from descend.train import prepare
from descend.train.choices import Machine
from descend.train.recipe import SCHEDULES, SETTINGS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
COMMANDS = (DOCS / "commands.md").read_text(encoding="utf-8")
RECIPE = (DOCS / "recipe.md").read_text(encoding="utf-8")
GRADIENTS = (DOCS / "gradients.md").read_text(encoding="utf-8")
PAGES_WITH_CODE = ["python.md", "gradients.md", "watching.md", "explain.md"]


@pytest.fixture(scope="module", autouse=True)
def _a_plain_machine() -> Iterator[None]:
    """Without a GPU and 80 columns wide, as the one on which the pages were written."""
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "this_machine", lambda: Machine(cuda=False, mps=False, cores=threads))
        patch.setenv("COLUMNS", "80")
        yield
    torch.set_num_threads(threads)


def printed(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Everything that the command prints."""
    name, *arguments = shlex.split(command)
    assert name == "descend"
    cli.main(arguments)
    said = capsys.readouterr()
    return said.out + said.err


# Commands and flags


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    return printed(f"descend {command} --help", capsys)


def test_the_page_has_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    known = set(re.findall(r"^│ ([a-z]+) ", help_of("", capsys), re.MULTILINE))
    assert known
    assert set(re.findall(r"^## descend (\w+)$", COMMANDS, re.MULTILINE)) == known
    assert set(re.findall(r"^\| \[`descend (\w+)`\]", COMMANDS, re.MULTILINE)) == known


@pytest.mark.parametrize(
    "command", ["train", "run", "data", "runs", "evaluate", "predict", "eject", "annotate", "learn", "check", "explain"]
)
def test_the_page_has_every_flag_of_a_command_and_no_other(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    known = re.findall(r"^│ \*? *(--[a-z-]+)", help_of(command, capsys), re.MULTILINE)
    section = COMMANDS.split(f"\n## descend {command}\n")[1].split("\n## ")[0]
    assert "--json" in known
    assert re.findall(r"^\| `(--[a-z-]+)` \|", section, re.MULTILINE) == known


# Output

EXCERPT = re.compile(r"^<!-- (shows|like): (descend .+?) -->\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def comparable(line: str, how: str) -> str:
    """A line without its times and spacing; where it is only ``like`` the real one, also without numbers and bars."""
    line = re.sub(r"\d[\d.,]* (µs|ms|s|min|h)( \d\d (min|s))?\b", "TIME", line)
    if how == "like":
        line = re.sub(r"[\d.,]+|[·<█▏▎▍▌▋▊▉]+", "", line)
    return " ".join(line.split())


def _breaks_anywhere(line: str) -> bool:
    """A list of times is broken into lines where the times are long, which is another place in every run."""
    return "TIME" in line and ("·" in line or line.startswith("TIME"))


def missing_lines(excerpt: str, output: str, how: str) -> list[str]:
    """The lines of the excerpt that do not come in the output, in their order."""
    left = iter([comparable(line, how) for line in output.splitlines()])
    wanted = [comparable(line, how) for line in excerpt.splitlines() if line.strip() not in ("", "…")]
    wanted = [line for line in wanted if not _breaks_anywhere(line)]
    return [line for line in wanted if line not in left]


def test_the_search_for_missing_lines_finds_them() -> None:
    assert missing_lines("a 1\n…\nc   3\n", "a 1\nb 2\nc 3\n", "shows") == []
    assert missing_lines("c 3\na 1\n", "a 1\nb 2\nc 3\n", "shows") == ["a 1"]
    assert missing_lines("a 1\n", "a 2\n", "shows") == ["a 1"]
    assert missing_lines("a 1\n", "a 2\n", "like") == []
    assert missing_lines("took 3 s\n", "took 1.5 ms\n", "shows") == []


def test_every_excerpt_on_the_page_of_commands_is_real(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO("c\n"))  # for --pause
    digits = builtin.load("mnist").test
    assert digits is not None
    seven = Image.fromarray((255 - 255 * digits.features[0, 0]).byte().numpy())
    seven.resize((280, 280)).save("digit.png")

    excerpts = EXCERPT.findall(COMMANDS)
    assert len(excerpts) == COMMANDS.count("```text")
    # Commands that read what others wrote come after them.
    first = [each for each in excerpts if each[1] in ("descend train scores", "descend train mnist --epochs 1")]
    assert len(first) == 2
    for how, command, excerpt in first + [each for each in excerpts if each not in first]:
        # Room for longer times than those of the page, which would push a column out.
        monkeypatch.setenv("COLUMNS", "84" if command == "descend runs" else "80")
        output = printed(command, capsys)
        assert missing_lines(excerpt, output, how) == [], f"{command}\n{output}"


# The recipe


def test_the_tables_of_settings_are_those_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    script = importlib.import_module("recipe_page")
    assert script.written(RECIPE) == RECIPE, "run: python scripts/recipe_page.py"
    rows = re.findall(r"^\| `(\w+)` \| .+ \| .+ \| .+ \|$", script.settings_table(), re.MULTILINE)
    assert ["data", *rows] == list(SETTINGS)


def test_the_page_of_the_recipe_explains_every_schedule() -> None:
    section = RECIPE.split("\n## The learning rate over time\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `([\w-]+)` \|", section, re.MULTILINE) == ["schedule", *SCHEDULES]


def test_the_recipe_on_the_page_can_be_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (toml,) = re.findall(r"^```toml\n(.+?)^```$", RECIPE, re.MULTILINE | re.DOTALL)
    (command,) = re.findall(r"^(descend train --recipe .+)$", RECIPE, re.MULTILINE)
    (tmp_path / "my-recipe.toml").write_text(toml)
    shown = printed(command.replace("my-recipe.toml", str(tmp_path / "my-recipe.toml")) + " --dry-run", capsys)
    for line in ("sizes [256, 64]", "schedule cosine", "epochs 3", "clip 1"):
        assert line in " ".join(shown.split())


def test_the_order_of_rows_is_the_one_on_the_page() -> None:
    assert "`seed · 1,000,003 + e`" in RECIPE
    generator = torch.Generator().manual_seed(7 * 1_000_003 + 3)
    assert torch.equal(prepare.permutation(50, seed=7, epoch=3), torch.randperm(50, generator=generator))


# Code

CODE = re.compile(
    r"(<!-- from: .+? -->\n)?^```python\n(.+?)^```$\n?(?:\n```text\n(.+?)^```$)?", re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize("page", PAGES_WITH_CODE)
def test_the_code_on_a_page_runs_and_prints_what_stands_below_it(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = [(code, output) for quoted, code, output in CODE.findall(text) if not quoted]
    assert blocks
    names: dict[str, object] = {}
    for code, output in blocks:
        exec(compile(code, page, "exec"), names)
        assert capsys.readouterr().out == output, code


def test_the_lines_quoted_on_the_page_of_gradients_are_in_the_file() -> None:
    quotes = [(place, code) for place, code, _ in CODE.findall(GRADIENTS) if place]
    assert len(quotes) == 2
    for place, code in quotes:
        (path,) = re.findall(r"from: (.+?) -->", place)
        source = (ROOT / path).read_text(encoding="utf-8")
        for line in code.splitlines():
            assert line in source


def test_every_page_that_holds_code_is_run_or_quotes() -> None:
    """A page of ours that gains Python blocks has to be run here too."""
    ours = ["commands.md", "recipe.md", "figures.md", *PAGES_WITH_CODE]
    with_code = [page for page in ours if "```python" in (DOCS / page).read_text(encoding="utf-8")]
    assert with_code == PAGES_WITH_CODE
