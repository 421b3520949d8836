"""How often lines ran, where the text alone says it; and nothing where it does not."""

import ast
import textwrap

import pytest

from descend.explain.annotate.names import Names
from descend.explain.annotate.program import programs_of
from descend.explain.annotate.times import Times, is_conditional, loops_around


def times(text: str, turns: dict[int, int] | None = None, printed: dict[int, int] | None = None) -> dict[int, int]:
    """Line → how often. ``turns``: of the loop that begins at a line."""
    (program,) = programs_of({"/a.py": textwrap.dedent(text).strip()})
    loops = {node.lineno: node for node in ast.walk(program.tree) if isinstance(node, ast.For | ast.While)}
    known = {loops[line]: count for line, count in (turns or {}).items()}
    return Times(program.tree, Names(program), known, printed).of


def test_loops_in_loops() -> None:
    text = """
    epochs = 3
    for epoch in range(epochs):
        total = 0
        for start in range(0, 100, 30):
            total += start
        print(total)
    """
    assert times(text) == {1: 1, 2: 3, 3: 3, 4: 12, 5: 12, 6: 3}


def test_a_number_that_changes_is_not_taken() -> None:
    assert 2 not in times("n = int(input())\nfor i in range(n):\n    pass")
    assert times("n = 2\nn = 5\nfor i in range(n):\n    pass")[4] == 5
    changed = times("n = 2\nfor i in range(3):\n    for j in range(n):\n        n += 1")
    assert changed == {1: 1, 2: 3}


def test_what_depends_on_a_condition_has_no_number() -> None:
    text = """
    for i in range(10):
        if i % 5 == 0:
            print(i)
        else:
            i += 1
        x = i
    """
    assert times(text) == {1: 10, 2: 10, 6: 10}
    assert times(text, printed={3: 2}) == {1: 10, 2: 10, 3: 2, 6: 10}


@pytest.mark.parametrize("leave", ["break", "continue"])
def test_a_loop_that_may_be_left_early_has_no_number(leave: str) -> None:
    found = times(f"for i in range(10):\n    if i > 5:\n        {leave}\n    x = i\ny = 1")
    assert found == {5: 1}


def test_what_comes_after_a_way_out_has_no_number() -> None:
    assert times("import sys\nif len(sys.argv) > 3:\n    sys.exit(0)\nx = 1") == {1: 1, 2: 1}


def test_the_record_counts_loops_over_loaders() -> None:
    text = "for epoch in range(2):\n    for x in loader:\n        y = x\n    z = y"
    assert times(text) == {1: 2, 4: 2}
    assert times(text, turns={2: 14}) == {1: 2, 2: 14, 3: 14, 4: 2}


def test_functions_run_as_often_as_they_are_called() -> None:
    text = """
    def inner(x):
        return x

    def outer(x):
        return inner(inner(x))

    for i in range(4):
        outer(i)
    inner(1)
    """
    assert times(text) == {1: 1, 2: 9, 4: 1, 5: 4, 7: 4, 8: 4, 9: 1}


def test_a_main_function() -> None:
    text = """
    def main():
        epochs = 3
        for epoch in range(epochs):
            print(epoch)

    if __name__ == "__main__":
        main()
    """
    assert times(text) == {1: 1, 2: 1, 3: 3, 4: 3, 6: 1, 7: 1}


@pytest.mark.parametrize(
    "text",
    [
        "def f(x):\n    return x\n\nlist(map(f, [1, 2]))",  # handed on
        "def f(x):\n    return x\n\n[f(i) for i in range(3)]",  # who knows how often
        "def f(x):\n    return x\n\ny = 0 or f(1)",
        "@cache\ndef f(x):\n    return x\n\nf(1)\nf(1)",
        "def f(x):\n    return f(x - 1)\n\nf(3)",  # calls itself
        "def f(x):\n    return x",  # not called here
    ],
)
def test_functions_whose_calls_cannot_be_counted(text: str) -> None:
    (body,) = (node.body[0].lineno for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef))
    assert body not in times(text)


def test_forward_runs_as_often_as_the_model_is_called() -> None:
    text = """
    class Net(Module):
        def __init__(self):
            self.a = 1
        def forward(self, x):
            return x

    net = Net()
    for i in range(3):
        net(i)
    net(0)
    """
    assert times(text) == {1: 1, 2: 1, 3: 1, 4: 1, 5: 4, 7: 1, 8: 3, 9: 3, 10: 1}
    assert 5 not in times(textwrap.dedent(text) + "evaluate(net)\n")


def test_an_update_after_every_fourth_backward_says_nothing_of_its_loop() -> None:
    text = "for i in range(8):\n    loss.backward()\n    if i % 4 == 3:\n        optimizer.step()"
    tree = ast.parse(text)
    (loop,) = loops_around(tree, 4)
    assert is_conditional(loop, 4)
    assert not is_conditional(loop, 2)
    assert loops_around(tree, 1) == []
