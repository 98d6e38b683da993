"""Planted leaks: every way in which a test utterance can reach a classifier is refused, and the utterance named."""

import dataclasses
import json
import shutil
import sys

import h5py
import numpy as np
import pytest
import soundfile
from chains import AE, CPU, GAN, NET, classify, finetune, noise, pretrain, synthesise, write_rows

from sertools.balance.augmentation import augment_store
from sertools.balance.strategies import strategy
from sertools.config import FrontEnd
from sertools.corpora.sources import list_recordings
from sertools.errors import LineageError, SertoolsWarning
from sertools.generator_config import CvaeConfig
from sertools.scoring.results.evaluation import evaluate
from sertools.store.conditions import Condition
from sertools.store.extraction import extract
from sertools.store.merge import merge_stores
from sertools.store.reader import open_store
from sertools.store.select import Selection, select_store
from sertools.training.checkpoint import load_header
from sertools.training.latents import fit_latents, load_latents
from sertools.training.likelihood import train_generator
from sertools.training.loop import Run

COUNTS = dict.fromkeys(("angry", "happy", "neutral", "sad"), 2)


def refused(classifier, store, how="trained on", ids=None):
    """Check that a store is refused, and one of its own utterances named."""
    with pytest.raises(LineageError, match=rf"utterances were {how} by .*, '.+' among them") as error:
        evaluate(classifier, [store], device=CPU)
    assert error.value.exit_code == 1
    text = str(error.value)
    assert str(store) in text
    assert str(classifier) in text
    assert "select --fold K/N" in text
    named = text.split("'")[1]
    assert named in (ids or open_store(store).contents.utterances["id"].tolist())
    return text


def select(source, output, **where):
    conditions = tuple(Condition(column, tuple(values)) for column, values in where.items())
    select_store(source, output, Selection(where=conditions))
    return output


def test_utterances_that_no_ancestor_has_seen_are_accepted(chain):
    for store in (chain.test, chain.val):
        assert evaluate(chain.clf, [store], device=CPU).allow_seen is False


def test_trained_on(chain, tmp_path):
    text = refused(chain.clf, chain.train)
    n = len(open_store(chain.train).contents.utterances)
    assert f"{n} of its {n} utterances" in text


def test_one_utterance_among_many_is_enough(chain, tmp_path):
    name = open_store(chain.train).contents.utterances["id"][5]
    select(chain.train, tmp_path / "one.h5", id=[name])
    merge_stores([chain.test, tmp_path / "one.h5"], tmp_path / "mixed.h5")
    text = refused(chain.clf, tmp_path / "mixed.h5", ids=[name])
    assert "1 of its" in text
    # Also where it comes as a store of its own.
    with pytest.raises(LineageError, match=f"'{name}' among them"):
        evaluate(chain.clf, [chain.test, tmp_path / "one.h5"], device=CPU)


def test_by_the_command_line(chain, tmp_path, run):
    done = run("evaluate", chain.clf, chain.train, "-o", "r.json")
    assert done.code == 1
    assert done.out == ""
    (line,) = done.err.splitlines()
    assert line.startswith(f"sertools evaluate: {chain.train}: ")
    assert "were trained on by" in line
    assert not (tmp_path / "r.json").exists()


def test_allow_seen_stamps_the_result(chain, call):
    done = call("evaluate", chain.clf, chain.train, "--allow-seen")
    assert done.code == 0
    assert "trained on (01, 02, 03, 04)" in done.err
    found = json.loads(done.out)
    assert found["allow_seen"] is True
    assert json.loads(found["history"][-1])["options"]["allow_seen"] is True


def test_by_the_ancestors_of_generated_rows(chain, tmp_path):
    classify([chain.synth], tmp_path / "clf")
    refused(tmp_path / "clf", chain.train)
    evaluate(tmp_path / "clf", [chain.test], device=CPU)


def test_by_generated_rows_picked_from_a_merged_store(chain, tmp_path):
    merge_stores([chain.val, chain.synth], tmp_path / "merged.h5")
    select(tmp_path / "merged.h5", tmp_path / "picked.h5", origin=["generated"])
    classify([tmp_path / "picked.h5"], tmp_path / "clf")
    refused(tmp_path / "clf", chain.train)


def test_by_the_latents_alone(chain, tmp_path):
    """The Gaussians are fitted on the test set; all else is clean."""
    fit_latents(chain.ae, [chain.test], tmp_path / "l.h5", "pooled", CPU)
    finetune(chain.ae, tmp_path / "l.h5", [chain.train], tmp_path / "gan", dataclasses.replace(GAN, steps=0))
    synthesise(tmp_path / "gan", tmp_path / "synth.h5", COUNTS)
    classify([tmp_path / "synth.h5"], tmp_path / "clf")
    refused(tmp_path / "clf", chain.test)


def test_by_the_autoencoder_alone(chain, tmp_path):
    pretrain([chain.test], tmp_path / "ae")
    fit_latents(tmp_path / "ae", [chain.train], tmp_path / "l.h5", "pooled", CPU)
    finetune(tmp_path / "ae", tmp_path / "l.h5", [chain.train], tmp_path / "gan", dataclasses.replace(GAN, steps=0))
    synthesise(tmp_path / "gan", tmp_path / "synth.h5", COUNTS)
    classify([tmp_path / "synth.h5"], tmp_path / "clf")
    refused(tmp_path / "clf", chain.test)


def test_by_the_gans_own_rows(chain, tmp_path):
    finetune(chain.ae, chain.latents, [chain.test], tmp_path / "gan", dataclasses.replace(GAN, steps=1))
    synthesise(tmp_path / "gan", tmp_path / "synth.h5", COUNTS)
    classify([tmp_path / "synth.h5"], tmp_path / "clf")
    refused(tmp_path / "clf", chain.test)


def test_by_copied_rows(chain, tmp_path):
    list(augment_store(chain.train, tmp_path / "cp.h5", strategy("CP")))
    select(tmp_path / "cp.h5", tmp_path / "copies.h5", origin=["copied"])
    classify([tmp_path / "copies.h5"], tmp_path / "clf")
    refused(tmp_path / "clf", select(chain.train, tmp_path / "minority.h5", emotion=["angry", "happy", "sad"]))
    # All of the source counts, also what was not copied.
    ids = [set(open_store(tmp_path / f"{name}.h5").contents.utterances["id"]) for name in ("minority", "copies")]
    untouched = sorted(ids[0] - ids[1])
    assert untouched
    refused(tmp_path / "clf", select(chain.train, tmp_path / "untouched.h5", id=untouched))


def test_by_altered_rows(chain, tiny_corpus, tmp_path):
    for _ in augment_store(chain.train, tmp_path / "sars.h5", strategy("SARS"), audio_root=tiny_corpus):
        pass
    select(tmp_path / "sars.h5", tmp_path / "new.h5", origin=["time_stretch", "pitch_shift"])
    classify([tmp_path / "new.h5"], tmp_path / "clf")
    refused(tmp_path / "clf", chain.train)
    refused(tmp_path / "clf", tmp_path / "new.h5")
    evaluate(tmp_path / "clf", [chain.test], device=CPU)
    # A classifier of the source has seen what was made of it.
    refused(chain.clf, tmp_path / "new.h5")


def test_by_validation(chain, tmp_path):
    classify([chain.train], tmp_path / "clf", val=chain.val)
    refused(tmp_path / "clf", chain.val, "chosen on")
    evaluate(tmp_path / "clf", [chain.test], device=CPU)


def test_by_validation_of_the_autoencoder(chain, tmp_path):
    pretrain([chain.train], tmp_path / "ae", AE, chain.val)
    fit_latents(tmp_path / "ae", [chain.train], tmp_path / "l.h5", "pooled", CPU)
    finetune(tmp_path / "ae", tmp_path / "l.h5", [chain.train], tmp_path / "gan", dataclasses.replace(GAN, steps=0))
    synthesise(tmp_path / "gan", tmp_path / "synth.h5", COUNTS)
    classify([chain.train, tmp_path / "synth.h5"], tmp_path / "clf")
    refused(tmp_path / "clf", chain.val, "chosen on")
    # Validation again on what was only chosen on is no leak.
    classify([chain.train, tmp_path / "synth.h5"], tmp_path / "clf", val=chain.val)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_by_the_same_audio_under_another_name(chain, tiny_corpus, tmp_path, suffix):
    """Neither the name, nor the folder, nor a lossless format hides a recording."""
    for source in sorted(tiny_corpus.glob("*/01_1.wav")):
        target = tmp_path / "renamed" / source.parent.name / f"x{suffix}"
        target.parent.mkdir(parents=True)
        if suffix == ".wav":
            shutil.copy(source, target)
        else:
            soundfile.write(target, *soundfile.read(source, dtype="int16"), subtype="PCM_16")
    stored = tmp_path / "stored.h5"
    for _ in extract(list_recordings([str(tmp_path / "renamed")], None, sys.stdin), stored, front_end(chain)):
        pass
    assert len(open_store(stored).contents.utterances) == 4
    refused(chain.clf, stored)


def front_end(chain) -> FrontEnd:
    return open_store(chain.train).contents.front_end


def test_silence_is_no_leak(chain, tmp_path):
    """All silent recordings are alike; that two sets hold one does not join them."""
    rng = np.random.default_rng(3)
    stores = []
    for part in ("train", "val", "test"):
        for emotion in ("happy", "sad"):
            (tmp_path / part / emotion).mkdir(parents=True)
            soundfile.write(tmp_path / part / emotion / f"{part}.wav", 0.1 * rng.standard_normal(16000), 16000)
            soundfile.write(tmp_path / part / emotion / f"{part}-silent.wav", np.zeros(16000), 16000)
        stores.append(tmp_path / f"{part}.h5")
        with pytest.warns(SertoolsWarning, match="2 of 4 recordings are silent or constant"):
            for _ in extract(list_recordings([str(tmp_path / part)], None, sys.stdin), stores[-1], front_end(chain)):
                pass
    classify(stores[:1], tmp_path / "clf")
    result = evaluate(tmp_path / "clf", stores[2:], val_path=stores[1], device=CPU)
    assert len(result.utterances) == len(result.validation) == 4


def test_shared_speakers_are_a_warning_and_no_error(chain, rng, tmp_path):
    path = write_rows(tmp_path / "s.h5", noise(rng, 2), ["sad", "happy"], speakers=["01", "99"])
    with pytest.warns(SertoolsWarning, match=r"1 of its speakers were trained on \(01\)"):
        evaluate(chain.clf, [path], device=CPU)


def test_speakers_behind_generated_rows_are_named_too(chain, tmp_path):
    """Generated rows have no speaker; what made them heard some."""
    merge_stores([chain.val, chain.synth], tmp_path / "merged.h5")
    select(tmp_path / "merged.h5", tmp_path / "picked.h5", origin=["generated"])
    other = write_rows(tmp_path / "o.h5", noise(np.random.default_rng(0), 2), ["sad", "happy"], speakers=["99", ""])
    for number, store in enumerate((chain.synth, tmp_path / "picked.h5")):
        classify([store], clf := tmp_path / f"clf{number}")
        with pytest.warns(SertoolsWarning, match=r"4 of its speakers were trained on \(01, 02, 03, 04\): the result"):
            evaluate(clf, [chain.train], device=CPU, allow_seen=True)
        evaluate(clf, [other], device=CPU)


def test_speakers_travel_through_every_tool(chain, tmp_path):
    heard = frozenset({"01", "02", "03", "04"})
    assert open_store(chain.train).contents.lineage.speakers == frozenset()
    assert load_header(chain.ae).lineage.speakers == heard
    assert load_latents(chain.latents).lineage.speakers == heard
    assert load_header(chain.gan).lineage.speakers == heard
    assert open_store(chain.synth).contents.lineage.speakers == heard
    list(augment_store(chain.train, tmp_path / "cp.h5", strategy("CP")))
    select(tmp_path / "cp.h5", tmp_path / "one.h5", speaker=["01"])
    assert open_store(tmp_path / "one.h5").contents.lineage.speakers == heard
    # The speakers of a validation set are chosen on, not trained on.
    pretrain([chain.train], tmp_path / "ae", AE, chain.val)
    assert load_header(tmp_path / "ae").lineage.speakers == heard
    with pytest.warns(SertoolsWarning, match="by heart"):
        list(train_generator([chain.val, chain.synth], Run(tmp_path / "cvae"), CvaeConfig(net=NET, steps=0)))
    assert load_header(tmp_path / "cvae").lineage.speakers == heard | {"05"}


def test_files_made_before_speakers_travelled_name_none(chain, tmp_path):
    old = tmp_path / "old.h5"
    shutil.copy(chain.synth, old)
    with h5py.File(old, "r+") as file:
        del file["lineage/speakers"]
    lineage = open_store(old).contents.lineage
    assert lineage == dataclasses.replace(open_store(chain.synth).contents.lineage, speakers=frozenset())
    classify([old], tmp_path / "clf")
    # A warning would be an error here.
    evaluate(tmp_path / "clf", [chain.train], device=CPU, allow_seen=True)
