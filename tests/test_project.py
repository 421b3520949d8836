"""The project as a whole: what is promised in its files holds for the files themselves."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "descend"
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
SETTINGS = tomllib.loads(PYPROJECT)
README = (ROOT / "README.md").read_text(encoding="utf-8")
MNIST = [
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
]


def run_python(*arguments: str, cwd: Path = ROOT) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["install", "test"])
def test_readme_command_makes_an_environment_and_installs_with_constraints(name: str) -> None:
    command = run_python("scripts/readme_command.py", name).strip()
    assert command in README
    assert command.startswith("python3 -m venv .venv && .venv/bin/pip install -c constraints.txt ")
    assert "\n" not in command  # one command, to be pasted once


def test_readme_commands_end_in_what_they_promise() -> None:
    assert run_python("scripts/readme_command.py", "install").strip().endswith(".venv/bin/descend train mnist")
    assert run_python("scripts/readme_command.py", "test").strip().endswith(".venv/bin/pytest")


def test_an_unknown_readme_command_is_named_and_the_known_ones_listed() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/readme_command.py", "tset"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "README.md has no command 'tset'; it has: install, test\n")


def test_ci_takes_both_commands_from_the_readme() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "readme_command test" in ci
    assert "readme_command install" in ci
    assert "pip install" not in ci


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))])
def test_links_to_files_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```$|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)
    targets = [target for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in target]
    missing = [target for target in targets if not ((ROOT / page).parent / target).exists()]
    assert missing == []


def test_the_readme_python_example_runs(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```python\n(.+?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    printed = run_python("-c", example, cwd=tmp_path)
    scores = [float(number) for number in re.findall(r"\d+\.\d+", printed)]
    for published in (84.3833, 90.3978, 96.4123):
        assert any(abs(score - published) < 1e-3 for score in scores), printed


def test_every_dependency_has_its_reason_beside_it() -> None:
    listed = [*SETTINGS["project"]["dependencies"], *SETTINGS["project"]["optional-dependencies"]["test"]]
    listed += SETTINGS["build-system"]["requires"]
    for requirement in listed:
        lines = [line for line in PYPROJECT.splitlines() if f'"{requirement}"' in line]
        assert lines
        assert all(re.search(r"#\s+\S+(\s\S+){2,}", line) for line in lines), f"no reason beside {requirement}"


def test_every_lint_rule_and_every_ignore_has_its_reason_beside_it() -> None:
    lint = SETTINGS["tool"]["ruff"]["lint"]
    for rule in [*lint["select"], *lint["ignore"], *lint["per-file-ignores"]["tests/**"]]:
        lines = [line for line in PYPROJECT.splitlines() if line.strip().startswith(f'"{rule}",')]
        assert lines
        assert all(re.search(r",\s+# \S", line) for line in lines), f"no reason beside {rule}"


def test_constraints_fix_every_dependency_to_one_version() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pins = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][\w.]*", pin) for pin in pins), pins
    names = [re.sub(r"[-_.]+", "-", pin.partition("==")[0]).lower() for pin in pins]
    assert len(names) == len(set(names))
    listed = [*SETTINGS["project"]["dependencies"], *SETTINGS["project"]["optional-dependencies"]["test"]]
    missing = {re.split(r"[<>=]", requirement)[0] for requirement in listed} - set(names)
    assert missing == set()
    assert "torch==2.13.0" in pins


def test_the_version_is_said_once() -> None:
    version = SETTINGS["project"]["version"]
    assert importlib.metadata.version("descend") == version
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first = re.search(r"^## (\S+)", changes, flags=re.MULTILINE)
    assert first is not None
    assert first[1] == version


def test_the_licence_is_apache_2_in_full() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert SETTINGS["project"]["license"] == "Apache-2.0"
    assert "Copyright 2026 The descend authors" in text
    for part in ("Apache License\n", "Version 2.0, January 2004", *(f"\n   {number}. " for number in range(1, 10))):
        assert part in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert len(text.splitlines()) > 195


def imports_and_attributes(path: Path) -> set[str]:
    """Names of every module imported in the file, and every dotted name used in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Attribute):
            found.add(ast.unparse(node))
    return found


def uses_pickle(path: Path) -> set[str]:
    names = imports_and_attributes(path)
    modules = {"pickle", "_pickle", "shelve", "marshal", "dill", "cloudpickle", "joblib"}
    calls = {"torch.load", "torch.save", "torch.hub", "torch.serialization"}
    return {name for name in names if name.split(".")[0] in modules or name in calls}


@pytest.mark.parametrize(
    "code", ["import pickle", "from pickle import loads", "import torch\ntorch.load('x')", "from torch import save"]
)
def test_the_search_for_pickle_finds_it(code: str, tmp_path: Path) -> None:
    (tmp_path / "faulty.py").write_text(code)
    assert uses_pickle(tmp_path / "faulty.py")


def test_no_file_of_the_package_uses_pickle() -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    assert files
    faulty = {path.name: uses_pickle(path) for path in files if uses_pickle(path)}
    assert faulty == {}
    assert [path.name for path in files if "allow_pickle=True" in path.read_text(encoding="utf-8")] == []


def test_every_room_says_what_lives_there() -> None:
    rooms = sorted(path.parent for path in PACKAGE.rglob("*.py"))
    for room in set(rooms):
        docstring = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
        assert docstring, f"{room.name} has no docstring"
        assert len(docstring) > 60, f"{room.name}: what lives there, and what may it import?"


def test_what_help_needs_does_not_import_torch() -> None:
    light = ["errors", "cli", "data.catalogue", "train.recipe", "models.architecture"]
    light += [f"record.{path.stem}" for path in (PACKAGE / "record").glob("*.py") if path.stem != "__init__"]
    light += [f"show.{path.stem}" for path in (PACKAGE / "show").glob("*.py") if path.stem != "__init__"]
    code = f"""
import importlib, sys
import descend
for name in {["descend", *(f"descend.{name}" for name in light)]!r}:
    importlib.import_module(name)
    if "torch" in sys.modules:
        sys.exit(name + " imports torch")
"""
    run_python("-c", code)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive."""
    folder = tmp_path_factory.mktemp("built")
    run_python("-m", "hatchling", "build", "-d", str(folder))
    return folder


def test_the_wheel_holds_mnist_its_licence_and_ours(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for name in MNIST:
            assert archive.read(f"descend/data/mnist/{name}") == (PACKAGE / "data" / "mnist" / name).read_bytes()
    version = SETTINGS["project"]["version"]
    assert {"descend/data/mnist/LICENCE.md", "descend/py.typed"} <= names
    assert f"descend-{version}.dist-info/licenses/LICENSE" in names
    code = {f"descend/{path.relative_to(PACKAGE).as_posix()}" for path in PACKAGE.rglob("*.py")}
    assert code <= names
    assert {name.split("/")[0] for name in names} == {"descend", f"descend-{version}.dist-info"}


def test_the_source_archive_holds_what_the_readme_commands_need(built: Path) -> None:
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"pyproject.toml", "constraints.txt", "README.md", "LICENSE", "CHANGELOG.md", "mkdocs.yml", ".ci/run"}
    wanted |= {"docs/design.md", "tests/test_project.py", "scripts/readme_command.py"}
    wanted |= {f"src/descend/data/mnist/{name}" for name in [*MNIST, "LICENCE.md"]}
    assert wanted <= names
    assert not {name for name in names if name.startswith((".venv", "runs/", ".git/"))}


def test_the_size_report_flags_long_files_and_fails_on_alarming_ones(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "fine.py").write_text("x = 1\n\n")
    (tmp_path / "long.py").write_text("x = 1\n" * 401)
    printed = run_python("scripts/size.py", str(tmp_path))
    assert re.search(r"^ +401 +401 +long\.py  <- over 400$", printed, flags=re.MULTILINE)
    assert re.search(r"^ +2 +1 +room/fine\.py$", printed, flags=re.MULTILINE)
    assert re.search(r"^ +403 +402 +all  2 files$", printed, flags=re.MULTILINE)

    (tmp_path / "room" / "huge.py").write_text("x = 1\n" * 701)
    done = subprocess.run(
        [sys.executable, "scripts/size.py", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "over 700 lines: room/huge.py\n"


def test_pictures_load_nothing_from_elsewhere() -> None:
    for picture in (ROOT / "docs").rglob("*.svg"):
        text = picture.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|@import|@font-face|<script|<image", text), picture
