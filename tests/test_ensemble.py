"""Several classifiers tested together: means of posteriors by hand, what is refused, and what the result says."""

import dataclasses
import io
import itertools
import json

import numpy as np
import pytest
from chains import CLF, CPU, FRONT_END, classify, noise, write_rows

from sertools.errors import LineageError, ModelError, SertoolsWarning, StoreError, UsageError
from sertools.scoring.comparing.summary import summarise
from sertools.scoring.results.ensemble import averaged
from sertools.scoring.results.evaluation import evaluate
from sertools.scoring.results.result_file import read_result, write_result
from sertools.store.conditions import Condition
from sertools.store.select import Selection, select_store
from sertools.training.batches import open_rows
from sertools.training.checkpoint import load_header, load_model, save_model

CLASSES = ("angry", "happy", "neutral", "sad")


def written(result):
    stream = io.StringIO()
    write_result(result, stream)
    return stream.getvalue()


def posteriors_of(result):
    return np.array([u.posterior for u in (*result.utterances, *result.validation)])


@pytest.fixture(scope="module")
def other(chain, tmp_path_factory):
    """A second classifier, which real rows alone taught, so that its prior is another one."""
    path = tmp_path_factory.mktemp("ensemble") / "other"
    classify([chain.train], path, dataclasses.replace(CLF, steps=7), seed=1)
    assert load_header(path).facts["prior"] != load_header(chain.clf).facts["prior"]
    return path


@pytest.fixture(scope="module")
def singles(chain, tmp_path_factory):
    """Utterances of one segment, so that the posterior of an utterance is that of its row."""
    path = tmp_path_factory.mktemp("ensemble") / "singles.h5"
    return write_rows(path, noise(np.random.default_rng(5), 20), [CLASSES[k % 4] for k in range(20)])


@pytest.mark.parametrize("adjust", ["none", "priors"])
@pytest.mark.parametrize("mean", ["arithmetic", "geometric"])
def test_a_classifier_averaged_with_itself_is_itself(mean, adjust, chain):
    how = {"adjust": adjust, "val_path": chain.val, "device": CPU}
    alone = written(evaluate(chain.clf, [chain.test], **how)).splitlines()
    twice = written(evaluate(chain.clf, [chain.test], average=[chain.clf], mean=mean, **how)).splitlines()
    differing = [ours.split(":")[0] for ours, theirs in itertools.zip_longest(twice, alone) if ours != theirs]
    # All of its utterances are the same bytes.
    assert [name for name in differing if not name.startswith('{"id"')] == differing
    assert differing[0] == '"model"'
    assert len(differing) <= 2


def test_means_are_counted_by_hand(chain, other, singles):
    first, second = (evaluate(path, [singles], device=CPU) for path in (chain.clf, other))
    p, q = posteriors_of(first), posteriors_of(second)
    assert np.abs(p - q).max() > 0.01
    arithmetic = evaluate(chain.clf, [singles], average=[other], device=CPU)
    np.testing.assert_allclose(posteriors_of(arithmetic), (p + q) / 2, atol=1e-12)
    geometric = evaluate(chain.clf, [singles], average=[other], mean="geometric", device=CPU)
    logits = (np.log(p) + np.log(q)) / 2
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(posteriors_of(geometric), softmax, atol=1e-12)
    # The product of both decides the same.
    assert [CLASSES[k] for k in (p * q).argmax(axis=1)] == [u.predicted for u in geometric.utterances]
    thrice = evaluate(chain.clf, [singles], average=[other, other], device=CPU)
    np.testing.assert_allclose(posteriors_of(thrice), (p + 2 * q) / 3, atol=1e-12)


def test_an_utterance_has_the_mean_of_its_segments_and_classifiers(chain, other):
    many = [evaluate(path, [chain.test], device=CPU) for path in (chain.clf, other)]
    found = evaluate(chain.clf, [chain.test], average=[other], device=CPU)
    mean = np.mean([posteriors_of(result) for result in many], axis=0)
    np.testing.assert_allclose(posteriors_of(found), mean, atol=1e-12)
    assert [u.n_segments for u in found.utterances] == [u.n_segments for u in many[0].utterances]


def test_validation_is_averaged_as_the_test_is(chain, other):
    for mean in ("arithmetic", "geometric"):
        how = {"average": [other], "mean": mean, "device": CPU}
        found = evaluate(chain.clf, [chain.test], val_path=chain.val, **how)
        assert found.validation == evaluate(chain.clf, [chain.val], **how).utterances


def test_each_is_divided_by_its_own_prior(chain, other, singles):
    shares = [np.array([load_header(path).facts["prior"][name] for name in CLASSES]) for path in (chain.clf, other)]
    raw = [posteriors_of(evaluate(path, [singles], device=CPU)) for path in (chain.clf, other)]
    divided = [p / s / (p / s).sum(axis=1, keepdims=True) for p, s in zip(raw, shares, strict=True)]
    found = evaluate(chain.clf, [singles], average=[other], adjust="priors", device=CPU)
    np.testing.assert_allclose(posteriors_of(found), np.mean(divided, axis=0), atol=1e-12)
    assert found.implied_prior == (0.25,) * 4
    # The geometric mean of posteriors implies the geometric mean of their priors: dividing later is the same.
    how = {"average": [other], "mean": "geometric", "device": CPU}
    late = evaluate(chain.clf, [singles], **how)
    by_hand = posteriors_of(late) / late.implied_prior
    early = evaluate(chain.clf, [singles], adjust="priors", **how)
    np.testing.assert_allclose(posteriors_of(early), by_hand / by_hand.sum(axis=1, keepdims=True), atol=1e-6)


def test_an_arithmetic_mean_of_other_shares_implies_none(chain, other):
    assert evaluate(chain.clf, [chain.test], average=[other], device=CPU).implied_prior is None
    same = evaluate(chain.clf, [chain.test], average=[chain.clf], tags={"method": "twice"}, device=CPU)
    assert same.implied_prior == pytest.approx(evaluate(chain.clf, [chain.test], device=CPU).implied_prior)
    mixed = evaluate(chain.clf, [chain.test], average=[other], tags={"method": "mixed"}, device=CPU)
    cautions = " ".join(summarise([same, mixed]).cautions)
    assert "No posthoc scores: 1 of 2 results do not say what class shares" in cautions
    assert "nor does an arithmetic mean of several whose shares differ" in cautions
    alone = evaluate(chain.clf, [chain.test], tags={"method": "alone"}, device=CPU)
    assert "differ in architecture" not in " ".join(summarise([alone, mixed]).cautions)


def test_the_result_names_all(chain, other, tmp_path):
    found = evaluate(chain.clf, [chain.test], average=[other], mean="geometric", device=CPU)
    with (tmp_path / "r.json").open("w", encoding="utf-8") as stream:
        write_result(found, stream)
    assert written(read_result(tmp_path / "r.json")) == written(found)
    line = json.loads(found.history[-1])
    alone = [evaluate(path, [chain.test], device=CPU) for path in (chain.clf, other)]
    digests = [result.model["digest"] for result in alone]
    assert (line["inputs"]["classifier"], line["inputs"]["average"]) == (digests[0], digests[1:])
    assert line["options"]["mean"] == "geometric"
    assert {*found.history} >= {*alone[0].history[:-1], *alone[1].history[:-1]}
    assert "mean" not in json.loads(alone[0].history[-1])["options"]
    model = found.model
    assert model["members"] == [result.model for result in alone]
    assert model["digest"] not in digests
    assert (model["arch"], model["updates"]) == ("2 × cnn", CLF.steps + 7)
    # The most that one of them has learnt from.
    assert model["n_train_rows"] == {"generated": 12, "real": len(open_rows([chain.train]))}


def test_the_lineage_of_every_classifier_counts(chain, other, tmp_path):
    classify([chain.test], tmp_path / "knows")
    classify([chain.train], tmp_path / "chose", val=chain.test)
    for name, verb in (("knows", "trained"), ("chose", "chosen")):
        with pytest.raises(LineageError, match=rf"utterances were {verb} on by .*{name}, .* among them"):
            evaluate(chain.clf, [chain.test], average=[other, tmp_path / name], device=CPU)
    with pytest.warns(SertoolsWarning, match="1 of its speakers were trained on"):
        found = evaluate(chain.clf, [chain.test], average=[tmp_path / "knows"], allow_seen=True, device=CPU)
    assert found.allow_seen
    classify([chain.val], tmp_path / "validated")
    with pytest.raises(LineageError, match=r"trained on by .*validated, .*; give --val a store that nothing was"):
        evaluate(chain.clf, [chain.test], average=[tmp_path / "validated"], val_path=chain.val, device=CPU)


def test_classifiers_that_do_not_go_together_are_refused(chain, other, rng, tmp_path):
    two = tmp_path / "two.h5"
    select_store(chain.train, two, Selection(where=(Condition("emotion", ("sad", "happy")),)))
    classify([two], tmp_path / "two")
    with pytest.raises(
        ModelError, match=r"two: has the classes happy sad, but .*clf has angry happy neutral sad; only"
    ):
        evaluate(chain.clf, [chain.test], average=[tmp_path / "two"], device=CPU)
    resized = dataclasses.replace(FRONT_END, fit="resize")
    store = write_rows(tmp_path / "r.h5", noise(rng, 8), [*CLASSES] * 2, front_end=resized)
    classify([store], tmp_path / "resized")
    with pytest.raises(StoreError, match=r"resized: its front end differs from .*clf's \(fit 'resize'"):
        evaluate(chain.clf, [chain.test], average=[tmp_path / "resized"], device=CPU)
    header, tensors = load_model(other, "classifier")
    facts = {name: value for name, value in header.facts.items() if name != "prior"}
    save_model(tmp_path / "older", dataclasses.replace(header, facts=facts), tensors)
    with pytest.raises(ModelError, match="older: does not say what prior its training implied"):
        evaluate(chain.clf, [chain.test], average=[tmp_path / "older"], adjust="priors", device=CPU)
    with pytest.raises(UsageError, match="--mean 'harmonic': expected"):
        evaluate(chain.clf, [chain.test], average=[other], mean="harmonic", device=CPU)


def test_classes_in_another_order_are_put_in_order(chain, other, singles, tmp_path):
    header, tensors = load_model(other, "classifier")
    turned = dataclasses.replace(header, classes=header.classes[::-1])
    (weight,) = (name for name, tensor in tensors.items() if tensor.ndim == 2 and len(tensor) == 4)
    last = (weight, weight.replace("weight", "bias"))
    save_model(tmp_path / "turned", turned, tensors | {name: tensors[name].flip(0) for name in last})
    found = evaluate(chain.clf, [singles], average=[tmp_path / "turned"], adjust="priors", device=CPU)
    expected = evaluate(chain.clf, [singles], average=[other], adjust="priors", device=CPU)
    np.testing.assert_allclose(posteriors_of(found), posteriors_of(expected), atol=1e-6)
    assert found.classes == CLASSES
    assert written(found).count('"prior": {"angry"') == 2


def test_a_posterior_of_nothing_has_a_mean():
    sure = [np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 1.0, 0.0]])]
    np.testing.assert_allclose(averaged(sure, "arithmetic"), [[0.5, 0.5, 0]])
    np.testing.assert_allclose(averaged(sure, "geometric"), [[0.5, 0.5, 0]], atol=1e-12)


def test_the_command_line_averages(chain, other, tmp_path, call):
    done = call("evaluate", chain.clf, chain.test, "--average", other, "--average", chain.clf, "--mean", "geometric")
    assert done.code == 0
    expected = evaluate(chain.clf, [chain.test], average=[other, chain.clf], mean="geometric", device=CPU)
    assert json.loads(done.out) == json.loads(written(expected))
    done = call("evaluate", chain.clf, chain.test, "--mean", "geometric")
    assert (done.code, done.out) == (2, "")
    assert "--mean geometric: there is nothing to average; give --average another classifier" in done.err
    before = other.read_bytes()
    done = call("evaluate", chain.clf, chain.test, "--average", other, "-o", other)
    assert (done.code, other.read_bytes()) == (2, before)
    assert "is read by this command" in done.err
