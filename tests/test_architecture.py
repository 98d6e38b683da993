"""The house rules, from the source: who imports whom, how long a module is, that every public thing is described."""

import ast
import graphlib
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import sertools
from sertools.cli import VERBS

PACKAGE = Path(sertools.__file__).parent
# In the order in which data flows; each imports only from those before it.
ROOMS = (
    *("corpora", "sound", "encoders", "store", "balance", "experiment", "nets", "training", "generation"),
    *("scoring", "reporting", "api", "batch", "cli"),
)
# And within the largest of them.
INNER_ROOMS = {
    "scoring": ("results", "comparing", "synthetic"),
    "reporting": ("contents", "plots", "reports", "exports"),
}
ROOT_MODULES = (
    *(
        "architectures",
        "arrays",
        "augment_config",
        "claim",
        "classifier_config",
        "config",
        "encoding",
        "errors",
        "fields",
    ),
    *("generator_config", "keywords", "metrics", "parallel", "presets", "processes", "provenance"),
    *("donor_config", "published_folds"),
    *("recording_config", "rehearsal", "spelling", "verb_config", "version", "voting"),
)
MOST_LINES = 300

SOURCES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in SOURCES.items()}


def imports(name: str, *, at_start: bool = False) -> Iterator[str]:
    """Full names of what a module imports; with `at_start`, only what it imports when it is imported itself."""
    for node in _nodes(TREES[name], at_start):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: a relative import"
            # `from sertools import x` may import the module x.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _nodes(tree: ast.AST, at_start: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(tree):
        later = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
        for_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        if at_start and (later or for_types):
            continue
        yield child
        yield from _nodes(child, at_start)


def room(name: str) -> str:
    """The first part of a name under sertools: a room, or a root module."""
    return name.partition("/")[0].removesuffix(".py")


def own(name: str) -> set[str]:
    """Rooms and root modules that a module imports."""
    return {full.split(".")[1] for full in imports(name) if full.startswith("sertools.") and full.count(".")}


def others(name: str, **options: bool) -> set[str]:
    return {full.split(".")[0] for full in imports(name, **options)}


def test_all_rooms_are_known():
    found = {room(name) for name in SOURCES} - {"__init__", "__main__"}
    assert found == {*ROOMS, *ROOT_MODULES}


@pytest.mark.parametrize("name", SOURCES)
def test_a_module_imports_only_from_rooms_before_its_own(name):
    here = room(name)
    if here in ("__init__", "__main__"):
        # What the package offers is loaded when it is asked for.
        at_start = {full.split(".")[1] for full in imports(name, at_start=True) if full.startswith("sertools.")}
        assert at_start <= {"cli", "version"}
        return
    if here in ROOT_MODULES:
        allowed = {*ROOT_MODULES}
    elif here == "nets":
        allowed = {"nets", *ROOT_MODULES}
    else:
        allowed = {*ROOMS[: ROOMS.index(here) + 1], *ROOT_MODULES}
    assert own(name) <= allowed


def test_no_two_modules_import_each_other_by_whatever_way():
    modules = {name.removesuffix(".py").replace("/", "."): name for name in TREES if "__init__" not in name}
    graph = {
        module: {
            other
            for full in imports(name)
            for other in (full.removeprefix("sertools."), full.removeprefix("sertools.").rpartition(".")[0])
            if full.startswith("sertools.") and other in modules and other != module
        }
        for module, name in modules.items()
    }
    assert sum(map(len, graph.values())) > 1000
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("outer", INNER_ROOMS)
def test_large_rooms_go_one_way_too(outer):
    rooms = INNER_ROOMS[outer]
    inside = {name: name.split("/")[1] for name in SOURCES if name.startswith(f"{outer}/") and name.count("/") > 1}
    assert set(inside.values()) == set(rooms)
    for name, here in inside.items():
        used = {full.split(".")[2] for full in imports(name) if full.startswith(f"sertools.{outer}.")}
        assert used <= set(rooms[: rooms.index(here) + 1]), name


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        (
            "torch",
            (
                *("encoders/", "nets/", "training/", "generation/", "scoring/synthetic/"),
                *("scoring/results/ensemble.py", "scoring/results/evaluation.py", "scoring/results/judge.py"),
                "reporting/exports/onnx_graph.py",
            ),
        ),
        ("safetensors", ("encoders/weights.py", "training/checkpoint.py")),
        ("transformers", ("encoders/families.py",)),
        ("huggingface_hub", ("encoders/hub.py",)),
        ("onnx", ("encoders/onnx_file.py", "reporting/exports/onnx_graph.py")),
        ("onnxruntime", ("encoders/onnx_file.py",)),
        ("librosa", ("sound/",)),
        ("soundfile", ("sound/", "corpora/")),
        ("soxr", ("sound/",)),
        ("h5py", ("store/", "training/latents.py")),
        ("matplotlib", ("reporting/plots/", "reporting/reports/page.py", "api/showing.py")),
        ("jinja2", ("reporting/reports/page.py",)),
        ("sklearn", ("training/gaussians.py", "scoring/synthetic/usefulness.py")),
        ("pyarrow", ("corpora/audformat.py", "reporting/exports/store.py")),
        ("tensorboard", ("reporting/exports/tensorboard.py",)),
        ("typer", ("cli/",)),
        ("rich", ("cli/",)),
    ],
)
def test_a_package_is_known_only_where_it_belongs(package, allowed):
    assert [name for name in SOURCES if package in others(name) and not name.startswith(allowed)] == []


def test_training_starts_without_the_tools_of_sound_and_pictures():
    for name in SOURCES:
        if room(name) in ("nets", "training", "generation", "store", "balance"):
            assert not {"librosa", "matplotlib", "sklearn"} & others(name, at_start=True), name


def test_metrics_need_numpy_alone():
    for name in ("arrays.py", "metrics.py", "voting.py"):
        assert others(name) <= {*sys.stdlib_module_names, "numpy", "sertools"}, name
        assert own(name) <= {"arrays", "errors", "metrics"}, name


def test_the_command_line_starts_with_the_standard_library_and_typer():
    for name in SOURCES:
        if room(name) in ("api", "cli", "config", "errors", "__init__", "__main__"):
            assert others(name, at_start=True) <= {*sys.stdlib_module_names, "typer", "sertools"}, name


def test_the_rules_of_make_are_written_by_the_standard_library_alone():
    lean = {"experiment", "errors", "version", "__init__", "balance", "published_folds", "provenance", "spelling"}
    read = {"balance/__init__.py", "balance/strategies.py", "published_folds.py", "provenance.py", "spelling.py"}
    for name in SOURCES:
        if room(name) == "experiment" or name in read:
            assert others(name) <= {*sys.stdlib_module_names, "sertools"}, name
            assert own(name) <= lean, name


def test_no_package_is_imported_that_is_not_declared():
    tomllib = pytest.importorskip("tomllib")  # Python 3.11
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    used_by = ("audformat", "arrow", "tensorboard", "encoder", "onnx")
    lines = project["dependencies"] + [line for name in used_by for line in extras[name]]
    declared = {line.split(">")[0].replace("-", "_") for line in lines}
    declared = declared - {"scikit_learn"} | {"sklearn", "sertools"}
    used = set().union(*(others(name) for name in SOURCES)) - set(sys.stdlib_module_names)
    assert used <= declared


def test_no_two_modules_share_a_name():
    # A file of `cli` has the name of its verb.
    files = [Path(name).name for name in SOURCES if room(name) != "cli"]
    assert [name for name in {*files} if files.count(name) > 1 and not name.startswith("__")] == []


def test_no_two_things_share_a_name():
    # A verb is the same word on every floor, and every reader of a corpus has a `read`.
    same = {verb.__name__ for verb in VERBS} | {"main", "read"}
    names = Counter(
        node.name
        for tree in TREES.values()
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
    )
    assert [name for name, count in names.items() if count > 1 and name not in same] == []


@pytest.mark.parametrize("name", SOURCES)
def test_a_module_is_short(name):
    assert len(SOURCES[name].read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("name", SOURCES)
def test_everything_public_is_described(name):
    if name != "__main__.py":
        assert ast.get_docstring(TREES[name]), "the module"
    undescribed = [
        ".".join(part.name for part in (*parents, node))
        for node, *parents in _definitions(TREES[name])
        if not any(part.name.startswith("_") for part in (*parents, node)) and not ast.get_docstring(node)
    ]
    assert undescribed == []


def _definitions(tree: ast.AST, *parents: ast.AST) -> Iterator[tuple[ast.AST, ...]]:
    """Classes, functions and methods with what they lie in; not what lies in a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node, *parents
        if not isinstance(node, ast.FunctionDef):
            yield from _definitions(node, *parents, *([node] if isinstance(node, ast.ClassDef) else []))


def test_no_marks_of_unfinished_work():
    for name, path in SOURCES.items():
        text = path.read_text(encoding="utf-8")
        assert not [mark for mark in ("TODO", "FIXME", "XXX", "NotImplementedError") if mark in text], name
