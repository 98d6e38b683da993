"""Testing a classifier: the vote and the scores by hand, what is refused, and what the result says."""

import dataclasses
import io
import json
from collections import Counter

import numpy as np
import pytest
import torch
from chains import CLF, CPU, FRONT_END, classify, finetune, noise, synthesise, write_rows

from sertools.errors import LineageError, ModelError, SertoolsWarning, StoreError, UsageError
from sertools.provenance import digest_file
from sertools.scoring.results import ensemble
from sertools.scoring.results.evaluation import evaluate
from sertools.scoring.results.result_file import read_result, write_result
from sertools.store.conditions import Condition
from sertools.store.select import Selection, select_store
from sertools.training import chosen
from sertools.training.batches import open_rows
from sertools.training.checkpoint import load_header, load_model, save_model
from sertools.training.classifier import load_classifier, posteriors
from sertools.voting import utterance_uar

CLASSES = ("angry", "happy", "neutral", "sad")


def document(result):
    """What the file says."""
    stream = io.StringIO()
    write_result(result, stream)
    return json.loads(stream.getvalue())


@pytest.fixture
def planted(chain, rng, tmp_path, monkeypatch):
    """40 utterances of 1 to 4 segments, and random posteriors for a classifier to give."""
    n_segments = rng.integers(1, 5, 40)
    owner = np.repeat(np.arange(40), n_segments)
    emotions = [CLASSES[k] for k in rng.integers(0, 4, 40)]
    path = write_rows(tmp_path / "planted.h5", noise(rng, len(owner)), emotions, owner=owner.tolist())
    given = rng.dirichlet(np.ones(4), len(owner))
    monkeypatch.setattr(ensemble, "posteriors", lambda *_: given)
    return path, owner, emotions, given


@pytest.mark.parametrize("rule", ["majority", "mean"])
def test_votes_and_scores_are_those_counted_by_hand(chain, planted, rule):
    path, owner, emotions, given = planted
    found = document(evaluate(chain.clf, [path], rule=rule, device=CPU))
    n_ties, right, all_of = 0, Counter(), Counter(emotions)
    for number, (utterance, emotion) in enumerate(zip(found["utterances"], emotions, strict=True)):
        segments = given[owner == number]
        mean = segments.mean(axis=0)
        votes = Counter(int(segment.argmax()) for segment in segments)
        most = max(votes.values())
        tied = [k for k, n in votes.items() if n == most]
        predicted = max(tied, key=lambda k: mean[k]) if rule == "majority" else int(mean.argmax())
        n_ties += rule == "majority" and len(tied) > 1
        assert utterance["id"] == f"planted/{number}"
        assert utterance["emotion"] == emotion
        assert utterance["predicted"] == CLASSES[predicted]
        assert utterance["n_segments"] == len(segments)
        assert utterance["tied"] == (rule == "majority" and len(tied) > 1)
        np.testing.assert_allclose(utterance["posterior"], mean, atol=1e-6)
        right[emotion] += CLASSES[predicted] == emotion
    metrics = found["metrics"]
    recall = {name: right[name] / all_of[name] for name in CLASSES}
    assert metrics["recall"] == pytest.approx(recall)
    assert metrics["uar"] == pytest.approx(sum(recall.values()) / 4)
    assert metrics["accuracy"] == pytest.approx(sum(right.values()) / 40)
    assert metrics["n_ties"] == n_ties
    assert n_ties > 0 or rule == "mean"
    assert metrics["n_utterances"] == 40
    assert found["vote"] == rule


@pytest.mark.parametrize("rule", ["majority", "mean"])
def test_posteriors_divided_by_the_prior_are_counted_by_hand(chain, planted, rule):
    path, owner, _, given = planted
    prior = load_header(chain.clf).facts["prior"]
    found = document(evaluate(chain.clf, [path], rule=rule, adjust="priors", device=CPU))
    assert found["adjust"] == "priors"
    assert found["model"]["prior"] == prior
    assert json.loads(found["history"][-1])["options"]["adjust"] == "priors"
    assert "adjust" not in document(evaluate(chain.clf, [path], rule=rule, device=CPU))
    changed = 0
    for number, utterance in enumerate(found["utterances"]):
        segments = given[owner == number] / [prior[name] for name in CLASSES]
        segments /= segments.sum(axis=1, keepdims=True)
        mean = segments.mean(axis=0)
        votes = np.bincount(segments.argmax(axis=1), minlength=4)
        by_rule = np.where(votes == votes.max(), mean, -1) if rule == "majority" else mean
        assert utterance["predicted"] == CLASSES[int(by_rule.argmax())]
        np.testing.assert_allclose(utterance["posterior"], mean, atol=1e-6)
        changed += not np.allclose(mean, given[owner == number].mean(axis=0))
    assert changed


def test_what_is_validated_on_is_divided_too(chain):
    plain = evaluate(chain.clf, [chain.test], val_path=chain.val, device=CPU)
    found = evaluate(chain.clf, [chain.test], val_path=chain.val, adjust="priors", device=CPU)
    assert (plain.adjust, found.adjust) == ("none", "priors")
    assert found.implied_prior == (0.25,) * 4
    assert plain.implied_prior == pytest.approx(tuple(load_header(chain.clf).facts["prior"].values()))
    single = [k for k, u in enumerate(plain.validation) if u.n_segments == 1]
    assert single
    for k in single:
        expected = np.array(plain.validation[k].posterior) / plain.implied_prior
        np.testing.assert_allclose(found.validation[k].posterior, expected / expected.sum())


def test_a_classifier_of_an_earlier_version_has_no_prior_to_divide_by(chain, tmp_path):
    header, tensors = load_model(chain.clf, "classifier")
    facts = {name: value for name, value in header.facts.items() if name != "prior"}
    older = tmp_path / "older"
    save_model(older, dataclasses.replace(header, facts=facts), tensors)
    result = evaluate(older, [chain.test], device=CPU)
    assert result.implied_prior is None
    assert "prior" not in document(result)["model"]
    with pytest.raises(ModelError, match=r"older: does not say what prior its training implied.*train it again"):
        evaluate(older, [chain.test], adjust="priors", device=CPU)
    with pytest.raises(UsageError, match="--adjust 'prior': expected"):
        evaluate(chain.clf, [chain.test], adjust="prior", device=CPU)
    for prior in ({"angry": 1.0}, dict.fromkeys(header.classes, 0.0), dict.fromkeys(header.classes, "x"), 3):
        save_model(older, dataclasses.replace(header, facts={**facts, "prior": prior}), tensors)
        with pytest.raises(ModelError, match="damaged header"):
            evaluate(older, [chain.test], device=CPU)


def test_posteriors_are_the_nets_on_scaled_rows_in_evaluation_mode(chain):
    header, net = load_classifier(chain.clf)
    rows = open_rows([chain.test])
    net.train()
    found = posteriors(net, rows, header.scaler, CPU)
    assert not net.training
    with torch.no_grad():
        by_hand = torch.softmax(net(rows.tensor(np.arange(len(rows)), header.scaler, CPU)).double(), 1).numpy()
    np.testing.assert_allclose(found, by_hand, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_the_uar_that_validation_chooses_on_is_per_utterance():
    truth, utterance = np.array([0, 0, 0, 1, 1]), np.array([7, 7, 7, 3, 9])
    said = np.array([0, 0, 1, 1, 0])
    posterior = np.eye(2)[said] * 0.8 + 0.1
    # Utterance 7 is right by two to one, 3 right, 9 wrong: recalls 1 and 1/2, whatever the segments.
    assert utterance_uar(truth, posterior, utterance) == pytest.approx(0.75)


def test_the_result_says_where_it_comes_from(chain, tmp_path):
    result = evaluate(chain.clf, [chain.test], tags={"method": "GAN", "fold": "1"}, device=CPU)
    with (tmp_path / "r.json").open("w", encoding="utf-8") as stream:
        write_result(result, stream)
    found = document(result)
    assert document(read_result(tmp_path / "r.json")) == found
    assert found["tags"] == {"method": "GAN", "fold": "1"}
    assert found["allow_seen"] is False
    assert found["model"] == {
        "digest": digest_file(chain.clf),
        "arch": "cnn",
        "n_train_rows": {"generated": 12, "real": len(open_rows([chain.train]))},
        "updates": CLF.steps,
        "prior": load_header(chain.clf).facts["prior"],
    }
    verbs = [json.loads(line)["verb"] for line in found["history"]]
    assert verbs[-1] == "evaluate"
    assert set(verbs) >= {"extract", "pretrain-ae", "fit-latents", "finetune-gan", "generate", "train-clf"}
    assert {u["speaker"] for u in found["utterances"]} == {"06"}
    assert document(evaluate(chain.clf, [chain.test], tags={"fold": "1", "method": "GAN"}, device=CPU)) == found


def test_several_stores_are_one_test_set(chain):
    together = document(evaluate(chain.clf, [chain.test, chain.val], device=CPU))
    apart = [document(evaluate(chain.clf, [path], device=CPU)) for path in (chain.test, chain.val)]
    assert together["utterances"] == [u for part in apart for u in part["utterances"]]


def test_an_utterance_in_two_stores_would_count_twice(chain, tmp_path):
    parts = []
    for name, negated in (("first", False), ("rest", True)):
        parts.append(tmp_path / f"{name}.h5")
        select_store(chain.test, parts[-1], Selection(where=(Condition("start", ("0",), negated),)))
    with pytest.raises(StoreError, match=r"two of these stores, and would count twice; `merge` them"):
        evaluate(chain.clf, parts, device=CPU)
    with pytest.raises(StoreError, match="would count twice"):
        evaluate(chain.clf, [chain.test, chain.test], device=CPU)


def test_a_class_the_classifier_does_not_know_is_named(chain, rng, tmp_path):
    path = write_rows(tmp_path / "s.h5", noise(rng, 3), ["sad", "bored", "bored"])
    with pytest.raises(StoreError, match=r"s\.h5: 2 rows have the emotion 'bored', but the classes here are angry"):
        evaluate(chain.clf, [path], device=CPU)
    path = write_rows(tmp_path / "n.h5", noise(rng, 3), ["sad", "", "sad"])
    with pytest.raises(StoreError, match="1 rows have no emotion"):
        evaluate(chain.clf, [path], device=CPU)


def test_a_class_without_test_utterances_has_no_recall(chain, rng, tmp_path):
    path = write_rows(tmp_path / "s.h5", noise(rng, 4), ["sad", "sad", "happy", "happy"])
    metrics = document(evaluate(chain.clf, [path], device=CPU))["metrics"]
    assert metrics["recall"]["angry"] is None
    assert metrics["n_classes"] == 2
    assert metrics["uar"] == pytest.approx((metrics["recall"]["sad"] + metrics["recall"]["happy"]) / 2)


def test_another_front_end_is_refused(chain, rng, tmp_path):
    front_end = dataclasses.replace(FRONT_END, fit="resize")
    path = write_rows(tmp_path / "s.h5", noise(rng, 2), ["sad", "happy"], front_end=front_end)
    with pytest.raises(
        StoreError, match=r"s\.h5: its front end differs from .*clf's \(fit 'resize' instead of 'pad'"
    ):
        evaluate(chain.clf, [path], device=CPU)


def test_another_kind_of_model_and_an_unknown_vote_are_refused(chain):
    with pytest.raises(ModelError, match="is of the kind gan; classifier is wanted here"):
        evaluate(chain.gan, [chain.test], device=CPU)
    with pytest.raises(UsageError, match="'hard': expected one of majority, mean"):
        evaluate(chain.clf, [chain.test], rule="hard", device=CPU)


def test_rows_that_are_no_speech_are_remarked(chain, rng, tmp_path):
    path = write_rows(tmp_path / "s.h5", noise(rng, 2), ["sad", "happy"], origin="generated")
    with pytest.warns(SertoolsWarning, match=r"s\.h5: 2 of its 2 rows are not real speech"):
        evaluate(chain.clf, [path], device=CPU)


@pytest.mark.parametrize(("n", "named"), [(1, "(s0)"), (7, "(s0, s1, s2, s3, s4…)")])
def test_shared_speakers_are_remarked(rng, tmp_path, n, named):
    emotions, speakers = ["sad", "happy"] * 7, [f"s{k // 2}" for k in range(14)]
    train = write_rows(tmp_path / "train.h5", noise(rng, 14), emotions, speakers=speakers)
    test = write_rows(tmp_path / "test.h5", noise(rng, 2 * n), emotions[: 2 * n], speakers=speakers[: 2 * n])
    classify([train], tmp_path / "clf")
    with pytest.warns(SertoolsWarning) as warned:
        evaluate(tmp_path / "clf", [test], device=CPU)
    (text,) = [str(warning.message) for warning in warned]
    assert f"{n} of its speakers were trained on {named}: the result says nothing of new speakers" in text


def test_the_command_line_writes_what_the_library_finds(chain, tmp_path, call):
    done = call("evaluate", chain.clf, chain.test, "--tag", "method=GAN", "-o", "r.json")
    assert done.code == 0
    assert done.out == ""
    assert done.err.startswith("UAR ")
    piped = call("evaluate", chain.clf, chain.test, "--tag", "method=GAN", "-q")
    assert piped.err == ""
    assert piped.out == (tmp_path / "r.json").read_text(encoding="utf-8")
    assert json.loads(piped.out) == document(evaluate(chain.clf, [chain.test], tags={"method": "GAN"}, device=CPU))
    done = call("evaluate", chain.clf, chain.test, "--tag", "GAN")
    assert (done.code, done.out) == (2, "")
    assert "expected KEY=VALUE, such as method=GAN" in done.err


def test_validation_utterances_are_those_of_a_test_of_that_store(chain):
    found = document(evaluate(chain.clf, [chain.test], val_path=chain.val, device=CPU))
    without = document(evaluate(chain.clf, [chain.test], device=CPU))
    assert found.pop("validation") == document(evaluate(chain.clf, [chain.val], device=CPU))["utterances"]
    inputs = json.loads(found["history"][-1])["inputs"]
    assert inputs["val"] == open_rows([chain.val]).digests
    assert "val" not in json.loads(without["history"][-1])["inputs"]
    assert {k: v for k, v in found.items() if k != "history"} == {k: v for k, v in without.items() if k != "history"}


def test_a_store_that_was_chosen_on_may_validate_but_not_one_that_was_trained_on(chain, tmp_path):
    classify([chain.train], tmp_path / "clf", val=chain.val)
    assert evaluate(tmp_path / "clf", [chain.test], val_path=chain.val, device=CPU).validation
    with pytest.raises(LineageError, match=r"utterances were trained on by .*; give --val a store that nothing was"):
        evaluate(chain.clf, [chain.test], val_path=chain.train, device=CPU)
    with pytest.warns(SertoolsWarning):
        assert evaluate(chain.clf, [chain.train], val_path=chain.val, allow_seen=True, device=CPU).allow_seen


def test_a_store_that_a_gan_was_measured_on_may_validate(chain, tmp_path):
    finetune(chain.ae, chain.latents, [chain.train], tmp_path / "gan", val=chain.val)
    synthesise(tmp_path / "gan", tmp_path / "synth.h5", {"sad": 2})
    classify([chain.train, tmp_path / "synth.h5"], tmp_path / "clf", val=chain.val)
    assert load_header(tmp_path / "clf").lineage.selected_on
    assert evaluate(tmp_path / "clf", [chain.test], val_path=chain.val, device=CPU).validation


def test_a_classifier_that_was_chosen_on_a_store_is_not_tested_on_it(chain, tmp_path, capsys):
    kept = tmp_path / "kept.clf"
    assert chosen.main([str(chain.clf), str(chain.val), "-o", str(kept)]) == 0
    assert evaluate(chain.clf, [chain.val], device=CPU).metrics
    with pytest.raises(LineageError, match="utterances were chosen on by"):
        evaluate(kept, [chain.val], device=CPU)
    ours, theirs = (evaluate(path, [chain.test], val_path=chain.val, device=CPU) for path in (kept, chain.clf))
    assert ours.metrics == theirs.metrics
    assert chosen.main([str(chain.ae), str(chain.val), "-o", str(kept)]) == 1
    assert "is of the kind autoencoder" in capsys.readouterr().err


@pytest.mark.parametrize("allow_seen", [False, True])
def test_a_store_that_is_tested_may_not_validate(chain, tmp_path, allow_seen):
    name = open_rows([chain.test]).utterance_column("id")[3]
    select_store(chain.test, tmp_path / "one.h5", Selection(where=(Condition("id", (name,)),)))
    with pytest.raises(LineageError, match=rf"one\.h5: 1 of its 1 utterances are in the test stores too, '{name}'"):
        evaluate(chain.clf, [chain.test], val_path=tmp_path / "one.h5", allow_seen=allow_seen, device=CPU)


def test_the_same_audio_or_name_under_another_roof_may_not_validate(chain, rng, tmp_path):
    pictures = noise(rng, 4)
    test = write_rows(tmp_path / "a.h5", pictures, ["sad", "happy"] * 2)
    val = write_rows(tmp_path / "b.h5", pictures[3:], ["sad"])
    with pytest.raises(LineageError, match="'b/0' among them"):
        evaluate(chain.clf, [test], val_path=val, device=CPU)
    (tmp_path / "else").mkdir()
    val = write_rows(tmp_path / "else" / "a.h5", noise(rng, 1), ["sad"])
    with pytest.raises(LineageError, match="'a/0' among them"):
        evaluate(chain.clf, [test], val_path=val, device=CPU)


def test_speakers_that_validate_and_are_tested_are_remarked(chain, rng, tmp_path):
    test = write_rows(tmp_path / "a.h5", noise(rng, 2), ["sad", "happy"], speakers=["x", "y"])
    val = write_rows(tmp_path / "b.h5", noise(rng, 2), ["sad", "happy"], speakers=["y", ""])
    with pytest.warns(
        SertoolsWarning, match=r"b\.h5: 1 of its speakers are tested too \(y\): an operating point fitted"
    ):
        evaluate(chain.clf, [test], val_path=val, device=CPU)


def test_a_validation_store_that_does_not_fit_is_refused(chain, rng, tmp_path):
    path = write_rows(tmp_path / "s.h5", noise(rng, 2), ["sad", "bored"])
    with pytest.raises(StoreError, match=r"s\.h5: 1 rows have the emotion 'bored'"):
        evaluate(chain.clf, [chain.test], val_path=path, device=CPU)
    front_end = dataclasses.replace(FRONT_END, fit="resize")
    path = write_rows(tmp_path / "t.h5", noise(rng, 2), ["sad", "happy"], front_end=front_end)
    with pytest.raises(StoreError, match=r"t\.h5: its front end differs"):
        evaluate(chain.clf, [chain.test], val_path=path, device=CPU)


def test_a_malformed_tag_is_refused_before_any_file_is_read(call):
    done = call("evaluate", "no-such-clf", "no-such-store.h5", "--val", "none.h5", "-o", "r.json", "--tag", "GAN")
    assert (done.code, done.out) == (2, "")
    assert "expected KEY=VALUE, such as method=GAN" in done.err


def test_the_command_line_runs_on_a_validation_store(chain, call):
    done = call("evaluate", chain.clf, chain.test, "--val", chain.val)
    assert done.code == 0
    assert json.loads(done.out) == document(evaluate(chain.clf, [chain.test], val_path=chain.val, device=CPU))


def test_no_input_is_written_over(chain, call):
    specs = open_rows([chain.test]).files[-1]
    before = {path: path.read_bytes() for path in (specs, chain.test, chain.val, chain.clf)}
    for target in before:
        done = call("evaluate", chain.clf, chain.test, "--val", chain.val, "-o", target)
        assert (done.code, done.out) == (2, "")
        assert "is read by this command" in done.err
    assert {path: path.read_bytes() for path in before} == before
