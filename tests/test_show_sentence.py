import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descend.show.sentence import sentence, unmoved

Report = dict[str, Any]


def said(report: Report) -> str:
    return sentence(report).replace("\N{NO-BREAK SPACE}", " ")


def digits(**changes: object) -> Report:
    """A finished training on digits."""
    report: Report = {
        "status": "finished",
        "title": "mnist · 60,000 images to learn from, 10,000 to be examined on · 28×28 → 10 digits",
        "recipe": {"epochs": 10},
        "task": "classes",
        "target_names": list("0123456789"),
        "unseen": "test",
        "rows": {"train": 60000, "validation": 0, "test": 10000},
        "before": {
            "train": {"loss": 2.3051, "accuracy": 0.0911},
            "validation": None,
            "test": {"loss": 2.3, "accuracy": 0.0908},
        },
        "train": {"loss": 0.0219, "accuracy": 0.994},
        "validation": None,
        "test": {"loss": 0.079, "accuracy": 0.9771},
        "epochs": [{"epoch": epoch, "loss": 0.3 / epoch} for epoch in range(1, 11)],
        "best_epoch": None,
        "losses": {"first": 2.31, "last": 0.02},
        "parameters": [{"name": "1.weight", "moved": 3.2}, {"name": "1.bias", "moved": 0.1}],
        "confused": [
            {"pair": ["4", "9"], "count": 23},
            {"pair": ["7", "2"], "count": 19},
            {"pair": ["3", "5"], "count": 4},
        ],
        "message": None,
    }
    return report | changes


def scores(**changes: object) -> Report:
    """A finished training on five rows with one value to predict."""
    report: Report = {
        "status": "finished",
        "title": "scores · 5 rows: hours → score",
        "recipe": {"epochs": 2000},
        "task": "values",
        "target_names": ["score"],
        "unseen": None,
        "rows": {"train": 5, "validation": 0, "test": 0},
        "before": {"train": {"loss": 7326.7314}, "validation": None, "test": None},
        "train": {"loss": 2.2405, "rmse": 1.49683, "mae": 1.2723, "r2": 0.9711},
        "validation": None,
        "test": None,
        "epochs": [{"epoch": 2000, "loss": 2.2405}],
        "losses": {"first": 7326.7314, "last": 2.2405},
        "parameters": [{"name": "0.weight", "moved": True}],
        "confused": None,
    }
    return report | changes


def test_digits_that_were_learned() -> None:
    assert said(digits()) == (
        "Loss fell from 2.3051 to 0.0219. It reads 97.7 % of 10,000 digits it has never seen (before: 9.1 %); "
        "4–9 and 7–2 are confused most."
    )


def test_values_that_were_learned() -> None:
    assert said(scores()) == (
        "Loss fell from 7,326.7 to 2.2405. Its predictions of score are off by 1.2723 on average (RMSE 1.4968, R² 0.9711) "
        "on the 5 rows it learned from. No rows were held back, so how it does on new ones is not known."
    )


def test_other_classes_than_digits() -> None:
    report = digits(title="arrays · 150 rows", confused=[{"pair": ["a", "b"], "count": 1}])
    assert said(report).endswith(
        "It gets 97.7 % of 10,000 examples it has never seen right (before: 9.1 %); a–b is confused most."
    )


def test_no_mistake_is_no_confusion_and_nearly_all_is_not_all() -> None:
    perfect = said(digits(test={"accuracy": 1.0}, confused=[]))
    assert "It reads 100.0 % of 10,000 digits it has never seen (before: 9.1 %)." in perfect
    nearly = said(
        digits(test={"accuracy": 0.9999}, confused=[{"pair": ["4", "9"], "count": 1}, {"pair": ["1", "2"], "count": 0}])
    )
    assert "It reads 99.99 % of" in nearly
    assert nearly.endswith("4–9 is confused most.")


def test_rows_for_validation_are_not_called_unseen() -> None:
    report = digits(
        unseen="validation",
        validation={"accuracy": 0.97},
        rows={"train": 54000, "validation": 6000, "test": 0},
        test=None,
    )
    assert "It reads 97.0 % of 6,000 digits kept apart for validation; 4–9" in said(report)
    assert "never seen" not in said(report)


def test_where_nothing_was_held_back() -> None:
    report = digits(unseen=None, test=None, confused=None, rows={"train": 60000})
    assert said(report).endswith(
        "It reads 99.4 % of the 60,000 digits it learned from (before: 9.1 %). "
        "No rows were held back, so how it does on new ones is not known."
    )


def test_one_row_is_one_row() -> None:
    assert "on the 1 row it learned from." in said(scores(rows={"train": 1}))


def test_accuracy_that_got_worse() -> None:
    assert "It reads 5.0 % of 10,000 digits it has never seen (before: 9.1 %, so it got worse)" in said(
        digits(test={"accuracy": 0.05})
    )


def test_no_better_than_the_most_frequent_class() -> None:
    confusion = [[0, 0], [0, 3]], [[7, 0], [3, 0]]
    frequent = said(digits(test={"accuracy": 0.7, "confusion": confusion[1]}, target_names=["no", "yes"]))
    assert frequent.endswith("(before: 9.1 %). Always saying no would do as well: 70.0 %.")
    rare = said(digits(test={"accuracy": 0.6, "confusion": [[6, 1], [3, 0]]}, target_names=["no", "yes"]))
    assert rare.endswith("Always saying no would do better: 70.0 %.")
    better = said(digits(test={"accuracy": 0.8, "confusion": [[6, 1], [1, 2]]}))
    assert "Always saying" not in better


def test_loss_that_did_not_fall() -> None:
    assert said(digits(train={"loss": 2.30511})).startswith("Loss did not move: it stayed at 2.3051.")
    assert said(digits(train={"loss": 2.29})).startswith("Loss hardly moved: from 2.3051 to 2.2900.")
    assert said(digits(train={"loss": 2.31})).startswith("Loss hardly moved: from 2.3051 to 2.3100.")
    assert said(digits(train={"loss": 4.0})).startswith("Loss rose from 2.3051 to 4.0000.")
    zero = {"train": {"loss": 0.0}}
    assert said(digits(before=zero, train={"loss": 0.0})).startswith("Loss did not move: it stayed at 0.0000.")
    assert said(digits(before=zero, train={"loss": 1.0})).startswith("Loss rose from 0.0000 to 1.0000.")


def test_loss_that_was_lower_once() -> None:
    epochs = [{"epoch": 1, "loss": 0.4}, {"epoch": 2, "loss": 0.2}, {"epoch": 3, "loss": 0.9}]
    assert said(digits(epochs=epochs, train={"loss": 0.8})).startswith(
        "Loss fell from 2.3051 to 0.8000, but it was lower in epoch 2: 0.2000."
    )
    kept = digits(epochs=epochs, train={"loss": 0.8}, best_epoch=2)
    assert said(kept).startswith(
        "Loss fell from 2.3051 to 0.8000. The weights of epoch 2 are kept, the best on the validation rows."
    )


def test_the_last_epoch_being_the_best_needs_no_word() -> None:
    assert "are kept" not in said(digits(best_epoch=10))


def test_losses_of_steps_where_the_rows_were_not_measured() -> None:
    assert said(digits(before={}, train=None)).startswith(
        "Loss fell from 2.3100 at the first step to 0.0200 at the last."
    )


def test_no_loss_no_word() -> None:
    assert said({"status": "finished"}) == ""


@pytest.mark.parametrize("last", [math.nan, math.inf])
def test_a_loss_that_is_not_a_number(last: float) -> None:
    assert said(digits(train={"loss": last}, unseen=None, parameters=[])).startswith(
        f"Loss went from 2.3051 to {last}: not a finite number."
    )


def test_parameters_that_never_moved() -> None:
    still = [{"name": "fc1.weight", "moved": 0.0}, {"name": "fc1.bias", "moved": False}]
    moving = [{"name": "fc2.weight", "moved": 1.0}, {"name": "unknown", "moved": None}]
    report = digits(parameters=[*still, *moving])
    assert unmoved(report) == ["fc1.weight", "fc1.bias"]
    assert said(report).endswith("2 of 4 parameters never moved: fc1.weight, fc1.bias.")
    assert said(digits(parameters=still)).endswith("No parameter ever moved.")
    many = [{"name": f"p{index}", "moved": 0} for index in range(5)]
    assert said(digits(parameters=[*many, *moving])).endswith("5 of 7 parameters never moved: p0, p1, p2, ….")


def test_divergence_speaks_of_nothing_else() -> None:
    message = "the loss became infinite at step 88; --lr 0.02 would have been stable"
    assert said(digits(status="diverged", message=message)) == f"The training diverged: {message}."
    assert said(digits(status="diverged")) == "The training diverged: its loss stopped being a finite number."


def test_failure() -> None:
    assert said(digits(status="failed", message="the disk is full.")) == "The training failed: the disk is full."
    assert said(digits(status="failed")) == "The training failed."


def test_interruption() -> None:
    three = digits()["epochs"][:3]
    assert said(digits(status="interrupted", epochs=three)).startswith(
        "Interrupted after 3 epochs of 10. Loss fell from"
    )
    assert said(digits(status="interrupted", epochs=three[:1])).startswith("Interrupted after 1 epoch of 10.")
    assert said(digits(status="interrupted", epochs=[])).startswith("Interrupted in the first epoch. Loss fell")


def test_early_stopping() -> None:
    report = digits(
        status="stopped early", epochs=digits()["epochs"][:6], best_epoch=4, message="no lower loss for 2 epochs"
    )
    assert said(report).startswith("Stopped early, after 6 epochs of 10: no lower loss for 2 epochs. Loss fell")
    assert "The weights of epoch 4 are kept" in said(report)


def test_values_without_all_metrics() -> None:
    assert "Its predictions of score are off by 1.4968 (root mean square) on the" in said(
        scores(train={"loss": 2.24, "rmse": 1.4968})
    )
    assert "Its predictions are off by 1.2000 on average on the" in said(
        scores(train={"loss": 2.24, "mae": 1.2}, target_names=["a", "b"])
    )
    assert "off by" not in said(scores(train={"loss": 2.24}))


def test_values_no_better_than_their_mean() -> None:
    report = scores(train={"loss": 90.0, "mae": 8.0, "r2": -0.2})
    assert "Always saying the mean would do as well or better." in said(report)
    assert "Always" not in said(scores())


def test_text_of_strangers_is_made_harmless() -> None:
    assert "\x1b" not in said(digits(confused=[{"pair": ["\x1b[31m", "9"], "count": 2}], message="\x1b]0;x"))


@given(
    first=st.floats(0, 1e9),
    last=st.floats(0, 1e9),
    before=st.floats(0, 1),
    after=st.floats(0, 1),
    status=st.sampled_from(["finished", "stopped early", "interrupted", "diverged", "failed"]),
)
def test_no_word_contradicts_the_numbers(first: float, last: float, before: float, after: float, status: str) -> None:
    text = said(
        digits(
            status=status,
            before={"train": {"loss": first}, "test": {"accuracy": before}},
            train={"loss": last},
            test={"accuracy": after},
        )
    )
    assert "fell" not in text or last < first
    assert "rose" not in text or last > first
    assert "got worse" not in text or after < before
    assert "100.0 % of" not in text or after == 1.0
    assert "nan" not in text
