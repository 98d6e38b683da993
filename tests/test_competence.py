"""How competent a discriminator is: by hand, while it learns, in facts, histories and tables."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from chains import CPU, FRONT_END, GAN, NET, classify, finetune, noise, synthesise, write_rows

from sertools.errors import LineageError, SertoolsWarning, StoreError
from sertools.nets.gan import Autoencoder
from sertools.reporting.contents.description import describe
from sertools.reporting.reports.layouts import render
from sertools.reporting.reports.score_table import compare_scores
from sertools.scoring.comparing.summary import summarise
from sertools.scoring.results.discriminators import ToldOfD, told_of_d
from sertools.scoring.results.evaluation import evaluate
from sertools.scoring.synthetic.score import score
from sertools.store.reader import open_store
from sertools.training.adversarial import finetune_gan
from sertools.training.batches import open_rows
from sertools.training.calibration import LatentSampler
from sertools.training.checkpoint import load_header
from sertools.training.competence import PROBE_STEPS, Competence
from sertools.training.gaussians import fit_gaussians
from sertools.training.health import COMPETENT, GanWatch
from sertools.training.log import read_log
from sertools.training.loop import Run
from sertools.training.task import Task

SHAPE = (FRONT_END.n_mels, FRONT_END.n_frames)
FACTS = {"d_auc", "d_auc_now", "probe_auc", "probe_steps", "d_auc_rows"}


class Loudness(torch.nn.Module):
    """Calls a row fake by its mean."""

    def __init__(self, sign):
        super().__init__()
        self.sign, self.seen = sign, []

    def forward(self, x):
        self.seen.append(x)
        level = x.mean(dim=(1, 2, 3))
        return torch.stack([0 * level, 0 * level, 0 * level, 100.0 * self.sign * level], dim=1)


class Recorder(LatentSampler):
    """Remembers the labels that it was asked for."""

    def __init__(self, *args):
        super().__init__(*args)
        self.asked = []

    def latents(self, labels):
        self.asked.append(labels)
        return super().latents(labels)


@pytest.fixture
def make(rng, tmp_path):
    """Make a measure of 24 loud real rows beside an untrained decoder, whose rows are near 0."""
    torch.manual_seed(0)
    decoder = Autoencoder(SHAPE, dataclasses.replace(NET, dropout=0.0)).decoder
    gaussians = fit_gaussians(rng.standard_normal((60, NET.latent_size)), ["a", "b", "c"] * 20, "empirical")
    rows = open_rows([write_rows(tmp_path / "s.h5", noise(rng, 24, -20.0, 0.0), ["a", "b", "b", "c"] * 6)])
    quiet = write_rows(tmp_path / "q.h5", noise(rng, 6, -80.0, -60.0), ["a", "b", "c"] * 2)
    task = Task("finetune-gan", {}, Run(tmp_path / "gan"), open_rows([quiet, tmp_path / "s.h5"]), val=rows)

    def make(discriminator, **changes):
        return Competence(discriminator, decoder, Recorder(gaussians, CPU), task, dataclasses.replace(GAN, **changes))

    return make


@pytest.mark.parametrize("batches", ["separate", "mixed"])
@pytest.mark.parametrize(("sign", "auc"), [(-1.0, 1.0), (1.0, 0.0), (0.0, 0.5)])
def test_the_area_is_that_of_the_fake_output(make, sign, auc, batches):
    assert make(Loudness(sign), batches=batches).measure() == {"d_auc": auc}


class OwnClass(torch.nn.Module):
    """Scores rows as each class by their mean: loud is real as a class of `sign` 1, and fake as one of -1."""

    signs = torch.tensor([1.0, -1.0, 1.0])

    def forward(self, x):
        return torch.nn.functional.pad(x.mean(dim=(1, 2, 3))[:, None] * self.signs, (0, 1))


@pytest.mark.parametrize("batches", ["separate", "mixed"])
def test_a_projection_discriminator_is_asked_about_the_rows_own_class(make, batches):
    """Real rows are louder than made ones: right for six rows each of two classes, wrong for twelve of the third."""
    (found,) = make(OwnClass(), condition_d="projection", batches=batches).measure().values()
    assert found == pytest.approx(0.5, abs=0.02)
    (found,) = make(OwnClass(), batches=batches).measure().values()
    assert found > 0.9


def test_rows_of_step_0_stay_and_have_the_classes_of_the_real_ones(make):
    discriminator = Loudness(-1.0)
    competence = make(discriminator)
    competence.measure()
    first = discriminator.seen
    assert [len(x) for x in first] == [8] * 6  # batches of real rows, then of fake ones
    discriminator.seen = []
    torch.manual_seed(99)
    state = torch.get_rng_state()
    competence.measure()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(first, discriminator.seen, strict=True))
    labels = torch.cat(competence._sampler.asked)
    assert torch.bincount(labels).tolist() == [6, 12, 6]


class Replay(torch.nn.Module):
    """A generator that shows real rows again, however it is asked."""

    def __init__(self, rows):
        super().__init__()
        self.rows = rows

    def forward(self, z):
        return self.rows[torch.randint(len(self.rows), (len(z),))]


def test_a_perfect_generator_is_told_apart_by_nobody(make):
    competence = make(Loudness(-1.0))
    task = competence._task
    real = task.val.tensor(np.arange(24), task.scaler, CPU)
    told = competence.facts(Replay(real))
    assert told.keys() == FACTS
    assert (told["d_auc"], told["probe_steps"], told["d_auc_rows"]) == (1.0, PROBE_STEPS, "validation")
    assert told["d_auc_now"] == pytest.approx(0.5, abs=0.2)
    blurred = competence.facts(competence._decoder)
    assert blurred["d_auc_now"] == 1.0
    assert blurred["probe_auc"] == 1.0


def test_a_single_row_is_refused(make, rng, tmp_path):
    one = open_rows([write_rows(tmp_path / "one.h5", noise(rng, 1), ["a"])])
    competence = make(Loudness(1.0))
    task = dataclasses.replace(competence._task, val=one)
    with pytest.raises(StoreError, match=r"one\.h5: holds 1 row, .* needs two"):
        Competence(Loudness(1.0), competence._decoder, competence._sampler, task, GAN)


@pytest.mark.filterwarnings("ignore:.*nothing moved")
def test_a_discriminator_that_learns_is_competent_and_one_that_does_not_is_said(chain, tmp_path):
    learns = dataclasses.replace(GAN, steps=60, lr_d=5e-3, lr_g=1e-5)
    finetune(chain.ae, chain.latents, [chain.train], tmp_path / "sees", learns, chain.val)
    finetune(chain.ae, chain.latents, [chain.train], tmp_path / "seen", learns)
    facts, on_training = (load_header(tmp_path / name).facts for name in ("sees", "seen"))
    assert facts["d_auc"] > 0.9
    assert (facts["d_auc_rows"], on_training["d_auc_rows"]) == ("validation", "training")
    lines = read_log(tmp_path / "sees.log.ndjson").lines
    logged = {line.step: line.values["d_auc"] for line in lines if "d_auc" in line.values}
    assert list(logged) == [0, 20, 40, 60]
    assert logged[60] == pytest.approx(facts["d_auc"], abs=1e-4)
    still = dataclasses.replace(GAN, steps=20, lr_d=1e-9)
    with pytest.warns(
        SertoolsWarning, match=r"blind: step 20: .*discriminator does not tell .* raise --lr-d"
    ) as said:
        list(finetune_gan(chain.ae, chain.latents, [chain.train], Run(tmp_path / "blind"), still, chain.val))
    assert "blind-discriminator" in read_log(tmp_path / "blind.log.ndjson").lines[-1].warnings
    assert sum("does not tell" in str(each.message) for each in said) == 1
    assert load_header(tmp_path / "blind").facts["d_auc"] < COMPETENT


def test_the_least_that_is_not_said():
    record = {"d_accuracy_real": 0.5, "d_accuracy_fake": 0.5, "g": 1.0, "drift": 1.0}
    for auc, names in ((COMPETENT, []), (COMPETENT - 1e-6, ["blind-discriminator"])):
        watch = GanWatch()
        watch.notice(0, 10, {"drift_bn": 0.1})
        assert [found.name for found in watch.notice(10, 10, record | {"d_auc": auc})] == names


def test_validation_rows_count_as_chosen_on_and_none_is_trained_on(chain, tmp_path):
    finetune(chain.ae, chain.latents, [chain.train], tmp_path / "gan", val=chain.val)
    lineage = load_header(tmp_path / "gan").lineage
    assert lineage.selected_on == set(open_store(chain.val).contents.of_utterances("digest").tolist())
    assert not lineage.selected_on & lineage.trained_on
    with pytest.raises(LineageError, match=r"were trained on by .*train\.h5.* validate on other utterances"):
        finetune(chain.ae, chain.latents, [chain.train], tmp_path / "x", val=chain.train)
    assert not (tmp_path / "x").exists()


def test_without_steps_there_is_no_discriminator_to_measure(chain, tmp_path):
    finetune(chain.ae, chain.latents, [chain.train], tmp_path / "gauss", dataclasses.replace(GAN, steps=0))
    assert not FACTS & load_header(tmp_path / "gauss").facts.keys()
    made = synthesise(tmp_path / "gauss", tmp_path / "synth.h5", {"sad": 2})
    assert told_of_d(open_store(made).contents.history) == ToldOfD()


# ---- Tables ----


def test_info_tells_what_the_gan_says(chain):
    facts = describe(chain.gan)["facts"]
    assert {name: facts[name] for name in FACTS} == {name: load_header(chain.gan).facts[name] for name in FACTS}


def test_the_least_competent_counts_and_damage_counts_as_nothing():
    def line(auc, rows="training"):
        return json.dumps({"verb": "generate", "facts": {"gan": {"d_auc": auc, "d_auc_rows": rows}}})

    assert told_of_d([line(0.9), line(0.6, "validation"), "{", "[]", '{"facts": 1}']) == ToldOfD(0.6, "validation")
    strange = [line(value) for value in (None, "0.9", 2.0, -1)] + [line(0.9, 3), '{"facts":{"gan":{"d_auc":1}}}', "1"]
    assert not told_of_d(strange).rows


def test_a_report_has_the_column_where_a_gan_is_behind_a_result(chain, tmp_path):
    classify([chain.train], tmp_path / "plain")
    results = [
        evaluate(clf, [chain.test], tags={"method": method}, device=CPU)
        for clf, method in ((tmp_path / "plain", "imbalanced"), (chain.clf, "gan"))
    ]
    auc = load_header(chain.gan).facts["d_auc"]
    report = summarise(results)
    assert [row.d_auc for row in report.rows] == [pytest.approx(np.nan, nan_ok=True), auc]
    text = render(report)
    head = next(line for line in text.splitlines() if line.startswith("method"))
    made = next(line for line in text.splitlines() if line.startswith("gan "))
    assert "D's AUC" in head
    assert f"{100 * auc:.1f}" in made
    assert "tells real rows (training) from those of its generator" in text
    found = json.loads(render(report, format="json"))
    assert [row["d_auc"] for row in found["rows"]] == [None, pytest.approx(100 * auc, abs=0.06)]
    assert "D's AUC" not in render(summarise(results[:1]))


def test_a_score_tells_it_and_one_of_an_earlier_version_does_not(chain, rng, tmp_path):
    classes = ("angry", "happy", "neutral", "sad")
    made = synthesise(chain.gan, tmp_path / "made.h5", dict.fromkeys(classes, 20))
    front_end = open_store(chain.train).contents.front_end
    real = write_rows(tmp_path / "real.h5", noise(rng, 80), classes * 20, front_end=front_end)
    document = score(real, made, device=CPU)
    auc = load_header(chain.gan).facts["d_auc"]
    assert document["generator"] == {"d_auc": auc, "d_auc_rows": "training"}
    (tmp_path / "new.json").write_text(json.dumps(document))
    del document["generator"]
    (tmp_path / "old.json").write_text(json.dumps(document | {"tags": {"method": "old"}}))
    text = compare_scores([tmp_path / "new.json", tmp_path / "old.json"])
    assert "D's AUC" in text
    assert "tells real rows from those of its generator" in text
    assert "D's AUC" not in compare_scores([tmp_path / "old.json"])
