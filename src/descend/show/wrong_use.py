"""What the parser of the command line stumbled over, in our own words: what happened and what to type instead."""

from typing import assert_never

from cyclopts import CycloptsError
from cyclopts.exceptions import (
    CoercionError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from descend.errors import UsageError, did_you_mean
from descend.train.recipe import SETTINGS

_KINDS = {int: "a whole number", float: "a number", bool: "true or false"}


def explained(error: CycloptsError, commands: tuple[str, ...]) -> UsageError:
    """The parser's error as one of ours. ``commands`` are the names of all commands."""
    command = " ".join(error.command_chain or ("descend",))
    takes = f"descend {' '.join(error.command_chain or ())} --help shows what it takes"
    match error:
        case UnknownCommandError():
            word = (error.unused_tokens or [""])[0]
            kind = "flag" if word.startswith("-") else "command"
            return UsageError(
                f"there is no {kind} '{word}'{did_you_mean(word, commands)}",
                help=f"the commands are {', '.join(commands)}; descend --help says what each does",
            )
        case UnknownOptionError():
            return _unknown_flag(error, command, takes)
        case CoercionError():
            name, value = _name(error), error.token.value if error.token else ""
            kind = _KINDS.get(error.target_type or str, "another kind of value")
            return UsageError(f"{name} {value or '(empty)'}: expected {kind}", help=takes)
        case MissingArgumentError():
            return UsageError(f"{command} needs a value for {_name(error)}", help=takes)
        case RepeatArgumentError():
            return UsageError(f"{error.token.keyword} is given twice", help="give it once")
        case UnusedCliTokensError():
            words = " ".join(error.unused_tokens or ())
            return UsageError(f"{command} does not know what to do with '{words}'", help=takes)
        case CycloptsError():
            return UsageError(str(error), help=takes)
        case _:
            assert_never(error)


def _unknown_flag(error: UnknownOptionError, command: str, takes: str) -> UsageError:
    flag = (error.token.keyword or error.token.value).partition("=")[0]
    setting = flag.strip("-").replace("-", "_")
    if setting in SETTINGS and command == "train":
        return UsageError(
            f"there is no flag '{flag}', but a setting of that name",
            help=f"write --set {setting}=VALUE; it means: {SETTINGS[setting].metadata['meaning']}",
        )
    known = [name for argument in error.argument_collection for name in argument.names if name.startswith("--")]
    near = did_you_mean(flag, known)
    return UsageError(f"{command} has no flag '{flag}'{near}", help=takes)


def _name(error: CycloptsError) -> str:
    return getattr(error, "keyword", None) or (error.argument.name if error.argument else "an argument")
