"""Model files: round trip, wrong kinds, and damage of every sort as one line."""

import ast
import dataclasses
import json
import os
import pickle
import shutil
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch
from chains import CPU, NET
from safetensors.torch import load, save, save_file

import sertools
from sertools.config import FrontEnd
from sertools.errors import ModelError, SertoolsError, TrainingError
from sertools.reporting.contents.description import describe
from sertools.scoring.results.evaluation import evaluate
from sertools.store.lineage import Lineage
from sertools.training.autoencoder import load_autoencoder
from sertools.training.checkpoint import Header, load_header, load_model, save_model
from sertools.training.classifier import load_classifier
from sertools.training.gan_file import load_generator
from sertools.training.scaling import MinMax

LOADERS = {"ae": load_autoencoder, "gan": load_generator, "clf": load_classifier}
KINDS = {"ae": "autoencoder", "gan": "gan", "clf": "classifier"}

HEADER = Header(
    kind="autoencoder",
    config={"net": dataclasses.asdict(NET)},
    front_end=FrontEnd(),
    scaler=MinMax(-79.5, 0.5, 0.25),
    history=('{"verb":"extract"}', '{"verb":"pretrain-ae"}'),
    lineage=Lineage(frozenset({"aa", "bb"}), frozenset({"cc"}), frozenset({"07", "Zoë"})),
    classes=("glücklich", "sad"),
    facts={"updates": 3, "speakers": ["07", "Zoë"]},
)


def metadata(path: Path) -> dict[str, str]:
    with safetensors.safe_open(path, framework="pt") as file:
        return file.metadata()


def with_header(path: Path, change) -> Path:
    """Change what a model says about itself; its weights stay."""
    described = json.loads(metadata(path)["sertools"])
    change(described)
    save_file(load(path.read_bytes()), path, {"sertools": json.dumps(described)})
    return path


def test_a_model_comes_back_as_it_was(tmp_path):
    tensors = {"b": torch.arange(6.0).reshape(2, 3).T, "a": torch.tensor(7)}
    save_model(tmp_path / "m", HEADER, tensors)
    header, found = load_model(tmp_path / "m", "autoencoder")
    assert header == HEADER
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    assert header.shape == (128, 128)
    assert header.net == NET
    save_model(tmp_path / "n", HEADER, dict(reversed(tensors.items())))
    assert (tmp_path / "n").read_bytes() == (tmp_path / "m").read_bytes()


def test_any_safetensors_reader_can_read_it(chain):
    assert list(metadata(chain.clf)) == ["sertools"]
    described = json.loads(metadata(chain.clf)["sertools"])
    assert described["kind"] == "classifier"
    assert described["classes"] == ["angry", "happy", "neutral", "sad"]
    assert "head.weight" in load(chain.clf.read_bytes())


def test_no_path_is_in_a_model(chain):
    for path in (chain.ae, chain.gan, chain.clf, chain.latents, chain.synth):
        assert str(chain.folder).encode() not in path.read_bytes()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_not_written(tmp_path, value):
    with pytest.raises(TrainingError, match=r"m: w is not finite after the last step; nothing was written"):
        save_model(tmp_path / "m", HEADER, {"w": torch.tensor([0.0, value])})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wanted", LOADERS)
@pytest.mark.parametrize("given", LOADERS)
def test_another_kind_is_refused_and_both_are_named(chain, wanted, given):
    path = getattr(chain, given)
    if wanted == given:
        LOADERS[wanted](path)
        return
    with pytest.raises(ModelError) as error:
        LOADERS[wanted](path)
    assert str(error.value) == f"{path}: is of the kind {KINDS[given]}; {KINDS[wanted]} is wanted here"


@pytest.mark.parametrize("name", ["train", "latents", "synth"])
@pytest.mark.parametrize("load_kind", LOADERS.values())
def test_hdf5_is_no_model(chain, name, load_kind):
    with pytest.raises(ModelError, match="not a model file"):
        load_kind(getattr(chain, name))


def foreign(path: Path) -> None:
    save_file({"w": torch.zeros(3)}, path)


def foreign_key(path: Path) -> None:
    save_file({"w": torch.zeros(3)}, path, {"sertools": "[]"})


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda p: p.write_bytes(b""), "not a model file"),
        (lambda p: p.write_bytes(os.urandom(4096)), "not a model file"),
        (lambda p: p.write_bytes(struct.pack("<Q", 2**60) + b"{"), "not a model file"),
        (lambda p: p.write_text("{}" * 9), "not a model file"),
        (foreign, "a safetensors file, but not one of sertools"),
        (foreign_key, "damaged header"),
        (lambda p: p.mkdir(), "Is a directory"),
        (lambda p: None, "No such file or directory"),
    ],
)
def test_files_that_are_no_model(tmp_path, write, words):
    path = tmp_path / "m"
    write(path)
    with pytest.raises(ModelError, match=words) as error:
        load_header(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_no_pickle_is_ever_read(chain, tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    (tmp_path / "pickle").write_bytes(pickle.dumps(Trap()))
    torch.save({"w": Trap()}, tmp_path / "torch")
    for name in ("pickle", "torch"):
        for load_kind in LOADERS.values():
            with pytest.raises(ModelError):
                load_kind(tmp_path / name)
    assert not (tmp_path / "sprung").exists()
    # And nothing in the package could.
    for source in Path(sertools.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [a.name for a in node.names] + [getattr(node, "module", None) or ""]
                assert not {"pickle", "joblib", "shelve", "dill"} & set(names), source
            if isinstance(node, ast.Attribute):
                assert ast.unparse(node) not in ("torch.load", "torch.save"), source


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("kind"),
        lambda d: d.pop("scaler"),
        lambda d: d.update(version=2),
        lambda d: d.update(config=3),
        lambda d: d["front_end"].update(n_mels=33),
        lambda d: d["front_end"].update(colour="red"),
        lambda d: d["front_end"].update(n_mels=64),
        lambda d: d["scaler"].update(low_db=5.0, high_db=-5.0),
        lambda d: d["scaler"].update(low_db="loud"),
        lambda d: d.update(classes=["a"]),
        lambda d: d.update(trained_on=[["a"]]),
        lambda d: d.update(trained_on=[1, "a"]),
        lambda d: d["front_end"].update(fmin=[]),
        lambda d: d["front_end"].update(window={"a": 1}),
        lambda d: d["front_end"].update(n_mels=32.0),
        lambda d: d["scaler"].update(clipped_share=None),
        lambda d: d["facts"].update(speakers=[{}]),
        lambda d: d["facts"].update(n_train_rows=[1]),
        lambda d: d["facts"].update(n_train_rows={"real": "many"}),
        lambda d: d["facts"].update(updates="some"),
        lambda d: d.update(selected_on="ab"),
        lambda d: d.update(history=["\ud800"]),
        lambda d: d.update(history=["extract"]),
        lambda d: d.update(history=["3"]),
        lambda d: d["facts"].update(updates=float("nan")),
        lambda d: d.update(facts=None),
        lambda d: d.update(facts={}),
        lambda d: d["config"].pop("arch"),
        lambda d: d["config"].update(arch="vgg91"),
        lambda d: d["config"].update(width="wide"),
        lambda d: d["config"].update(width=1e300),
        lambda d: d["config"].update(width=-1.0),
    ],
)
def test_a_header_that_contradicts_itself_is_damaged(chain, tmp_path, change):
    path = with_header(shutil.copy(chain.clf, tmp_path / "clf"), change)
    with pytest.raises(ModelError) as error:
        load_classifier(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["config"].pop("net"),
        lambda d: d["config"]["net"].update(depth=3),
        lambda d: d["config"]["net"].update(width=None),
        lambda d: d["config"]["net"].update(dropout=7),
        lambda d: d["config"]["net"].update(latent_size=-1),
        lambda d: d["config"]["net"].update(latent_size=10**30),
        lambda d: d["facts"].pop("latent_rows"),
        lambda d: d.update(classes=["angry", "happy"]),
    ],
)
def test_a_gan_that_contradicts_itself_is_damaged(chain, tmp_path, change):
    path = with_header(shutil.copy(chain.gan, tmp_path / "gan"), change)
    with pytest.raises(ModelError) as error:
        load_generator(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("dtype", [torch.float64, torch.int32])
def test_weights_of_another_type_are_refused(chain, tmp_path, dtype):
    tensors = load(chain.clf.read_bytes())
    tensors["features.1.running_mean"] = tensors["features.1.running_mean"].to(dtype)
    (tmp_path / "clf").write_bytes(save(tensors, metadata(chain.clf)))
    with pytest.raises(ModelError, match="its weights do not fit its own sizes"):
        load_classifier(tmp_path / "clf")


def attempts(path: Path, test: Path):
    """What users do with a file that they take for a model."""
    yield lambda: describe(path)
    yield from (lambda load_kind=load_kind: load_kind(path) for load_kind in LOADERS.values())
    yield lambda: evaluate(path, [test], device=CPU)


@pytest.mark.parametrize("kind", LOADERS)
def test_changed_bytes_load_or_are_one_line(chain, tmp_path, kind):
    """A seeded few hundred bytes, most in the header: an error of ours, or a load."""
    whole = getattr(chain, kind).read_bytes()
    header_size = 8 + struct.unpack("<Q", whole[:8])[0]
    rng = np.random.default_rng(int.from_bytes(kind.encode(), "little"))
    path, refusals = tmp_path / "m", []
    for attempt in range(150):
        damaged = bytearray(whole)
        for _ in range(int(rng.integers(1, 4))):
            place = int(rng.integers(0, len(whole) if attempt % 10 == 0 else header_size))
            damaged[place] = int(rng.choice([rng.integers(256), ord("9"), ord('"'), ord("}"), ord("a")]))
        if attempt % 15 == 0:
            damaged = damaged[: int(rng.integers(0, len(whole)))]
        path.write_bytes(damaged)
        for act in attempts(path, chain.test):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    act()
            except SertoolsError as error:
                refusals.append(str(error))
    assert len(refusals) > 3 * 150  # at least the loaders of other kinds
    assert not [text for text in refusals if "\n" in text]


def test_a_misspelt_model_is_told_its_neighbour(chain, tmp_path):
    shutil.copy(chain.gan, tmp_path / "gan.safetensors")
    with pytest.raises(
        ModelError, match=r"gam\.safetensors: No such file or directory; did you mean .*gan\.safetensors"
    ):
        load_header(tmp_path / "gam.safetensors")
