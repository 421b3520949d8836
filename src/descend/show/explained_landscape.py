"""The landscape of a step in sentences, from its numbers."""

from collections.abc import Mapping
from typing import Any

from descend.explain.formulas.words import number
from descend.show import numbers


def landscape_words(worked: Mapping[str, Any]) -> list[str]:
    """Of linear least squares the whole bowl; of any other model its steepest direction."""
    if worked.get("landscape"):
        return _bowl(worked["landscape"])
    return _steepest(worked["curvature"], worked) if worked.get("curvature") else []


def _bowl(land: Mapping[str, Any]) -> list[str]:
    values = [number(each) for each in land["eigenvalues"]]
    directions = land["directions"]
    if len(values) < directions:
        values.insert(len(values) // 2, "…")
    shape = f"The loss is a bowl in {numbers.plural(directions, 'direction')}: "
    shape += f"the Hessian's {'eigenvalue is' if directions == 1 else 'eigenvalues are'} {', '.join(values)}"
    if land.get("condition") is None:
        shape += "; where one is 0 the bowl is flat."
    else:
        shape += f", its condition number is {number(land['condition'])}."
    limit = land.get("largest_stable_lr")
    least = f"The least loss that these rows allow is {number(land['floor'])}"
    if limit:
        least += f"; the largest stable learning rate is 2/λmax = {number(limit)}"
    said = [shape, f"{least}.{_compared(land, limit)}"]
    if land.get("epochs_now") is not None:
        near = land["close"] <= 1.011 * land["floor"]
        line = "At this rate the loss comes " + ("within 1 % of that, " if near else "down ")
        line += f"to {number(land['close'])}, after {numbers.plural(land['epochs_now'], 'epoch')}"
        if land.get("epochs_standardised") is not None:
            line += (
                f"; with standardised features and the rate that is best for them, {number(land['standardised_lr'])}, "
            )
            line += f"after {numbers.plural(max(1, land['epochs_standardised']), 'epoch')}"
        said.append(f"{line}.")
    if land.get("growth"):
        said.append(
            f"Above the limit the distance from the minimum grows by a factor of {number(land['growth'])} each epoch."
        )
    return said


def _compared(land: Mapping[str, Any], limit: float | None) -> str:
    """The run's learning rate beside the limit, where its optimizer is the one that the limit is for."""
    if limit and land.get("stable") is None:
        return " That is for plain gradient descent."
    return _share(land.get("lr"), limit)


def _share(lr: float | None, limit: float | None) -> str:
    """How much of the limit a learning rate is."""
    if lr is None or not limit:
        return ""
    return f" lr {lr:.6g} is {numbers.percent(lr / limit, 0, most=3)} of it."


def _steepest(curvature: Mapping[str, Any], worked: Mapping[str, Any]) -> list[str]:
    value = curvature.get("value")
    if value is None:
        return [f"The curvature was not worked out: {curvature['why']}."]
    products = numbers.plural(curvature["products"], "product")
    if value <= 0 and curvature["converged"]:
        return [
            f"This batch's loss curves upwards in no direction here: the Hessian's largest eigenvalue is {number(value)}."
        ]
    if value <= 0:
        return [
            f"The curvature was not worked out: in the time there is only {products} with the Hessian could be made."
        ]
    sure = "" if curvature["converged"] else "at least "
    how = f"{products} with the Hessian" if curvature["converged"] else f"after {products}, when time was up"
    said = f"The steepest direction of this batch's loss has the curvature λmax = {sure}{number(value)} ({how}). "
    limit = curvature["largest_stable_lr"]
    bound = "at most " if sure else ""
    said += f"Plain gradient descent on it is stable below 2/λmax = {bound}{number(limit)}."
    optimizer = (worked.get("update") or {}).get("optimizer")
    if curvature.get("plain"):
        return [f"{said}{_share(curvature.get('lr'), limit)}"]
    if optimizer == "SGD":
        return [f"{said} Momentum and weight decay move that limit."]
    scales = f" The rates of {optimizer} are not to be compared with that: it scales each gradient itself."
    return [f"{said}{scales if optimizer else ''}"]
