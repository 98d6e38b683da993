"""`plot` and `info`: every kind of file is drawn or described, and anything else is said to be none of ours."""

import dataclasses
import json
import os
import re
import shutil

import h5py
import numpy as np
import pytest
from chains import CPU, FRONT_END, GAN, noise, pretrain, stop_after, write_rows
from matplotlib.figure import Figure
from test_report import make_run

from sertools.cli.info import _page
from sertools.errors import ModelError, SertoolsError, Stopped, UsageError
from sertools.provenance import digest_file
from sertools.reporting.contents.description import describe, file_kind
from sertools.reporting.plots.pictures import draw
from sertools.reporting.reports.layouts import render
from sertools.scoring.comparing.summary import summarise
from sertools.scoring.results.evaluation import evaluate
from sertools.scoring.results.result_file import read_result, write_result
from sertools.scoring.synthetic.score import score
from sertools.store.reader import open_store
from sertools.training.latents import load_latents
from sertools.verb_config import Plotting

MAGIC = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF-"}
CLASSES = ["angry", "happy", "neutral", "sad"]
KINDS = {
    "train": "spectrograms",
    "synth": "spectrograms",
    "latents": "latents",
    "ae": "autoencoder",
    "gan": "gan",
    "clf": "classifier",
}
HISTORY = {
    "train": ["extract", "select"],
    "ae": ["extract", "select", "pretrain-ae"],
    "latents": ["extract", "select", "pretrain-ae", "fit-latents"],
    "gan": ["extract", "select", "pretrain-ae", "fit-latents", "finetune-gan"],
    "synth": ["extract", "select", "pretrain-ae", "fit-latents", "finetune-gan", "generate"],
}


@pytest.fixture
def results(chain, tmp_path):
    """Two results of different sizes."""
    paths = []
    for name, store in (("a", chain.test), ("b", chain.val)):
        paths.append(tmp_path / f"{name}.json")
        with paths[-1].open("w", encoding="utf-8") as stream:
            write_result(evaluate(chain.clf, [store], tags={"method": "GAN"}, device=CPU), stream)
    return paths


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts] + [t.get_text() for t in figure.texts]


@pytest.mark.parametrize("suffix", MAGIC)
@pytest.mark.parametrize("kind", ["stores", "results"])
def test_a_picture_is_what_its_suffix_says(chain, results, call, tmp_path, kind, suffix):
    files = [chain.train, chain.synth] if kind == "stores" else results
    for name in ("one", "two"):
        done = call("plot", *files, "-o", f"{name}.{suffix}", "--title", "A $title", "-n", 2)
        assert (done.code, done.out) == (0, ""), done.err
    content = (tmp_path / f"one.{suffix}").read_bytes()
    assert content.startswith(MAGIC[suffix])
    assert len(content) > 5000
    assert (tmp_path / f"two.{suffix}").read_bytes() == content


def test_stores_are_drawn_class_by_class_side_by_side(chain):
    figure = draw([chain.train, chain.synth], Plotting(n=2))
    pictures = [np.asarray(image.get_array()) for axes in figure.axes for image in axes.images]
    assert len(pictures) == 2 * 4 * 2
    # They are rows of the stores, in dB.
    rows = [open_store(path) for path in (chain.train, chain.synth)]
    known = {picture.tobytes() for store in rows for block in store.blocks() for picture in block}
    assert all(np.ascontiguousarray(p, dtype=np.float32).tobytes() in known for p in pictures)
    assert {"real (train)", "generated (synth)", *CLASSES} <= set(texts(figure)) | {
        axes.get_title() for axes in figure.axes
    }


def test_stores_are_named_columns_on_one_scale(chain):
    stores, given = [chain.train, chain.synth, chain.val], ["real", "proposed", "real again"]
    figure = draw(stores, Plotting(n=1, names=given))
    heads = sorted((text.get_position()[0], text.get_text()) for text in figure.texts if text.get_text() in given)
    assert [text for _, text in heads] == given  # from left to right
    images = [image for axes in figure.axes for image in axes.images]
    assert len(images) == 3 * 4
    assert len({image.get_clim() for image in images}) == 1
    assert len({image.get_cmap().name for image in images}) == 1
    loudest = max(float(np.max(image.get_array())) for image in images)
    assert images[0].get_clim() == pytest.approx((loudest - 80, loudest))
    assert {"time (s)", "frequency (Hz)"} <= set(texts(figure))
    assert not {"real (train)", "generated (synth)"} & set(texts(figure))


def test_names_that_do_not_fit_are_refused(chain, results):
    with pytest.raises(UsageError, match="--name: 1 for 2 stores; give one to each"):
        draw([chain.train, chain.synth], Plotting(names=["real"]))
    with pytest.raises(UsageError, match="--name: results have methods, not names"):
        draw(results, Plotting(names=["a", "b"]))


def test_results_are_added_up(results):
    figure = draw(results)
    confusions = [np.array(json.loads(p.read_text("utf-8"))["metrics"]["confusion"]) for p in results]
    drawn = " ".join(texts(figure))
    assert [int(n) for n in re.findall(r"\((\d+)\)", drawn)] == sum(confusions).ravel().tolist()


def test_an_empty_store_and_one_without_labels_can_be_drawn(rng, tmp_path):
    empty = write_rows(tmp_path / "empty.h5", noise(rng, 0), [])
    unlabelled = write_rows(tmp_path / "unlabelled.h5", noise(rng, 3), [""] * 3)
    assert draw([unlabelled, empty]).axes
    assert draw([unlabelled]).axes


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["train", "result"], "is spectrograms, .*a.json is result; give stores only"),
        (["gan"], "is gan; give stores only"),
        (["ae", "train"], "is autoencoder, .*train.h5 is spectrograms; give stores only"),
        (["train", "latents"], "latents.h5: a map is of one latents file; with stores .* give their autoencoder"),
        (["ae", "latents"], "latents.h5: a map is of one latents file"),
    ],
)
def test_mixed_kinds_are_refused_and_named(chain, results, names, words):
    with pytest.raises(UsageError, match=words):
        draw([results[0] if name == "result" else getattr(chain, name) for name in names])


def test_pictures_that_do_not_go_together_are_refused(chain, rng, results, tmp_path):
    front_end = dataclasses.replace(FRONT_END, fit="resize")
    other = write_rows(tmp_path / "s.h5", noise(rng, 1), ["sad"], front_end=front_end)
    with pytest.raises(SertoolsError, match="its front end differs"):
        draw([chain.train, other])
    text = results[1].read_text("utf-8").replace('"sad"', '"blue"')
    results[1].write_text(text, "utf-8")
    with pytest.raises(UsageError, match=r"b\.json: other classes than .*a\.json"):
        draw(results)


@pytest.mark.parametrize("name", ["p", "p.bmp", "p.jpeg", ".png"])
def test_an_unknown_suffix_is_named_before_anything_is_drawn(chain, call, tmp_path, name):
    done = call("plot", chain.train, "-o", name)
    assert done.code == 2
    assert done.err.startswith(f"sertools plot: {name}: cannot draw")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_told_and_described(chain, call, name):
    path = getattr(chain, name)
    assert file_kind(path) == KINDS[name]
    done = call("info", path)
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert found == json.loads(json.dumps(describe(path)))
    assert found["file"] == path.name
    assert found["kind"] == KINDS[name]
    assert found["front_end"] == dataclasses.asdict(FRONT_END)
    assert list(found["classes"]) == ([] if name == "ae" else CLASSES)
    n_seen = 0 if name == "train" else len(open_store(chain.train).contents.utterances)
    n_seen += 12 if name == "clf" else 0  # the generated rows
    assert found["lineage"] == {"trained_on": n_seen, "selected_on": 0, "speakers": 0 if name == "train" else 4}
    if name in HISTORY:
        assert [entry["verb"] for entry in found["history"]] == HISTORY[name]


def test_what_is_said_of_a_store(chain):
    found, store = describe(chain.train), open_store(chain.train)
    assert found["rows"] == len(store)
    assert found["utterances"] == len(store.contents.utterances)
    assert found["speakers"] == ["01", "02", "03", "04"]
    assert found["digest"] == store.contents.digest()
    assert found["virtual"] == [str(store.row_map.sources[0].path)]
    assert sum(counts["real"] for counts in found["classes"].values()) == len(store)
    assert found["classes"]["angry"]["utterances"] == 4
    assert found["hours"] == pytest.approx(store.contents.utterances["duration"].sum() / 3600, abs=1e-3)
    assert 0 < found["padded_share"] < 1
    assert found["rejected"] == []
    assert found["shard"] is None
    assert describe(chain.synth)["classes"]["sad"] == {"utterances": 3, "generated": 3}
    assert describe(chain.synth)["virtual"] == []


def test_what_is_said_of_latents_and_models(chain):
    found, latents = describe(chain.latents), load_latents(chain.latents)
    assert found["method"] == "empirical"
    assert found["latent_size"] == 12
    assert found["autoencoder"] == digest_file(chain.ae)
    assert [c["rows"] for c in found["classes"].values()] == list(latents.gaussians.n_rows)
    assert [c["rank"] for c in found["classes"].values()] == list(latents.gaussians.rank)
    # Infinity is no JSON.
    assert [c["condition"] is None for c in found["classes"].values()] == [r < 12 for r in latents.gaussians.rank]
    gan = describe(chain.gan)
    assert gan["config"]["steps"] == GAN.steps
    assert gan["facts"]["cov"] == "empirical"
    assert gan["scaler"]["low_db"] < gan["scaler"]["high_db"]


def test_what_is_said_of_a_result(results):
    found = describe(results[0])
    assert found["kind"] == file_kind(results[0]) == "result"
    assert found["tags"] == {"method": "GAN"}
    assert {"classes", "vote", "allow_seen", "metrics", "model", "history"} <= found.keys()
    assert found["history"][-1]["verb"] == "evaluate"


@pytest.fixture
def documents(chain, results, rng, tmp_path):
    """What `score` and `report` print as JSON."""
    emotions = ["angry", "sad"] * 80
    stores = [
        write_rows(tmp_path / "real.h5", noise(rng, 160), emotions),
        write_rows(tmp_path / "synth.h5", noise(rng, 160), emotions, origin="generated"),
    ]
    paths = {name: tmp_path / f"{name}.json" for name in ("score", "summary", "table3")}
    paths["score"].write_text(json.dumps(score(*stores, device=CPU), indent=2), "utf-8")
    report = summarise([read_result(results[0])])
    for layout in ("summary", "table3"):
        paths[layout].write_text(render(report, "json", layout), "utf-8")
    return paths


def test_what_is_said_of_a_score_and_a_report(documents, call, capsys):
    found = describe(documents["score"])
    printed = json.loads(documents["score"].read_text("utf-8"))
    assert (found["kind"], found["verdict"], found["why"]) == ("score", printed["verdict"], printed["why"])
    assert found["classes"]["sad"] == {
        "verdict": printed["classes"]["sad"]["verdict"],
        "real": 40,
        "held-out": 40,
        "generated": 80,
    }
    assert found["files"] == {"real": "real.h5", "generated": "synth.h5"}
    for layout in ("summary", "table3"):
        found = describe(documents[layout])
        row = json.loads(documents[layout].read_text("utf-8"))["rows"][0]
        assert (found["kind"], found["layout"], found["n_folds"]) == ("report", layout, 1)
        name = "GAN" if layout == "summary" else row["dataset"]
        assert found["methods"][name]["uar"] == row["uar"]
        assert found["classes"] == CLASSES
    for name, path in documents.items():
        done = call("info", path)
        assert (done.code, json.loads(done.out)["file"]) == (0, path.name), name
        _page(describe(path))
    page = capsys.readouterr().out
    assert printed["verdict"] in page
    assert "real=real.h5" in page
    assert "macro f1" in page


def test_differences_stand_in_the_summary(tmp_path):
    path = tmp_path / "report.json"
    runs = [make_run(m, f) for m in ("imbalanced", "GAN") for f in "12"]
    path.write_text(render(summarise(runs), "json"), "utf-8")
    bounds = json.loads(path.read_text("utf-8"))["rows"][1]["difference"]
    shown = f"{bounds['estimate']:+.1f} [{bounds['low']:+.1f}, {bounds['high']:+.1f}]"
    assert describe(path)["methods"]["GAN"]["difference"] == shown
    assert "difference" not in describe(path)["methods"]["imbalanced"]


def test_what_is_said_of_a_table_of_scores(documents, tmp_path, call):
    done = call("report", documents["score"], "--format", "json")
    (tmp_path / "scores.json").write_text(done.out, "utf-8")
    found = describe(tmp_path / "scores.json")
    assert (found["kind"], found["layout"]) == ("report", "scores")
    assert found["methods"]["synth.h5"]["distance"] == json.loads(done.out)["rows"][0]["distance"]
    done = call("report", documents["score"], "--html", "p.html")
    assert (done.code, "--same-speakers and --power are for results of evaluate" in done.err) == (2, True)


@pytest.mark.parametrize("name", ["score", "summary"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text[:-40], "damaged .*; make it again with 'sertools (score|report)"),
        (lambda text: text.replace('"classes"', '"clases"'), "'classes' is missing"),
        (lambda text: text.replace('"notes": [', '"notes": [3, '), "3 stands where a text should"),
        (lambda text: text.replace('version": 1', 'version": 99'), "of version 99, this sertools reads 1"),
        (lambda text: text.replace('"notes": [', '"notes": [NaN, '), "not finite"),
    ],
)
def test_damaged_documents_are_named(documents, name, change, words):
    path = documents[name]
    path.write_text(change(path.read_text("utf-8")), "utf-8")
    with pytest.raises(ModelError, match=words) as error:
        describe(path)
    assert path.name in str(error.value)


def test_a_documents_names_cannot_steer_the_terminal(documents, capsys):
    path = documents["summary"]
    path.write_text(path.read_text("utf-8").replace('"GAN"', r'"\u001b[31m[bold]GAN"'), "utf-8")
    _page(describe(path))
    page = capsys.readouterr().out
    assert "\x1b[31m" not in page
    assert r"\u001b[31m[bold]GAN" in page


def test_verify_finds_a_picture_that_has_changed(chain, call, tmp_path):
    path = shutil.copy(chain.synth, tmp_path / "s.h5")
    assert json.loads(call("info", path, "--verify").out)["verified"] is True
    with h5py.File(path, "r+") as file:
        file["spectrogram"][4, 2, 2] += 1
    done = call("info", path, "--verify")
    assert (done.code, done.out) == (1, "")
    assert "1 of its pictures have changed since they were written, row 4" in done.err


@pytest.mark.parametrize("name", [*KINDS, "result"])
def test_a_page_for_people(chain, results, capsys, name):
    path = results[0] if name == "result" else getattr(chain, name)
    _page(describe(path))
    page = capsys.readouterr().out
    assert path.name in page
    assert KINDS.get(name, name) in page
    assert "pretrain-ae" in page or name == "train"


def test_classes_and_speakers_stand_first(chain, capsys):
    _page(describe(chain.train))
    first = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert first[1] == "class"
    assert first[2 : first.index("speakers")] == sorted(describe(chain.train)["classes"])
    assert first.index("speakers") < first.index("rows")


def test_a_name_cannot_steer_the_terminal(rng, tmp_path, capsys):
    path = write_rows(tmp_path / "s.h5", noise(rng, 2), ["\x1b[31mred", "[bold]sad[/]"])
    _page(describe(path))
    page = capsys.readouterr().out
    assert "\x1b[31mred" not in page
    assert "\\u001b[31mred" in page
    assert "[bold]sad[/]" in page


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 64, b"12345678{}", b"\x89HDF\r\n\x1a\n", b"RIFF\0\0\0\0WAVEfmt ", b"file,emotion\na,b\n"]
)
def test_garbage_is_none_of_ours(tmp_path, content):
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(SertoolsError) as error:
        file_kind(path)
    assert str(path) in str(error.value)
    with pytest.raises(SertoolsError):
        describe(path)


def test_other_hdf5_json_and_nothing(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = [1, 2]
    with pytest.raises(ModelError, match="an HDF5 file, but not one of sertools"):
        file_kind(tmp_path / "other.h5")
    (tmp_path / "other.json").write_text('{"a": 1}')
    with pytest.raises(ModelError, match="is not a result file"):
        describe(tmp_path / "other.json")
    for name, words in (("missing", "No such file"), (".", "Is a directory")):
        with pytest.raises(ModelError, match=words):
            file_kind(tmp_path / name)


def test_a_resume_state_is_called_by_its_name(chain, tmp_path):
    with pytest.raises(Stopped):
        pretrain([chain.train], tmp_path / "ae", stop=stop_after(1))
    with pytest.raises(ModelError, match=r"\.ae\.state: is the resume state of an unfinished training"):
        describe(tmp_path / ".ae.state")
    assert sorted(os.listdir(tmp_path)) == [".ae.state", "ae.log.ndjson"]
