from descend.show.header import header, parameter_count, recipe_facts
from descend.show.metrics import before_and_after, scalar_names, written


def shown(lines: list) -> list[str]:  # type: ignore[type-arg]
    return [line.plain.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


BEFORE = {
    "train": {"loss": 2.3051, "accuracy": 0.0911},
    "validation": None,
    "test": {"loss": 2.3048, "accuracy": 0.0908},
}
AFTER = {
    "train": {"loss": 0.0219, "accuracy": 0.9944},
    "validation": None,
    "test": {"loss": 0.079, "accuracy": 0.9771, "log_loss": 0.079, "macro_f1": 0.9768, "confusion": [[1]]},
}


def test_before_and_after_stand_side_by_side() -> None:
    assert shown(before_and_after(BEFORE, AFTER, 80)) == [
        "  before → after              loss           accuracy   macro-F1",
        "  training         2.3051 → 0.0219   9.11 % → 99.44 %",
        "  test             2.3048 → 0.0790   9.08 % → 97.71 %     0.9768",
    ]


def test_where_that_is_too_wide_a_line_a_metric() -> None:
    assert shown(before_and_after(BEFORE, AFTER, 50)) == [
        "                      before     after",
        "  training loss       2.3051    0.0219",
        "  training accuracy   9.11 %   99.44 %",
        "  test loss           2.3048    0.0790",
        "  test accuracy       9.08 %   97.71 %",
        "  test macro-F1            –    0.9768",
    ]


def test_no_result_no_table() -> None:
    assert before_and_after(BEFORE, {"train": None, "test": None}, 80) == []


def test_a_log_loss_is_shown_where_it_is_not_the_loss() -> None:
    assert scalar_names({"loss": 0.079, "log_loss": 0.079}) == ["loss"]
    assert scalar_names({"loss": 0.5, "log_loss": 0.079}) == ["loss", "log_loss"]
    assert scalar_names({"r2": None, "rmse": 1.0, "own": 2, "confusion": [[1]]}) == ["rmse", "own"]


def test_metrics_are_written_as_what_they_are() -> None:
    assert written("accuracy", 0.97714).replace("\N{NO-BREAK SPACE}", " ") == "97.71 %"
    assert written("rmse", 1.49683) == "1.4968"
    assert written("r2", None) == "–"


RECIPE = {
    "model": "mlp",
    "loss": "cross-entropy",
    "optimizer": "adam",
    "lr": 0.001,
    "batch_size": 64,
    "epochs": 10,
    "seed": 0,
    "schedule": "constant",
}


def test_a_recipe_in_a_few_words() -> None:
    facts = recipe_facts(RECIPE, "mlp 784 → 10 (7,850 parameters)", "cpu, 1 thread")
    assert [fact.replace("\N{NO-BREAK SPACE}", " ") for fact in facts] == [
        "mlp 784 → 10 (7,850 parameters)",
        "cross-entropy",
        "Adam lr 0.001",
        "batch 64",
        "10 epochs",
        "cpu, 1 thread",
        "seed 0",
    ]
    assert "full batch" in recipe_facts({"batch_size": "all"}, "", "")
    assert "cosine" in recipe_facts(RECIPE | {"schedule": "cosine"}, "", "")
    assert recipe_facts({}, "", "") == []


def test_the_header_says_why_the_gradients_are_worked_out_so() -> None:
    choice = {
        "key": "gradients",
        "value": "by-hand",
        "reason": "the model is a stack of linear and relu",
        "by": "chosen",
    }
    lines = shown(header("mnist · 60,000 images", RECIPE, [choice], 80, architecture="mlp", device="cpu"))
    assert lines == [
        "mnist · 60,000 images",
        "mlp · cross-entropy · Adam lr 0.001 · batch 64 · 10 epochs · cpu · seed 0",
        "  by-hand gradients (the model is a stack of linear and relu)",
    ]
    mine = header("mnist · 60,000 images", RECIPE, [choice | {"by": "you"}], 80, architecture="mlp", device="cpu")
    assert shown(mine) == lines[:2]


def test_parameters_are_counted() -> None:
    assert parameter_count([(10, 784), (10,), ()]) == 7851
