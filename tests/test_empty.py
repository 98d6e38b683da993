"""An empty string is no value: what a script's unset variable leaves is refused by every verb and function."""

import inspect

import pytest
import typer

from sertools import api
from sertools.cli import VERBS, app
from sertools.errors import UsageError

COMMANDS = typer.main.get_command(app).commands
OPTIONS = [
    (verb, flag)
    for verb, command in COMMANDS.items()
    for param in command.params
    if param.param_type_name == "option" and not param.is_flag
    for flag in param.opts
]
PATHS = [
    (verb.__name__, name)
    for verb in VERBS
    if hasattr(api, verb.__name__)
    for name, parameter in inspect.signature(getattr(api, verb.__name__)).parameters.items()
    if "Path" in str(parameter.annotation) or name in ("val", "smote", "translate", "balance")
]
SAID = "is empty; give a value, or leave it out (is a variable unset?)"


@pytest.mark.parametrize(("verb", "flag"), OPTIONS)
def test_an_empty_option_is_a_usage_error(verb, flag, call):
    for words in ((flag, ""), (f"{flag}=",)) if flag.startswith("--") else ((flag, ""),):
        done = call(verb, "x", *words)
        assert (done.code, done.out, done.err) == (2, "", f"sertools {verb}: {flag}: {SAID}\n")


@pytest.mark.parametrize("verb", COMMANDS)
def test_an_empty_argument_is_a_usage_error(verb, call, tmp_path):
    for words in (("",), ("x", "", "-o", "y"), ("-q", ""), ("--", "")):
        done = call(verb, *words)
        assert (done.code, done.out, done.err) == (2, "", f"sertools {verb}: an argument: {SAID}\n")
    assert not list(tmp_path.iterdir())


def test_what_was_found(call, tiny_store, tmp_path):
    """Each of these meant the whole store, the whole corpus, or the working folder."""
    for words in (
        ("select", tiny_store, "--fold", "", "-o", "x.h5"),
        ("extract", "", "-o", "x.h5"),
        ("extract", tmp_path, "--shard", "", "-o", "x.h5"),
        ("extract", tmp_path, "--audio-root", "", "-o", "x.h5"),
        ("augment", tiny_store, "--strategy", "SA", "--noise", "", "-o", "x.h5"),
    ):
        assert call(*words).code == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "parameter"), PATHS)
def test_an_empty_path_is_refused_in_python_too(name, parameter, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function = getattr(api, name)
    needed = [
        each.name
        for each in inspect.signature(function).parameters.values()
        if each.default is inspect.Parameter.empty
    ]
    values = {**dict.fromkeys(needed, "x.png"), parameter: ""}
    if "kind" in needed:
        values["kind"] = "cvae"
    if name == "generate" and parameter != "balance":
        values["per_class"] = 1
    if name == "corpus":
        values["name"] = "folders"
    with pytest.raises(UsageError, match="a path is empty; name a file or folder"):
        function(**values)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "options"), [("select", {"fold": ""}), ("extract", {"shard": ""})])
def test_an_empty_part_is_refused_in_python_too(name, options, tiny_store, tmp_path):
    with pytest.raises(UsageError, match="expected K/N"):
        getattr(api, name)(tiny_store, tmp_path / "out.h5", **options)
    assert not list(tmp_path.iterdir())
