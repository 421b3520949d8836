"""What a program writes is told with the line that wrote it, and written as ever."""

import contextlib
import io
import logging
import sys

import pytest
import torch
from rich.progress import track

from descend.record.events import Printed


def takes_a_step(w):
    loss = (w**2).sum()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
        w.grad.zero_()
    return loss.item()


def writes():
    w = torch.ones(2, requires_grad=True)
    for step in range(2):
        loss = takes_a_step(w)
        sys.stdout.write(f"step {step}: ")
        sys.stdout.write(f"loss {loss:.2f}\n")
        sys.stdout.write(f"\r{step + 1} of 2")
        print("an aside", file=sys.stderr)
    print("to nobody", file=io.StringIO())
    sys.stdout.write("the end")


def test_what_is_written_past_print_is_told_line_by_line(watch, capsys):
    seen = watch(writes)
    out, err = capsys.readouterr()
    assert out[: len(out) // 2] == out[len(out) // 2 :]
    assert err == "an aside\n" * 4
    assert [(event.step, event.text) for event in seen.all(Printed)] == [
        (1, "step 0: loss 2.00\n"),
        (1, "1 of 2"),
        (1, "an aside\n"),
        (2, "step 1: loss 1.28\n"),
        (2, "2 of 2"),
        (2, "an aside\n"),
        (2, "the end"),
    ]
    assert seen.all(Printed)[0].place == seen.line('"loss {loss')
    assert "write" not in vars(sys.stdout), "the stream has its own method again"


def logs():
    w = torch.ones(2, requires_grad=True)
    logger = logging.Logger("of the program", logging.INFO)  # noqa: LOG001 - nothing is left behind
    logger.addHandler(logging.StreamHandler(sys.stdout))
    for step in range(2):
        logger.debug("more than is wanted")
        logger.info("step %d: loss %.2f", step, takes_a_step(w))
    logging.Logger("without a handler").info("lost")  # noqa: LOG001


def test_what_is_logged_is_told_once_as_it_was_formatted(watch, capsys):
    seen = watch(logs)
    assert capsys.readouterr().out == "step 0: loss 2.00\nstep 1: loss 1.28\n" * 2
    assert [(event.step, event.text) for event in seen.all(Printed)] == [
        (1, "step 0: loss 2.00"),
        (2, "step 1: loss 1.28"),
    ]
    assert seen.all(Printed)[0].place == seen.line("logger.info")


def writes_elsewhere():
    with contextlib.redirect_stdout(io.StringIO()) as caught:
        print("kept")
        sys.stdout.write("unseen\n")
    return caught.getvalue()


class Slotted:
    """A stream that takes no attributes."""

    __slots__ = ("text",)

    def __init__(self):
        self.text = []

    def write(self, text):
        self.text.append(text)

    def flush(self):
        pass


def test_a_stream_of_the_programs_own_is_left_as_it_is(watch, monkeypatch):
    assert [event.text for event in watch(writes_elsewhere).all(Printed)] == ["kept\n"]
    monkeypatch.setattr(sys, "stdout", Slotted())
    assert [event.text for event in watch(writes).all(Printed)][:2] == ["an aside\n", "an aside\n"]
    assert "the end" in sys.stdout.text
    monkeypatch.setattr(sys, "stdout", None)
    assert watch(lambda: 1).all(Printed) == []


def shows_a_progress_bar():
    w = torch.ones(2, requires_grad=True)
    for _ in track(range(3)):
        sys.stdout.write(f"loss {takes_a_step(w):.2f}\n")


def test_a_progress_bar_of_a_library_is_not_told(watch, capsys):
    assert [event.text for event in watch(shows_a_progress_bar).all(Printed)] == [
        "loss 2.00\n",
        "loss 1.28\n",
        "loss 0.82\n",
    ]
    assert "100%" in capsys.readouterr().out


def writes_what_is_no_text():
    try:
        sys.stdout.write(5)
    except TypeError as error:
        return str(error)


def test_a_write_that_fails_fails_as_ever(watch, capsys):
    assert "must be str" in watch(writes_what_is_no_text).result
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_print_that_names_the_usual_streams_is_told(watch, stream, capsys):
    def prints():
        print("seen", file=getattr(sys, stream))

    assert [event.text for event in watch(prints).all(Printed)] == ["seen\n"]
    assert getattr(capsys.readouterr(), stream[3:]) == "seen\n" * 2
