"""The command line: which command was meant, and the exit status that comes of it.

Imports torch only inside a command, so that help answers at once.
"""

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from descend.commands.annotate import annotate
from descend.commands.ask import evaluate, predict
from descend.commands.check import check
from descend.commands.eject import eject
from descend.commands.explain import explain
from descend.commands.learn import learn
from descend.commands.runs import data, runs
from descend.commands.train import train
from descend.commands.watch import run
from descend.errors import DescendError, StorageError
from descend.show.output import drop_output, print_error, print_json, problem
from descend.stack import with_room

_INTERRUPTED = 1

app = App(
    name="descend",
    help="Train PyTorch models from scratch with nothing hidden.",
    version=lambda: __import__("importlib.metadata").metadata.version("descend"),
    default_parameter=Parameter(negative=(), show_default=False),
    help_flags=["--help", "-h"],
    suppress_keyboard_interrupt=False,  # it would end without a word
)
app.command(train)
app.command(data)
app.command(runs)
app.command(run, usage="Usage: descend run [FLAGS] SCRIPT [WHAT SCRIPT TAKES]")
app.command(check)
app.command(annotate)
app.command(explain)
app.command(evaluate)
app.command(predict)
app.command(eject)
app.command(learn)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit status: 0 done, 1 failed, 2 used wrongly."""
    return with_room(_main, sys.argv[1:] if arguments is None else arguments)


def _main(arguments: Sequence[str]) -> int:
    programs_own: Sequence[str] | None = None
    if list(arguments[:1]) == ["run"]:
        from descend.watching import own_words

        arguments, programs_own = own_words(arguments)
    try:
        result = app(list(arguments), exit_on_error=False, print_error=False, result_action="return_value")
        if sys.stdout is not None:  # closed by the caller
            sys.stdout.flush()
    except CycloptsError as error:
        return _used_wrongly(error, as_json="--json" in arguments and programs_own is None)
    except DescendError as error:
        print_error(error)
        return error.exit_status
    except KeyboardInterrupt:
        sys.stderr.write("descend: interrupted\n")
        return _INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as with `| head`
        drop_output()
        return 0
    except OSError as error:
        drop_output()
        return _refused(error)
    if programs_own is not None and hasattr(result, "run"):
        status: int = result.run(programs_own)  # a program to be watched: its errors are its own
        return status
    return result if isinstance(result, int) else 0


def _used_wrongly(error: CycloptsError, *, as_json: bool) -> int:
    from descend.show.wrong_use import explained

    wrong = explained(error, tuple(name for name in app if not name.startswith("-")))
    if as_json:
        print_json(problem(wrong), sys.stdout)
    print_error(wrong)
    return wrong.exit_status


def _refused(error: OSError) -> int:
    from descend.record.files import help_for, reason_of

    if error.filename is None:
        where, help = "the output", "free some space there, or send the output elsewhere"
    else:
        where, help = str(error.filename), help_for(error)
    print_error(StorageError(f"the system refused: {reason_of(error)}", where=where, help=help))
    return StorageError.exit_status
