"""What comes between a backward pass and its update: clipping and scaling, D110."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isclose, isfinite
from typing import Any

from descend.check import words
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Finding
from descend.check.rule import Rule

Happened = Mapping[str, Any]

_RUNNING = 3  # updates that show it
_SCALED = 1.5  # from which on a scale is one


@dataclass(frozen=True, slots=True)
class Window:
    """All that came since the update before, and the update."""

    step: int
    before: Sequence[Happened]
    update: Happened

    @property
    def last_backward(self) -> int:
        """Its place among what came before; -1 where there is none."""
        return max((place for place, each in enumerate(self.before) if each["what"] == "backward"), default=-1)


class ClipMisplaced(Rule):
    """Gradients are clipped when they are not there yet, or no longer needed, or still scaled; or a step is taken with scaled ones."""

    code = "D110"
    highest = "bug"
    name = "clipping or unscaling at the wrong moment"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        misplaced: dict[tuple[str, int], list[tuple[Window, Happened]]] = {}
        scaled: dict[tuple[str, int], list[tuple[Window, Happened]]] = {}
        stepped: dict[tuple[str, int], list[tuple[Window, Happened]]] = {}
        for window in _windows(evidence):
            clip = _misplaced_clip(window)
            if clip is not None:
                misplaced.setdefault((clip["file"], clip["line"]), []).append((window, clip))
            clip = _scaled_clip(window)
            if clip is not None:
                scaled.setdefault((clip["file"], clip["line"]), []).append((window, clip))
            if _is_scaled_step(window):
                update = window.update
                stepped.setdefault((update["file"], update["line"]), []).append((window, update))
        for found in misplaced.values():
            if len(found) >= _RUNNING:
                yield self._misplaced(evidence, found)
        for found in scaled.values():
            if len(found) >= _RUNNING:
                yield self._scaled(evidence, found)
        for found in stepped.values():
            if len(found) >= _RUNNING:
                yield self._stepped(evidence, found)

    def clean(self, evidence: Evidence) -> str:
        clips = sum(each["what"] == "clip" for window in _windows(evidence) for each in window.before)
        return (
            f"gradients are clipped between backward and update ({clips} of {clips})" if clips else "nothing is clipped"
        )

    def _misplaced(self, evidence: Evidence, found: Sequence[tuple[Window, Happened]]) -> Finding:
        window, clip = found[0]
        backward = window.before[window.last_backward]
        empty = clip["used"] == 0
        when = "before backward()" if empty else "after the update"
        return Finding(
            code=self.code,
            level="bug",
            title=f"gradients are clipped {when} ({words.steps([each.step for each, _ in found])})",
            message=(
                "There are no gradients yet, so nothing is clipped, and the update uses them as large as they come."
                if empty
                else "The update has used these gradients already; those of the next one are never clipped."
            ),
            evidence={
                "threshold": words.number(clip["most"]),
                "norm when it was clipped": words.number(clip["norm"]),
                "norm at the update": words.number(window.update["norm"]),
            },
            where=evidence.place(clip["file"], clip["line"]),
            step=window.step,
            fix=f"move this line between backward() (line {backward['line']}) and the update (line {window.update['line']})",
        )

    def _scaled(self, evidence: Evidence, found: Sequence[tuple[Window, Happened]]) -> Finding:
        window, clip = found[0]
        scale = window.before[window.last_backward]["scale"]
        text = evidence.line_of(clip["file"], clip["line"]).strip()
        return Finding(
            code=self.code,
            level="bug",
            title=f"gradients are clipped while they are scaled by {words.number(scale)} "
            f"({words.steps([each.step for each, _ in found])})",
            message=f"The threshold {words.number(clip['most'])} is compared with a norm of {words.number(clip['norm'])}; without "
            f"the scale it is {words.number(clip['norm'] / scale)}. What is left after clipping and unscaling is far too small.",
            evidence={
                "threshold": words.number(clip["most"]),
                "norm, scaled": words.number(clip["norm"]),
                "norm, as it is": words.number(clip["norm"] / scale),
            },
            where=evidence.place(clip["file"], clip["line"]),
            step=window.step,
            fix=f"scaler.unscale_(optimizer)\n{text}",
        )

    def _stepped(self, evidence: Evidence, found: Sequence[tuple[Window, Happened]]) -> Finding:
        window, update = found[0]
        scale = window.before[window.last_backward]["scale"]
        text = evidence.line_of(update["file"], update["line"]).strip()
        optimizer = text.partition(".step(")[0]
        named = optimizer != text and all(part.isidentifier() for part in optimizer.split("."))
        return Finding(
            code=self.code,
            level="bug",
            title=f"the update uses gradients that are scaled by {words.number(scale)} "
            f"({words.steps([each.step for each, _ in found])})",
            message="The loss was scaled for half precision and the optimizer was stepped by itself: nobody divided the gradients "
            "by the scale again.",
            evidence={
                "norm at the update": words.number(update["norm"]),
                "norm, as it is": words.number(update["norm"] / scale),
            },
            where=evidence.place(update["file"], update["line"]),
            step=window.step,
            fix=f"scaler.step({optimizer})\nscaler.update()"
            if named
            else "step the optimizer through the scaler: scaler.step(optimizer)",
        )


def _windows(evidence: Evidence) -> list[Window]:
    """Every update of an optimizer in the steps that were looked at, with what came since the one before."""
    rows = evidence.facts("order")
    if not rows:
        raise CannotCheck("no step was taken" if not len(evidence.steps) else "no step was looked at closely")
    found: list[Window] = []
    before: list[Happened] = []
    last = 0
    for row in rows:
        if row.step != last + 1:
            before = []
        last = row.step
        for each in row.values["happened"]:
            if each["what"] == "update":
                if each["optimizer"]:
                    found.append(Window(row.step, before, each))
                before = []
            else:
                before.append(each)
    return found


def _misplaced_clip(window: Window) -> Happened | None:
    """A clipping that has nothing to clip, or what was used already, where none comes after the backward pass."""
    last = window.last_backward
    if last < 0 or any(each["what"] == "clip" for each in window.before[last:]):
        return None
    for each in window.before[:last]:
        if each["what"] != "clip" or not _is_threshold(each):
            continue
        there = each["parameters"] - each["missing"] - each["zero"]
        if each["parameters"] and (there == 0 or each["used"] == there):
            return each
    return None


def _scaled_clip(window: Window) -> Happened | None:
    """A clipping of gradients that a GradScaler has made large and that are unscaled only later."""
    last = window.last_backward
    if last < 0 or window.before[last]["scale"] < _SCALED:
        return None
    for each in window.before[last:]:
        if each["what"] == "unscale":
            return None
        if each["what"] == "clip" and _is_threshold(each) and each["most"] < 0.5 * window.before[last]["scale"]:
            return each
    return None


def _is_scaled_step(window: Window) -> bool:
    last = window.last_backward
    if last < 0 or window.update["scales"] or window.before[last]["scale"] < _SCALED:
        return False
    if any(each["what"] in ("unscale", "clip") for each in window.before[last:]):
        return False
    norm = window.before[last].get("norm")  # someone may have divided the gradients by hand
    return norm is not None and isclose(norm, window.update["norm"], rel_tol=1e-3)


def _is_threshold(clip: Happened) -> bool:
    """Whether it clips at all: an infinite threshold only measures."""
    most = clip["most"]
    return isinstance(most, int | float) and isfinite(most)


RULES: tuple[type[Rule], ...] = (ClipMisplaced,)
