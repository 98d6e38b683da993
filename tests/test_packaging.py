"""What is said twice of the package is said alike: pyproject.toml, the conda recipe, CITATION.cff."""

import re
from pathlib import Path

import pytest

import sertools

ROOT = Path(__file__).parent.parent
RECIPE = (ROOT / "conda" / "meta.yaml").read_text(encoding="utf-8")
# Where conda's name of a package is not PyPI's.
CONDA = {"soundfile": "pysoundfile", "soxr": "soxr-python", "torch": "pytorch", "matplotlib": "matplotlib-base"}


def project() -> dict:
    tomllib = pytest.importorskip("tomllib")  # Python 3.11
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_recipe_needs_what_the_package_needs():
    section = RECIPE.split("  run:\n")[1].split("\n\n")[0]
    found = set(re.findall(r"- (\S+) (\S+)", section))
    wanted = {
        re.match(r"([\w-]+)(>=[\d.]+(?:,<[\d.]+)?)$", line).groups() for line in project()["project"]["dependencies"]
    }
    python = project()["project"]["requires-python"]
    assert found == {(CONDA.get(name, name), bound) for name, bound in wanted} | {("python", python)}


def test_the_recipe_builds_and_starts_as_the_package_does():
    (name, target), *_ = project()["project"]["scripts"].items()
    assert f"- {name} = {target}\n" in RECIPE
    assert [f"- {need.replace('>=', ' >=')}" in RECIPE for need in project()["build-system"]["requires"]] == [True]


def test_the_version_is_one():
    assert re.search(r'set version = "(.*)"', RECIPE)[1] == sertools.__version__
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.*)$", citation, re.MULTILINE)[1] == sertools.__version__
