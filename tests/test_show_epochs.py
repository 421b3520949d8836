import pytest
from hypothesis import given
from hypothesis import strategies as st

from descend.record.events import EpochDone
from descend.show.epochs import EpochRow, chosen, epoch_table, round_step, row_of_event, rows_of_report


def shown(lines: list) -> list[str]:  # type: ignore[type-arg]
    return [line.plain.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def rows(epochs: int, first: int = 0) -> list[EpochRow]:
    return [EpochRow(epoch, 1.0, None, 0.5) for epoch in range(first, epochs + 1)]


def test_of_two_thousand_epochs_round_ones_are_chosen() -> None:
    picked = [row.epoch for row in chosen(rows(2000), 12)]
    assert picked == [0, 1, 200, 400, 600, 800, 1000, 1200, 1400, 1600, 1800, 2000]


def test_few_epochs_are_all_shown() -> None:
    assert chosen(rows(12), 12) == rows(12)


def test_a_row_that_is_asked_for_is_shown_too() -> None:
    assert 777 in [row.epoch for row in chosen(rows(2000), 12, also=[777])]


@given(st.integers(1, 100_000), st.integers(4, 30))
def test_the_first_and_the_last_are_always_there_and_not_too_many(epochs: int, most: int) -> None:
    picked = [row.epoch for row in chosen(rows(min(epochs, 3000), 1), most)]
    assert picked[0] == 1
    assert picked[-1] == min(epochs, 3000)
    assert len(picked) <= most
    assert epochs // round_step(epochs, most) <= most


@pytest.mark.parametrize(
    ("epochs", "most", "step"), [(5, 10, 1), (40, 20, 2), (200, 20, 10), (2000, 20, 100), (47, 10, 5)]
)
def test_round_steps(epochs: int, most: int, step: int) -> None:
    assert round_step(epochs, most) == step


def test_the_table() -> None:
    table = [
        EpochRow(0, 2.3051, {"loss": 2.3048, "accuracy": 0.0908}, None),
        EpochRow(1, 0.341, {"loss": 0.1872, "accuracy": 0.9462}, 0.49),
        EpochRow(10, 0.0247, {"loss": 0.079, "accuracy": 0.9771}, 0.52),
    ]
    assert shown(epoch_table(table, "test", width=80, outputs=10, notes={10: "kept"})) == [
        "   epoch     loss   test loss   test accuracy     time",
        "  before   2.3051      2.3048          9.08 %   guessing: ln 10 = 2.3026",
        "       1   0.3410      0.1872         94.62 %   0.49 s",
        "      10   0.0247      0.0790         97.71 %   0.52 s   kept",
    ]


def test_notes_are_left_out_where_there_is_no_room() -> None:
    lines = shown(epoch_table([EpochRow(0, 2.3, None, None)], None, width=30, outputs=10, notes={0: "x" * 30}))
    assert max(map(len, lines)) <= 30


def test_a_loss_far_from_guessing_is_not_called_guessing() -> None:
    lines = shown(epoch_table([EpochRow(0, 4.1, None, None)], None, width=80, outputs=10))
    assert "guessing" not in lines[1]


def test_a_rate_that_changes_has_a_column() -> None:
    still = [EpochRow(1, 1.0, None, 1.0, 0.1), EpochRow(2, 1.0, None, 1.0, 0.1)]
    falling = [EpochRow(1, 1.0, None, 1.0, 0.1), EpochRow(2, 1.0, None, 1.0, 0.01)]
    assert "lr" not in shown(epoch_table(still, None, width=80))[0]
    assert shown(epoch_table(falling, None, width=80))[2] == "      2   1.0000   0.01   1.0 s"


def test_rows_of_an_event() -> None:
    event = EpochDone(1, 938, 0.5, {"train": {"loss": 0.3}, "validation": {"loss": 0.2}, "test": {"loss": 0.1}})
    assert row_of_event(event) == EpochRow(1, 0.3, {"loss": 0.1}, 0.5)
    untrained = EpochDone(0, 0, 0.0, {"train": {"loss": 2.3}})
    assert row_of_event(untrained) == EpochRow(0, 2.3, None, None)


def test_rows_of_a_report() -> None:
    epoch = {"epoch": 1, "step": 9, "seconds": 0.5, "loss": 0.3, "validation": None, "test": {"loss": 0.2}, "lr": 0.1}
    report = {"unseen": "test", "before": {"train": {"loss": 2.0}, "test": None}, "epochs": [epoch]}
    assert rows_of_report(report) == [EpochRow(0, 2.0, None, None), EpochRow(1, 0.3, {"loss": 0.2}, 0.5, 0.1)]
    assert rows_of_report({}) == []
