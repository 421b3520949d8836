"""Write the tables of docs/recipe.md from the recipe itself, so that the page cannot say anything else than the program does.

Usage: python scripts/recipe_page.py
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pages import DOCS, replaced, table

from descend.data.catalogue import CATALOGUE, SetInfo
from descend.train.choices import USUAL_LR, Choice, Machine, choose
from descend.train.recipe import SETTINGS, shown

PAGE = DOCS / "recipe.md"
NO_GPU = Machine(cuda=False, mps=False, cores=1)
VALUES = SetInfo(
    name="arrays",
    line="",
    task="values",
    feature_shape=(3,),
    outputs=1,
    train_rows=1000,
    test_rows=0,
    layouts=(),
    published={},
)
OWN_DATA: Mapping[str, SetInfo] = {  # what the choices made for somebody depend on
    "values": VALUES,
    "classes": replace(VALUES, task="classes", outputs=3),
    "images": replace(VALUES, task="classes", outputs=3, feature_shape=(1, 28, 28)),
    "at most 64 rows": replace(VALUES, train_rows=64),
}
DECIDED_LATER = {  # settings that depend on the machine, the model or another setting
    "device": "`cuda`, `mps` or `cpu`, the first there is",
    "threads": "1 for small products by hand, else one a core",
    "gradients": "`by-hand` where it covers the model, else `autograd`",
    "lr": f"`{USUAL_LR['adam']}`; `{USUAL_LR['sgd']}` with `sgd`",
}


def meaning(key: str) -> str:
    """What a setting is for, without the list of its values, which has a column of its own."""
    words: str = SETTINGS[key].metadata["meaning"]
    return words.removesuffix(f": {expected(key).replace('`', '')}")


def expected(key: str) -> str:
    """The values a setting can have, in the words of the message about one that it cannot have."""
    try:
        SETTINGS[key].metadata["check"](object())
    except ValueError as words:
        allowed = str(words)
    if allowed.startswith("one of "):
        return ", ".join(f"`{word}`" for word in allowed.removeprefix("one of ").split(", "))
    return allowed


def chosen_for_own_data(key: str) -> str:
    """What a setting becomes when nothing is said about it and nothing was published."""
    if key in DECIDED_LATER:
        return DECIDED_LATER[key]
    found = {kind: _choice(info, key) for kind, info in OWN_DATA.items()}
    usual = found.pop("values")
    others = {kind: choice for kind, choice in found.items() if choice.value != usual.value}
    text = f"`{shown(usual.value)}`"
    for value in dict.fromkeys(shown(choice.value) for choice in others.values()):
        text += f"; `{value}` for {' and '.join(kind for kind in others if shown(others[kind].value) == value)}"
    return text


def _choice(info: SetInfo, key: str) -> Choice:
    return next(choice for choice in choose({}, info, NO_GPU)[1] if choice.key == key)


def settings_table() -> str:
    """Every setting: what it means, what it can be, what it is when nobody says."""
    rows = [[f"`{key}`", meaning(key), expected(key), chosen_for_own_data(key)] for key in SETTINGS if key != "data"]
    return table(["setting", "meaning", "allowed", "when you say nothing, for data of your own"], rows)


def published_table() -> str:
    """The settings that each built-in set was published with."""
    keys = [key for key in SETTINGS if any(key in info.published for info in CATALOGUE.values())]
    rows = [[f"`{key}`", *(_published(info.published, key) for info in CATALOGUE.values())] for key in keys]
    return table(["", *(f"`{name}`" for name in CATALOGUE)], rows)


def _published(settings: Mapping[str, Any], key: str) -> str:
    return f"`{shown(settings[key])}`" if key in settings else ""


TABLES: Mapping[str, Callable[[], str]] = {"settings": settings_table, "published": published_table}


def written(page: str) -> str:
    """The page with its tables as they should be."""
    for name, make in TABLES.items():
        page = replaced(page, name, make())
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
