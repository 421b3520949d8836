"""Every rule there is, by code, and the page that explains each."""

from collections.abc import Iterable, Sequence
from importlib import resources

from descend.check import (
    accumulation,
    class_ids,
    data,
    evaluation,
    exponentials,
    figures,
    gradients,
    graph_faults,
    graph_tensors,
    graph_updates,
    layout,
    logarithms,
    losses,
    numerics_faults,
    outputs,
    scale,
    schedule,
    shapes,
    shapes_axes,
    speed,
    targets,
    terms,
    windows,
)
from descend.check.rule import Rule
from descend.errors import UsageError, did_you_mean

RULES: tuple[type[Rule], ...] = tuple(
    sorted(
        (
            *data.RULES,
            *exponentials.RULES,
            *logarithms.RULES,
            *losses.RULES,
            *outputs.RULES,
            *class_ids.RULES,
            *targets.RULES,
            *terms.RULES,
            *evaluation.RULES,
            *figures.RULES,
            *speed.RULES,
            *gradients.RULES,
            *graph_faults.RULES,
            *graph_tensors.RULES,
            *graph_updates.RULES,
            *shapes.RULES,
            *layout.RULES,
            *shapes_axes.RULES,
            *numerics_faults.RULES,
            *scale.RULES,
            *schedule.RULES,
            *windows.RULES,
            *accumulation.RULES,
        ),
        key=lambda rule: rule.code,
    )
)
"""In the order of their codes."""


def rules(select: Iterable[str] = (), ignore: Iterable[str] = ()) -> list[Rule]:
    """The rules whose codes begin with one of ``select`` (all where it is empty) and with none of ``ignore``.

    Raises UsageError for a beginning that no code has.
    """
    select, ignore = _known(select), _known(ignore)
    return [
        rule()
        for rule in RULES
        if (not select or rule.code.startswith(select)) and not (ignore and rule.code.startswith(ignore))
    ]


def codes_from(text: str | None) -> list[str]:
    """``D1,D203`` as a list."""
    return [part.strip().upper() for part in (text or "").split(",") if part.strip()]


def page(code: str) -> str:
    """The page that explains a finding, as Markdown. Raises UsageError for a code that does not exist."""
    wanted = code.strip().upper()
    if wanted not in codes():
        raise UsageError(
            f"there is no finding {code}{did_you_mean(wanted, codes())}", help=f"the codes are {', '.join(codes())}"
        )
    return (resources.files("descend.check") / "pages" / f"{wanted}.md").read_text(encoding="utf-8")


def is_code(text: str) -> bool:
    """Whether a word is meant to be the code of a finding rather than the name of a run."""
    return len(text) == 4 and text[0] in "dD" and text[1:].isdecimal()


def codes() -> Sequence[str]:
    """The codes of all rules."""
    return [rule.code for rule in RULES]


def _known(beginnings: Iterable[str]) -> tuple[str, ...]:
    given = tuple(each.upper() for each in beginnings)
    for each in given:
        if not any(code.startswith(each) for code in codes()):
            raise UsageError(
                f"no finding has a code that begins with {each}{did_you_mean(each, codes())}",
                help=f"the codes are {', '.join(codes())}",
            )
    return given
