"""What earlier versions had: their files are read, their states go on, a removed option says what became of it."""

import json
import shutil

import numpy as np
import pytest
from chains import finetune, pretrain, stop_after, synthesise
from test_checkpoint import with_header

from sertools.cli.command import REMOVED_OPTIONS
from sertools.errors import ModelError, Stopped
from sertools.store.reader import open_store
from sertools.training.checkpoint import load_header

OFF = {
    "pretrain-ae": {"class_loss": 0.0},
    "finetune-gan": {"real_sampling": "shuffled", "cond_ramp": 0.0, "diffaug": []},
}
IN_USE = {
    "pretrain-ae": {"class_loss": 0.1},
    "finetune-gan": {"real_sampling": "balanced", "cond_ramp": 0.3, "diffaug": ["shift"]},
}
LINES = {
    "pretrain-ae": ("x.h5",),
    "finetune-gan": ("ae", "l.h5", "x.h5"),
    "generate": ("gan",),
    "train-clf": ("x.h5",),
}
GIVEN = [(verb, option) for verb, options in REMOVED_OPTIONS.items() for option in options]


@pytest.mark.parametrize(("verb", "option"), GIVEN)
def test_a_removed_option_says_what_became_of_it(verb, option, call):
    done = call(verb, *LINES[verb], "-o", "out", option, "0.1")
    assert (done.code, done.err) == (2, f"sertools {verb}: {option}: was removed: {REMOVED_OPTIONS[verb][option]}\n")
    assert call(verb, f"{option}=0.1", *LINES[verb], "-o", "out").err == done.err
    assert option not in call(verb, "--help").out


def test_elsewhere_it_is_as_unknown_as_any_other(call):
    done = call("pretrain-ae", "x.h5", "-o", "out", "--diffaug", "shift")
    assert done.code == 2
    assert "No such option: --diffaug" in done.err


def older(path, target, options):
    """Copy a model, as a version made it that had more options."""
    shutil.copy(path, target)

    def change(described):
        verb = "pretrain-ae" if described["kind"] == "autoencoder" else "finetune-gan"
        described["config"] |= options[verb]
        lines = [json.loads(line) for line in described["history"]]
        for line in lines:
            line["options"] |= options.get(line["verb"], {})
        described["history"] = [json.dumps(line) for line in lines]

    return with_header(target, change)


@pytest.mark.parametrize("options", [OFF, IN_USE], ids=["off", "in use"])
def test_an_older_model_is_described_and_generates(options, chain, tmp_path, call):
    gan = older(chain.gan, tmp_path / "gan", options)
    differs = json.loads(call("info", gan).out)["differs_from_paper"]
    assert {name: differs[name] for name in OFF["finetune-gan"] if name in differs} == (
        IN_USE["finetune-gan"] if options is IN_USE else {}
    )
    rows = [synthesise(path, tmp_path / f"{path.parent.name}.h5", {"sad": 3}) for path in (gan, chain.gan)]
    old, new = (open_store(path).rows(np.arange(3)) for path in rows)
    np.testing.assert_array_equal(old, new)
    finetune(
        older(chain.ae, tmp_path / "ae", options), refitted(tmp_path, chain, call), [chain.train], tmp_path / "g"
    )
    assert load_header(tmp_path / "g").config.keys() == load_header(chain.gan).config.keys()


def refitted(folder, chain, call):
    assert call("fit-latents", folder / "ae", chain.train, "-o", "latents.h5").code == 0
    return folder / "latents.h5"


def test_a_result_with_removed_steps_is_reported(chain, tmp_path, call):
    """By its history: rows that a critic chose, and a classifier that started from another."""

    def change(described):
        line = json.loads(described["history"][-1])
        line["inputs"]["init"] = "1" * 32
        generated = {
            "verb": "generate",
            "options": {"counts": {"sad": 3}, "best_of": 3},
            "inputs": {"critic": "2" * 32},
        }
        described["history"][-1:] = [json.dumps(generated), json.dumps(line)]

    shutil.copy(chain.clf, tmp_path / "clf")
    with_header(tmp_path / "clf", change)
    tags = ("--tag", "method=m", "--tag", "fold=1")
    assert call("evaluate", "clf", chain.test, "-o", "r.json", *tags).code == 0
    assert call("info", "r.json").code == 0
    done = call("report", "r.json", "--html", "r.html")
    assert done.code == 0, done.err
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "# gone since: best_of=3; no option reads: critic-22222222" in page
    assert "; no option reads: init-11111111" in page


def train(verb, chain, output, **run):
    if verb == "pretrain-ae":
        pretrain([chain.train], output, **run)
    else:
        finetune(chain.ae, chain.latents, [chain.train], output, **run)


@pytest.mark.parametrize("verb", OFF)
def test_an_older_state_goes_on_if_what_was_removed_was_off(verb, chain, tmp_path):
    train(verb, chain, tmp_path / "whole")
    with pytest.raises(Stopped):
        train(verb, chain, tmp_path / "out", stop=stop_after(2))
    state = tmp_path / ".out.state"
    with_header(state, lambda described: described["signature"]["options"].update(IN_USE[verb]))
    for name in IN_USE[verb]:
        with pytest.raises(ModelError, match=rf"state of another run \(.*options\.{name} was .*, is null"):
            train(verb, chain, tmp_path / "out")
    with_header(state, lambda described: described["signature"]["options"].update(OFF[verb]))
    train(verb, chain, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()
    assert not state.exists()
