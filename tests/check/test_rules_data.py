"""Rules of the data (D401 to D407): on programs, and on records made by hand."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from check.harness import PROGRAMS, Case, cases, examine_program, faults_of
from descend.check.data import SameOrder
from descend.check.data_facts import impurity, period, with_keyword
from descend.check.data_rows import RepeatedByWorkers, RowsLeftOut
from descend.check.data_sets import NothingToLearn, SharedRows
from descend.check.data_values import BrokenValues, EmptyValues
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Finding
from descend.check.rule import Rule
from descend.record.events import BatchSeen, Event, Fact, ModuleCalls, RunEnded, RunStarted, StepsDone
from descend.record.reader import Reader
from descend.record.writer import Writer

KNOWN = PROGRAMS / "known"
OURS = [case for case in cases(KNOWN) if case.program.stem.startswith("D4")]
SCRIPT = (
    "import torch\nloader = DataLoader(rows, batch_size=8)\ntest_loader = DataLoader(test, batch_size=8)\nfit(loader)\n"
)


@pytest.mark.parametrize("case", OURS, ids=lambda case: case.name)
def test_programs_have_what_their_header_says(case: Case) -> None:
    found = examine_program(case.program, case.arguments)
    assert faults_of(case, found["findings"]) == []
    ours = [each for each in found["unchecked"] if each["code"].startswith("D4")]
    assert [each for each in ours if "failed" in each["why"]] == []
    assert [each for each in found["unseen"] if "failed" in each["why"]] == []


def finding(stem: str, code: str, *arguments: str) -> dict[str, Any]:
    """The first finding of a code in a program."""
    found = examine_program(KNOWN / f"{stem}.py", arguments)["findings"]
    return next(each for each in found if each["code"] == code)


def test_words_of_rows_sorted_by_class() -> None:
    found = finding("D401_loader_two_files", "D401", "sorted")
    assert found["title"].startswith("training rows are sorted by class: a batch holds 1.")
    assert found["title"].endswith(" of 4 classes on average")
    assert "forgets in one part of an epoch what it learnt in another" in found["message"]
    assert found["fix"] == "DataLoader(dataset, batch_size=20, shuffle=True)"


def test_words_of_rows_in_the_same_order() -> None:
    found = finding("D401_loader_two_files", "D401", "mixed")
    assert found["title"] == "training rows come in the same order in every epoch"
    assert found["evidence"] == {
        "order": "as they stand in the data set (shuffle is off)",
        "passes over the rows": 4,
    }


def test_words_of_shared_rows() -> None:
    found = finding("D402_files", "D402", "shared")
    assert found["title"] == "60 of 180 evaluation rows were trained on"
    assert found["evidence"]["of them in the training rows too"] == "60 (33 %)"
    assert found["evidence"]["compared number by number"] == "60 of 60 pairs are equal"
    assert "the figures are better than the model is" in found["message"]
    assert found["fix"].endswith("take held_out from the rows that are left") or "split the rows" in found["fix"]


def test_words_of_rows_that_are_nearly_equal() -> None:
    found = finding("D402_files", "D402", "rounded")
    assert found["title"].endswith("evaluation rows are all but equal to rows that were trained on")
    assert found["evidence"]["equal to the last bit"] == "0 of 180"


def test_words_of_rows_left_out() -> None:
    found = finding("D403_flat_floor", "D403")
    assert found["title"] == "the last rows are never trained on: 30 of 530 rows"
    assert found["evidence"] == {"rows in the set": 530, "trained on in an epoch": 500}
    assert found["fix"] == "let the last batch be shorter: range(0, 530, batch_size)"
    assert finding("D403_loader_drop_last", "D403")["fix"] == "DataLoader(data, batch_size=32, drop_last=False)"


def test_words_of_values_that_are_none() -> None:
    found = finding("D404_tables", "D404", "holes")
    assert found["title"].startswith("xb (32, 4) holds 1 of 128 numbers that are NaN or infinite")
    assert found["evidence"]["parameters with such numbers before"] == 0
    assert found["fix"].endswith("keep = torch.isfinite(xb).all(-1)")


def test_words_of_another_scale() -> None:
    found = finding("D404_tables", "D404", "units")
    assert found["title"].startswith("evaluation has column 2 on another scale: ")
    assert found["evidence"]["columns that differ so"] == 1


def test_words_of_inputs_that_never_change() -> None:
    found = finding("D404_trainer_constant", "D404")
    assert found["title"] == "all 200 training rows that were looked at are the same"
    assert found["where"]["source"].startswith("return (self.pixels[index] // 255)")


def test_words_of_workers_that_repeat_each_other() -> None:
    found = finding("D405_iterable", "D405", "each")
    assert found["title"].startswith("2 workers hand out the same batches: step 2 repeats step 1, and ")
    assert "each worker goes through all of the rows" in found["message"]
    assert found["fix"] == "in __iter__ of Stream, take every 2th row: see torch.utils.data.get_worker_info()"


def test_words_of_targets_without_signal() -> None:
    found = finding("D406_labels", "D406", "apart")
    assert found["title"].startswith("the targets carry no signal: the loss ends at 0.6")
    assert found["evidence"]["rows of the probes"] == 400
    assert "probes that need no training" in found["message"]


def test_words_of_an_examination_that_says_nothing() -> None:
    found = finding("D406_examination", "D406", "one")
    assert found["title"] == "all 100 targets of loader are 1"
    assert found["message"] == "Whoever always answers 1 is always right: the figure says nothing about the model."


def test_words_of_columns_images_and_batches() -> None:
    assert finding("D407_tables", "D407", "stuck")["title"] == "1 of 5 input columns never change: 3 (always 21.50)"
    assert finding("D407_tables", "D407", "pasted")["title"] == "1 of 5 input columns repeat another: 4 is 1"
    empty = finding("D407_pictures", "D407", "empty")
    assert empty["title"] == "30 of 300 images that were looked at are empty: every number is 0"
    single = finding("D407_last_row", "D407", "129")
    assert single["title"] == "4 of 20 batches hold one row only, in front of BatchNorm2d"
    assert single["fix"] == "drop_last=True, or another batch size"


def look(folder: Path, rule: type[Rule], *events: Event, report: Mapping[str, Any] | None = None) -> list[Finding]:
    """What a rule says of a record of these events."""
    folder.mkdir(exist_ok=True)
    with Writer(folder) as writer:
        writer(RunStarted("a", "run", "a.py", {}, (), {}, None, (), None, None, {"a.py": SCRIPT}))
        for event in events:
            writer(event)
        writer(RunEnded("finished", dict(report or {})))
    with Reader(folder) as reader:
        return list(rule().look(Evidence(reader)))


def steps(count: int = 40, loss: float = 0.7, rows: Sequence[int] = ()) -> StepsDone:
    return StepsDone(1, 1, [loss] * count, [0.1] * count, [0.001] * count, list(rows) or [8] * count)


def given(step: int, **others: Any) -> Fact:
    values = {"rows": 8, "set": 1, "x": "x", "y": "y", "how": "", "start": 0, "stop": 0, "of": 0, "labels": None}
    return Fact(step, "given", {**values, "not_finite": [0, 0], **others}, ("a.py", 4))


def loader(**others: Any) -> Fact:
    values = {"number": 1, "dataset": "TensorDataset", "order": "in order", "batch_size": 8, "drop_last": False}
    values |= {"workers": 0, "iterable": False, "rows": 80, "passes": 4, "trained": 4, "evaluated": 0}
    return Fact(40, "loader", {**values, "reseeded": False, **others}, ("a.py", 2))


def rows_of(role: str = "training", **others: Any) -> Fact:
    values = {"number": 1, "role": role, "loader": 1, "variable": "", "rows": 80, "whole": True, "series": ""}
    values |= {"labels": {}, "evaluations": [], "broken": [], "line": None}
    return Fact(40, "set", {**values, **others})


def shared(**others: Any) -> Fact:
    values = {"training": 1, "evaluation": 2, "rows": 50, "of": 80, "same": 10, "again": 0, "expected": 0.0}
    return Fact(40, "shared", {**values, "kinds": False, "compared": 10, "equal": 10, **others})


EXAMINED = rows_of("evaluation", number=2, loader=2, evaluations=[1])
SECOND = loader(number=2, trained=0, evaluated=4)


@pytest.mark.parametrize("rule", [SameOrder, RowsLeftOut])
def test_nothing_is_said_of_a_run_without_steps(tmp_path: Path, rule: type[Rule]) -> None:
    with pytest.raises(CannotCheck, match="no step was taken"):
        look(tmp_path, rule)


def test_a_run_without_an_evaluation_has_no_shared_rows(tmp_path: Path) -> None:
    with pytest.raises(CannotCheck, match="no evaluation was seen"):
        look(tmp_path, SharedRows, steps())


def test_steps_whose_data_were_not_seen(tmp_path: Path) -> None:
    with pytest.raises(CannotCheck, match="what the steps were given was not seen"):
        look(tmp_path, SameOrder, steps())


def test_an_order_is_told_once(tmp_path: Path) -> None:
    found = look(tmp_path, SameOrder, steps(), loader(), rows_of(), *map(given, range(1, 6)))
    assert [(each.level, each.where and each.where.line) for each in found] == [("note", 2)]


@pytest.mark.parametrize(
    "facts",
    [
        (loader(trained=1), rows_of()),  # one epoch
        (loader(order="shuffled"), rows_of()),
        (loader(order="own"), rows_of()),
        (loader(rows=8), rows_of(rows=8)),  # every step sees every row
        (loader(), rows_of(series="windows")),
        (loader(), rows_of(series="slow")),
        (loader(), rows_of(), ModuleCalls(1, (("rnn", "LSTM", True, 1),))),
    ],
    ids=["one epoch", "shuffled", "own sampler", "full batch", "windows", "slow", "recurrent"],
)
def test_orders_that_nothing_is_said_of(tmp_path: Path, facts: Sequence[Event]) -> None:
    assert look(tmp_path, SameOrder, steps(), *facts, *map(given, range(1, 6))) == []


def test_sorted_rows_are_known_by_their_batches(tmp_path: Path) -> None:
    labels = {"classes": [[0, 40], [1, 40]]}
    pure = [given(step, labels=[[step % 2, 8]]) for step in range(1, 7)]
    assert [
        each.level for each in look(tmp_path / "a", SameOrder, steps(), loader(), rows_of(labels=labels), *pure)
    ] == ["likely"]
    mixed = [given(step, labels=[[0, 4], [1, 4]]) for step in range(1, 7)]
    found = look(tmp_path / "b", SameOrder, steps(), loader(), rows_of(labels=labels), *mixed)
    assert [each.level for each in found] == ["note"]
    shuffled = look(tmp_path / "c", SameOrder, steps(), loader(order="shuffled"), rows_of(labels=labels), *pure)
    assert shuffled == []


def test_shared_rows_are_a_bug_only_where_they_were_compared(tmp_path: Path) -> None:
    def levels(folder: str, fact: Fact) -> list[str]:
        return [
            each.level
            for each in look(tmp_path / folder, SharedRows, steps(), loader(), SECOND, rows_of(), EXAMINED, fact)
        ]

    assert levels("proven", shared()) == ["bug"]
    assert levels("keys", shared(compared=0, equal=0)) == ["likely"]
    assert levels("one", shared(same=1, compared=0, equal=0)) == []
    assert levels("unlike", shared(equal=9)) == []
    assert levels("chance", shared(expected=8.0)) == []
    assert levels("kinds", shared(kinds=True, again=20)) == []
    assert levels("near", shared(same=0, asked=40, near=12, usual=0.0, distance=0.01, typical=1.0)) == ["likely"]
    assert levels("dense", shared(same=0, asked=40, near=12, usual=0.2, distance=0.01, typical=1.0)) == []
    assert levels("few", shared(same=0, asked=40, near=3, usual=0.0, distance=0.01, typical=1.0)) == []


def test_the_training_rows_examined_are_a_fault_only_where_they_are_called_otherwise(tmp_path: Path) -> None:
    whole = shared(rows=80, same=80)
    assert [
        each.level for each in look(tmp_path / "a", SharedRows, steps(), loader(), SECOND, rows_of(), EXAMINED, whole)
    ] == []
    named = Fact(40, "loader", dict(SECOND.values), ("a.py", 3))  # test_loader
    found = look(tmp_path / "b", SharedRows, steps(), loader(), named, rows_of(), EXAMINED, whole)
    assert [each.level for each in found] == ["bug"]


def test_fingerprints_tell_where_sets_are_not_in_memory(tmp_path: Path) -> None:
    def seen(step: int, evaluation: int, rows: range) -> BatchSeen:
        return BatchSeen(step, "x", (len(rows), 3), "float32", "cpu", tuple(rows), evaluation)

    apart = look(tmp_path / "a", SharedRows, steps(), seen(1, 0, range(40)), seen(5, 1, range(100, 120)))
    assert apart == []
    found = look(tmp_path / "b", SharedRows, steps(), seen(1, 0, range(40)), seen(5, 1, range(35, 55)))
    assert [(each.level, each.title) for each in found] == [
        ("likely", "5 of 20 evaluation rows that were seen had been trained on")
    ]
    later = look(tmp_path / "c", SharedRows, steps(), seen(9, 0, range(40)), seen(5, 1, range(35, 55)))
    assert later == []  # trained on after it


@pytest.mark.parametrize(
    ("taken", "left"),
    [
        ([(1, 0, 10), (2, 10, 20), (3, 20, 30), (4, 0, 10)], 5),  # the end of an epoch was seen
        ([(1, 0, 10), (2, 10, 20), (100, 0, 10)], 5),  # 99 steps are 33 epochs of three
        ([(1, 0, 10), (2, 10, 20), (3, 20, 30), (4, 30, 35), (5, 0, 10)], 0),
        ([(1, 0, 10), (2, 10, 20)], 0),  # nobody knows
    ],
)
def test_rows_that_are_left_out(tmp_path: Path, taken: list[tuple[int, int, int]], left: int) -> None:
    facts = [given(step, rows=10, how="slice", start=start, stop=stop, of=35) for step, start, stop in taken]
    found = look(tmp_path, RowsLeftOut, steps(100), rows_of(loader=0, rows=35), *facts)
    assert [each.title for each in found] == (
        [f"the last rows are never trained on: {left} of 35 rows"] if left else []
    )


def test_a_loop_that_leaves_its_loader_early(tmp_path: Path) -> None:
    found = look(
        tmp_path,
        RowsLeftOut,
        StepsDone(1, 1, [0.7] * 9, [0.1] * 9, [0.001] * 9, [8] * 9),
        StepsDone(10, 2, [0.7] * 9, [0.1] * 9, [0.001] * 9, [8] * 9),
        loader(),
        rows_of(),
        given(1),
    )
    assert [each.title for each in found] == ["each epoch trains on 72 of 80 rows"]


def test_workers_are_compared_only_where_there_are_some(tmp_path: Path) -> None:
    def prints(step: int) -> BatchSeen:
        first = 100 * ((step + 1) // 2)
        return BatchSeen(step, "x", (8, 3), "float32", "cpu", tuple(range(first, first + 8)))

    facts = [*map(given, range(1, 9)), *map(prints, range(1, 9)), rows_of()]
    found = look(tmp_path / "a", RepeatedByWorkers, steps(), loader(workers=2), *facts)
    assert [each.evidence["batches that repeat one before"] for each in found] == ["4 of 8 that were looked at"]
    assert look(tmp_path / "b", RepeatedByWorkers, steps(), loader(), *facts) == []


def test_batches_that_are_not_finite(tmp_path: Path) -> None:
    def broken(parameters: int, *, batch: bool) -> Fact:
        return Fact(
            3, "broken_batch", {"inputs": [["x", 2, 24, 1, [8, 3], batch]], "parameters": parameters}, ("a.py", 4)
        )

    assert [each.level for each in look(tmp_path / "a", BrokenValues, steps(), given(1), broken(0, batch=True))] == [
        "bug"
    ]
    assert look(tmp_path / "b", BrokenValues, steps(), given(1), broken(1, batch=True)) == []  # it began elsewhere
    assert look(tmp_path / "c", BrokenValues, steps(), given(1), broken(0, batch=False)) == []  # a mask, say
    assert look(tmp_path / "d", BrokenValues, steps(), given(1, not_finite=[3, 0])) == []  # and the loss is finite


def table(low: float, high: float, rows: int = 100) -> dict[str, Any]:
    middle, spread = (low + high) / 2, 0.8 * (high - low)
    found: dict[str, Any] = {"looked_at": rows, "columns": 1, "different_rows": rows, "least": low, "most": high}
    return found | {"centre": [middle], "spread": [spread], "low": [low], "high": [high]}


@pytest.mark.parametrize(
    ("low", "high", "rows", "told"),
    [
        (0.0, 255.0, 100, True),  # not divided by 255
        (0.0, 0.004, 100, True),  # divided twice
        (0.1, 1.2, 100, False),
        (0.4, 0.6, 100, False),  # one class only, perhaps
        (0.0, 255.0, 5, False),  # too few rows
    ],
)
def test_scales_of_training_and_evaluation(tmp_path: Path, low: float, high: float, rows: int, told: bool) -> None:
    training = rows_of(inputs=table(0.0, 1.0))
    evaluation = rows_of("evaluation", number=2, loader=2, evaluations=[1], inputs=table(low, high, rows))
    found = look(tmp_path, BrokenValues, steps(), loader(), SECOND, training, evaluation, given(1))
    assert [each.level for each in found] == (["likely"] if told else [])


def test_words_of_rows_and_targets_that_are_taken_apart() -> None:
    found = finding("D406_pairs", "D406", "apart")
    assert found["title"].startswith("rows and targets are taken by different numbers: rows ")
    assert found["message"].startswith("No row has its own target, so that there is nothing to learn")
    assert found["evidence"]["steps looked at"].endswith(", in each of them the numbers differ")
    assert found["fix"] == "take both with the same row numbers"


def test_labels_without_signal_need_a_loss_that_stays(tmp_path: Path) -> None:
    probe = {
        "rows": 300,
        "classes": 2,
        "chance": 0.5,
        "error": 0.06,
        "neighbours": 0.49,
        "linear": 0.52,
        "products": 0.5,
    }
    facts = rows_of(labels={"entropy": math.log(2)}, signal=probe)
    assert [each.level for each in look(tmp_path / "a", NothingToLearn, steps(loss=0.69), loader(), facts)] == [
        "likely"
    ]
    assert look(tmp_path / "b", NothingToLearn, steps(loss=0.4), loader(), facts) == []
    found = rows_of(labels={"entropy": math.log(2)}, signal={**probe, "linear": 0.6})
    assert look(tmp_path / "c", NothingToLearn, steps(loss=0.69), loader(), found) == []
    found = rows_of(labels={"entropy": math.log(2)}, signal={**probe, "products": 0.7})
    assert look(tmp_path / "e", NothingToLearn, steps(loss=0.69), loader(), found) == []
    del probe["products"]  # of an older record
    older = rows_of(labels={"entropy": math.log(2)}, signal=probe)
    assert len(look(tmp_path / "f", NothingToLearn, steps(loss=0.69), loader(), older)) == 1
    assert look(tmp_path / "d", NothingToLearn, steps(loss=math.nan), loader(), facts) == []


@pytest.mark.parametrize(
    ("rows", "told"),
    [([8] * 9 + [1], True), ([8] * 10, False), ([1] * 10, False)],
    ids=["a last one", "whole", "one by one"],
)
def test_batches_of_one_row(tmp_path: Path, rows: list[int], told: bool) -> None:
    norm = ModuleCalls(1, (("bn", "BatchNorm1d", True, 1),))
    found = look(tmp_path / "a", EmptyValues, steps(10, rows=rows), norm)
    assert [each.level for each in found] == (["note"] if told else [])
    assert look(tmp_path / "b", EmptyValues, steps(10, rows=rows)) == []


def test_where_an_order_begins_anew() -> None:
    assert period([(1, 0), (2, 10), (100, 0)], 10) == 99
    assert period([(1, 0), (100, 0), (1_000, 0)], 10) == 9
    assert period([(1, 0), (2, 10)], 10) == 0
    assert impurity([[0, 5], [1, 5]]) == 0.5
    assert impurity([]) == 0
    assert with_keyword(None, "shuffle", "True") == ""
