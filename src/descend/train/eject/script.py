"""From a run to the plain PyTorch script that does the same training: what the record says, put into words of PyTorch.

The script does the same arithmetic in the same order, so its losses are the run's, bit for bit, on the same machine and build.
A record may come from a stranger: of its text only what was checked gets into the code, and what gets into the docstring cannot
end it.
"""

import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from descend.data import catalogue
from descend.data.dataset import Dataset
from descend.data.kept import KEPT_ROWS, LARGEST_KEPT, read_kept, starts
from descend.errors import DataError, RecordError, UsageError
from descend.record.files import write_atomically
from descend.record.rows import RunInfo
from descend.train.eject.facts import LONGEST_LINE, Facts, UserModel, quoted
from descend.train.eject.model import model_lines, user_model
from descend.train.eject.rows import array_rows, builtin_rows, rest_lines
from descend.train.eject.steps import examine_lines, loop_lines, rate_lines, settings_lines
from descend.train.losses import LOSSES
from descend.train.prepare import describe, rows_held
from descend.train.recipe import Recipe

MOST_LINES = 119  # of a script: more is no page that somebody reads
_ENDED = {
    "interrupted": "The run was interrupted after step {steps:,}; the script goes on to the end.",
    "died": "The run died after step {steps:,}; the script goes on to the end.",
    "failed": "The run failed after step {steps:,}.",
    "running": "The run has come to step {steps:,} and still goes on.",
    "diverged": "The loss of the run stopped being a finite number at step {steps:,}; so does that of the script.",
}


def eject(info: RunInfo, sources: Mapping[str, str], steps: int, *, rows_file: str | None = None) -> str:
    """The script that does the training of the run ``info``.

    sources: what the record keeps of files, by their paths. steps: how many the run has taken. rows_file: where the script finds
    the rows of arrays, a name beside it or a path; by default the file in the run folder.

    Raises UsageError for a run that was watched: its script is there already; RecordError, RecipeError, DataError and ModelError
    where the record does not hold what the script needs.
    """
    recipe = _recipe_of(info)
    dataset = _kept_rows(info, recipe)
    data = catalogue.find(recipe.data) if dataset is None else describe(dataset)
    outputs = LOSSES[recipe.loss].outputs(data.outputs)
    user = user_model(recipe.model, sources, data.feature_shape, outputs)
    held = rows_held(data.train_rows, recipe)
    learned = data.train_rows - held
    facts = Facts(
        recipe=recipe,
        feature_shape=data.feature_shape,
        outputs=outputs,
        classes=data.task == "classes",
        rows=learned,
        largest_part=max(learned, held, data.test_rows),
        parts=("train", *(["validation"] if held else []), *(["test"] if data.test_rows else [])),
        user=user,
    )
    place = rows_file or str((info.path / KEPT_ROWS).resolve())

    def written(*, brief: bool) -> str:
        body = [
            *settings_lines(facts, brief=brief),
            *(builtin_rows(recipe) if dataset is None else array_rows(dataset, starts(info.path), place, brief=brief)),
            *rest_lines(facts, held),
            *model_lines(facts),
            *rate_lines(facts),
            *examine_lines(facts),
            *loop_lines(facts),
        ]
        text = _spaced(body)
        return "\n".join([*_docstring(info, user, steps), "", *_imports(text, user), "", text, ""])

    text = written(brief=False)
    return text if text.count("\n") <= MOST_LINES else _closer(written(brief=True))


def _spaced(lines: Sequence[str]) -> str:
    """The lines with two empty ones before and after every function, and never more."""
    text = re.sub(r"\n+(?=def )", "\n\n\n", "\n".join(lines))
    return re.sub(r"\n{4,}", "\n\n\n", text)


def _closer(text: str) -> str:
    """A long script with fewer empty lines: as many are left out as it takes, first before comments, never at functions.

    Where that does not suffice, the comments that have a line of their own inside the loop go as well.
    """
    text = re.sub(r"\n{3,}", "\n\n", text)
    for before in ("#", "(?!def |import |from )", "(?=import |from )"):
        many = max(0, text.count("\n") - MOST_LINES)
        text = re.sub(rf"(?<=\n)(\S.*)\n\n(?={before})", r"\1\n", text, count=many) if many else text
    many = max(0, text.count("\n") - MOST_LINES)
    return re.sub(r"\n +#.*", "", text, count=many) if many else text


def write_script(info: RunInfo, sources: Mapping[str, str], steps: int, output: Path) -> str:
    """``eject``, written to ``output``, and the rows that it reads beside it; gives the text.

    Raises UsageError where one of the two files is there already, and StorageError when the disk refuses.
    """
    rows = output.with_suffix(".safetensors")
    text = eject(info, sources, steps, rows_file=rows.name)
    needs_rows = f"with_name({quoted(rows.name)})" in text
    for path in (output, rows) if needs_rows else (output,):
        if path.exists():
            raise UsageError(
                f"there is a file {path.name} already",
                where=str(path),
                help="choose another name, or move that file away",
            )
    if needs_rows:
        write_atomically(rows, (info.path / KEPT_ROWS).read_bytes())
    write_atomically(output, text.encode())
    return text


def _recipe_of(info: RunInfo) -> Recipe:
    if info.kind == "run":
        watched = info.environment.get("script") or info.title
        raise UsageError(
            f"'{info.name}' is a run of a script of your own, so that script is it already",
            where=str(watched),
            help="eject writes the script of a run that descend train has made",
        )
    if not info.recipe:
        raise RecordError(
            f"the run '{info.name}' ended before it said what it trains", where=str(info.path), help="train again"
        )
    return Recipe.from_json(info.recipe)


def _kept_rows(info: RunInfo, recipe: Recipe) -> Dataset | None:
    """The rows in the run folder; None where it learned from a built-in set."""
    dataset = read_kept(info.path)
    if dataset is None and recipe.data not in catalogue.CATALOGUE:
        raise DataError(
            f"the rows that '{info.name}' learned from, '{recipe.data}', are not in the run folder",
            where=str(info.path),
            help=f"rows of at most {LARGEST_KEPT / 1e6:,.0f} MB are kept: train again with fewer of them",
        )
    return dataset


def _docstring(info: RunInfo, user: UserModel | None, steps: int) -> list[str]:
    build = info.environment.get("torch", "")
    with_build = f" with its build of PyTorch ({build})" if build else ""
    facts = [info.title, str(info.environment.get("architecture", ""))]
    said = [f"On the machine of the run and{with_build}, every loss is the run's, bit for bit."]
    if info.status in _ENDED:
        said.append(_ENDED[info.status].format(steps=steps))
    if user is not None and user.changed:
        said.append(f"{user.path.name} has been changed since the run: where that changes the model, losses differ.")
    lines = [f'"""The training of the run "{_harmless(info.name)}", in plain PyTorch.', ""]
    lines += [line for fact in facts for line in textwrap.wrap(_harmless(fact), LONGEST_LINE)]
    lines += ["", *textwrap.wrap(_harmless(" ".join(said)), LONGEST_LINE), '"""']
    return lines


def _harmless(text: str) -> str:
    """Text from a record as it may stand in a docstring: in one line, and unable to end it."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return printable.replace("\\", "/").replace('"', "'")


def _imports(text: str, user: UserModel | None) -> list[str]:
    """The modules that the script's text uses, then the user's own."""
    standard = [f"import {name}" for name in ("gzip", "itertools", "math", "sys") if f"{name}." in text]
    if user is not None and "import sys" not in standard:
        standard.append("import sys")
    if "Path(" in text:
        standard.append("from pathlib import Path")
    torch = ["import torch"]
    torch += ["from torch import nn"] if "nn." in text.replace("torch.nn.", "") else []
    torch += ["from torch.nn import functional as F"] if "F." in text else []
    own = [] if user is None else ["", *user.import_lines()]
    return [*standard, *([""] if standard else []), *torch, *own]
