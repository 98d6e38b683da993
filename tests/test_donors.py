"""What donors tell of the mean of a class: aligned by the other classes, judged, and weighed against our own rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from chains import write_rows
from conftest import Outcome
from numpy.typing import NDArray
from test_vector_latents import rows_of, store

from sertools import evaluate, finetune_gan, fit_latents, generate, info, pretrain_ae, select, train_clf
from sertools.encoding import Encoding
from sertools.errors import LineageError, SertoolsWarning, StoreError, UsageError
from sertools.training.checkpoint import load_header, load_model
from sertools.training.class_means import Speech, class_means
from sertools.training.donors import Informed, align, beyond, carried, informed
from sertools.training.informed import matched
from sertools.training.latents import load_latents

D = 24
NAMES = ("angry", "fearful", "happy", "neutral", "sad")
Rng = np.random.Generator


@pytest.fixture
def centres(rng: Rng) -> dict[str, NDArray[np.float64]]:
    """Where each class lies."""
    return {name: 2.0 * rng.standard_normal(D) for name in NAMES}


def spoken(
    rng: Rng,
    centres: dict[str, NDArray[np.float64]],
    counts: dict[str, int],
    *,
    shift: float = 0.0,
    scale: float = 1.0,
    own: float = 0.0,
    speakers: str = "",
) -> Speech:
    """Rows about the centres, in a domain of their own: `own` is how far each class lies off there."""
    offset = shift * rng.standard_normal(D)
    off = {name: own * rng.standard_normal(D) for name in counts}
    labels = np.repeat(list(counts), list(counts.values()))
    latents = np.stack([centres[name] + off[name] for name in labels]) + rng.standard_normal((len(labels), D))
    who = [f"{speakers}{number % 8}" if speakers else "" for number in range(len(labels))]
    return Speech(offset + scale * latents, labels.astype(np.str_), np.array(who, dtype=np.str_))


def even(n: int, names: Sequence[str] = NAMES) -> dict[str, int]:
    return dict.fromkeys(names, n)


def shrunk(rng: Rng, ours: Speech, *donors: Speech) -> Informed:
    means = class_means(ours)
    return informed(means, [align(ours, means, donor) for donor in donors])


def test_a_known_shift_is_taken_back_exactly(rng, centres):
    theirs = np.stack([centres[name] for name in NAMES])
    shift = 10.0 * rng.standard_normal(D)
    np.testing.assert_allclose(carried(theirs + shift, theirs), theirs + shift)


@pytest.mark.parametrize(("shows", "slope"), [(0.5, (3 * 0.5 + 1) / 4), (2.0, (3 * 2 + 1) / 4), (-1.0, 0.0)])
def test_contrasts_count_as_they_show_and_one_class_more_says_that_they_are_alike(rng, centres, shows, slope):
    theirs = np.stack([centres[name] for name in NAMES])
    ours = 3.0 + shows * theirs
    own, other = ours[1:].mean(axis=0), theirs[1:].mean(axis=0)
    np.testing.assert_allclose(carried(ours, theirs)[0], own + slope * (theirs[0] - other))


def test_one_other_class_tells_a_shift_alone(rng, centres):
    theirs = np.stack([centres[name] for name in NAMES[:2]])
    ours = rng.standard_normal((2, D))
    np.testing.assert_allclose(carried(ours, theirs)[0], theirs[0] + ours[1] - theirs[1])


def test_the_map_of_a_class_is_fitted_without_it(rng, centres):
    theirs = np.stack([centres[name] for name in NAMES])
    ours = theirs + 3.0
    before = carried(ours, theirs)
    ours[0] += 100.0
    np.testing.assert_array_equal(carried(ours, theirs)[0], before[0])
    assert (carried(ours, theirs)[1:] != before[1:]).all()


def test_the_mean_of_a_few_rows_is_brought_near_to_the_truth(rng, centres):
    few = even(60) | {"angry": 3}
    ours, donor = spoken(rng, centres, few), spoken(rng, centres, even(80), shift=5.0, own=0.1)
    found, own = shrunk(rng, ours, donor), class_means(ours)
    missed = [np.linalg.norm(mean[0] - centres["angry"]) for mean in (own.mean, found.mean)]
    assert missed[1] < 0.5 * missed[0]
    assert found.own[0] < 0.2
    np.testing.assert_allclose(found.own + found.of_donors.sum(axis=0), 1.0)


def test_the_more_own_rows_the_less_a_donor_weighs(rng, centres):
    weights = []
    for n in (3, 16, 64, 4000):
        ours = spoken(rng, centres, even(64) | {"angry": n})
        weights.append(shrunk(rng, ours, spoken(rng, centres, even(80), shift=5.0, own=0.4)).own[0])
    assert weights == sorted(weights)
    assert weights[0] < 0.4
    assert weights[2] > 0.85
    assert weights[3] > 0.995


def test_voices_that_have_all_classes_give_a_donor_no_more_to_say(rng, centres):
    ours, donor = spoken(rng, centres, even(64), speakers="s"), spoken(rng, centres, even(80), shift=5.0, own=0.4)
    _, speakers = np.unique(ours.speakers, return_inverse=True)
    voiced = Speech(ours.latents + 3.0 * rng.standard_normal((8, D))[speakers], ours.labels, ours.speakers)
    plain, found = shrunk(rng, ours, donor), shrunk(rng, voiced, donor)
    assert found.own.min() > 0.85
    np.testing.assert_allclose(found.own, plain.own)


def test_a_donor_that_misses_more_weighs_less(rng, centres):
    ours = spoken(rng, centres, even(60) | {"angry": 3})
    good, poor = (spoken(rng, centres, even(80), shift=5.0, own=own) for own in (0.2, 0.8))
    assert shrunk(rng, ours, good).own[0] < shrunk(rng, ours, poor).own[0]
    near, far = shrunk(rng, ours, good, poor).of_donors[:, 0]
    assert near > 4 * far > 0.0


def test_another_scale_is_survived(rng, centres):
    ours = spoken(rng, centres, even(60) | {"angry": 3})
    donor = spoken(rng, centres, even(80), shift=5.0, scale=1.2)
    means = class_means(ours)
    aligned = align(ours, means, donor)
    assert aligned.is_near
    assert aligned.auc.min() > 0.95
    missed = [np.linalg.norm(mean[0] - centres["angry"]) for mean in (means.mean, informed(means, [aligned]).mean)]
    assert missed[1] < missed[0]


def test_permuted_labels_are_far_and_change_nothing(rng, centres):
    ours, donor = spoken(rng, centres, even(60) | {"angry": 3}), spoken(rng, centres, even(80), shift=5.0)
    means = class_means(ours)
    verdicts = []
    for _ in range(10):
        mixed = Speech(donor.latents, rng.permutation(donor.labels), donor.speakers)
        aligned = align(ours, means, mixed)
        verdicts.append(aligned.is_near)
        if not aligned.is_near:
            np.testing.assert_array_equal(informed(means, [aligned]).mean, means.mean)
    assert sum(verdicts) <= 1
    assert align(ours, means, donor).is_near


def test_another_donor_changes_neither_map_nor_verdict(rng, centres):
    ours, donor = spoken(rng, centres, even(30)), spoken(rng, centres, even(80), shift=5.0)
    means = class_means(ours)
    alone = align(ours, means, donor)
    informed(means, [alone, align(ours, means, spoken(rng, centres, even(40), shift=9.0))])
    again = align(ours, means, donor)
    np.testing.assert_array_equal(alone.mean, again.mean)
    assert (alone.auc == again.auc).all()
    assert alone.chance == again.chance


def test_what_lies_beyond_noise(rng):
    noise = rng.uniform(0.5, 2.0, 4000)
    assert beyond(rng.standard_normal(4000) ** 2 * (noise + 0.7), noise) == pytest.approx(0.7, abs=0.12)
    assert beyond(np.zeros(3), np.ones(3)) == 0.0
    assert beyond(np.full(3, 2.0), np.zeros(3)) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("theirs", "ours", "relabel", "found"),
    [
        (["Anger", "boredom"], ["angry", "sad"], {}, {"Anger": "angry"}),
        (["anxiety", "fear"], ["fearful"], {}, {"anxiety": "fearful", "fear": "fearful"}),
        (["calm"], ["neutral"], {}, {}),
        (["calm", "neutral"], ["neutral"], {"calm": "neutral"}, {"calm": "neutral", "neutral": "neutral"}),
        # Two of ours that mean the same are told apart by spelling.
        (["anxiety", "fearful"], ["anxiety", "fear"], {}, {"anxiety": "anxiety"}),
    ],
)
def test_classes_are_matched_by_words(theirs, ours, relabel, found):
    assert matched(theirs, ours, relabel) == found


# ---- Files ----


@pytest.fixture
def files(rng: Rng, centres: dict[str, NDArray[np.float64]], tmp_path: Path) -> Path:
    """A folder: `train.h5` with three angry rows, `near.h5` of another domain, `test.h5`, and `ae`."""
    four = ("happy", "neutral", "sad")
    domains = {
        "train": spoken(rng, centres, even(40, four) | {"angry": 3}, speakers="a"),
        "test": spoken(rng, centres, even(10, (*four, "angry")), speakers="t"),
        "near": spoken(rng, centres, even(50), shift=4.0, speakers="n"),
    }
    for name, speech in domains.items():
        write(tmp_path / f"{name}.h5", speech)
    pretrain_ae(tmp_path / "train.h5", tmp_path / "ae", latent="identity")
    return tmp_path


def write(path: Path, speech: Speech, corpus: str = "") -> Path:
    return store(path, speech.latents, speech.labels.tolist(), speech.speakers.tolist(), corpus)


def fit(folder: Path, *donors: str, output: str = "latents.h5", **options: object) -> Path:
    found = [folder / donor for donor in donors]
    fit_latents(folder / "ae", folder / "train.h5", folder / output, cov="tied", donor=found, **options)
    return folder / output


def test_what_donors_told_is_in_the_file_and_goes_into_the_gan(files, centres):
    plain, latents = fit(files, output="plain.h5"), fit(files, "near.h5")
    assert load_latents(plain).donors == {}
    assert "donors" not in info(plain)
    gaussians, told = load_latents(latents).gaussians, info(latents)
    (donor,) = told["donors"]
    assert donor["name"] == "near"
    assert donor["near"]
    assert donor["ignored"] == ["fearful"]
    assert donor["matched"] == {name: [name] for name in gaussians.classes}
    assert donor["rows"] == dict.fromkeys(gaussians.classes, 50)
    assert donor["auc"]["angry"] > 0.99
    assert donor["agreement"] > 0.8 > donor["chance"]
    assert told["own"]["angry"]["weight"] < 0.5 < told["own"]["sad"]["weight"]
    assert donor["weight"]["angry"] + told["own"]["angry"]["weight"] == pytest.approx(1.0, abs=1e-3)
    np.testing.assert_array_equal(gaussians.covariance, load_latents(plain).gaussians.covariance)
    finetune_gan(files / "ae", latents, files / "train.h5", files / "gan", steps=0)
    header, tensors = load_model(files / "gan", "gan")
    np.testing.assert_array_equal(tensors["latents.mean"].numpy(), gaussians.mean)
    described = info(files / "gan")
    assert (described["donors"], described["own"]) == (told["donors"], told["own"])
    assert "informed" not in described["facts"]
    speakers = {"n0", "a0"}
    assert speakers < set(header.lineage.speakers)


def test_the_history_names_each_donor(files, tmp_path, call):
    done = call("fit-latents", "ae", "train.h5", "--donor", "near.h5", "-o", "latents.h5", cwd=files)
    assert done.code == 0, done.err
    again = fit(files, "near.h5", output="again.h5")
    line = json.loads(load_latents(again).history[-1])
    assert len(line["inputs"]["donor"]) == 1
    assert info(again)["commands"][-1].count("--donor donor-") == 1
    assert load_latents(again).lineage.trained_on > load_latents(fit(files, output="p.h5")).lineage.trained_on


def test_rows_are_moved_to_the_informed_mean(files, centres):
    latents = fit(files, "near.h5")
    finetune_gan(files / "ae", latents, files / "train.h5", files / "gan", steps=0)
    generate(files / "gan", files / "synth.h5", count={"angry": 120}, translate=files / "train.h5")
    scaler = load_header(files / "gan").scaler
    found = scaler.scale(rows_of(files / "synth.h5")).mean(axis=0)
    np.testing.assert_allclose(found, load_latents(latents).gaussians.mean[0], atol=0.1)
    with pytest.raises(UsageError, match="--within-speaker: fits the Gaussians again"):
        generate(files / "gan", files / "no.h5", per_class=1, translate=files / "train.h5", within_speaker=True)


def test_a_donor_may_not_be_tested_on(files):
    finetune_gan(files / "ae", fit(files, "near.h5"), files / "train.h5", files / "gan", steps=0)
    generate(files / "gan", files / "synth.h5", count={"angry": 20})
    train_clf([files / "train.h5", files / "synth.h5"], files / "clf")
    select(files / "near.h5", files / "mine.h5", where=["emotion!=fearful"])
    with pytest.raises(LineageError, match="were trained on by"):
        evaluate(files / "clf", files / "mine.h5")
    evaluate(files / "clf", files / "test.h5")


def test_two_own_rows_of_a_class_work(files, rng, centres):
    few = spoken(rng, centres, even(30, NAMES[2:]) | {"angry": 2})
    write(files / "train.h5", few)
    pretrain_ae(files / "train.h5", files / "ae", latent="identity")
    assert 0.0 < info(fit(files, "near.h5"))["own"]["angry"]["weight"] < 0.3


def test_a_far_donor_is_said_and_own_means_are_taken(files, rng):
    speech = spoken(rng, {name: np.zeros(D) for name in NAMES}, even(50))
    write(files / "far.h5", speech)
    with pytest.warns(SertoolsWarning) as said:
        latents = fit(files, "far.h5")
    texts = [str(one.message) for one in said]
    assert any("donor far: is far: its classes differ as ours by" in text for text in texts)
    assert any("all donors are far; the means are those of its own rows" in text for text in texts)
    plain = load_latents(fit(files, output="plain.h5")).gaussians
    np.testing.assert_array_equal(load_latents(latents).gaussians.mean, plain.mean)
    assert {own["weight"] for own in info(latents)["own"].values()} == {1.0}
    assert set(info(latents)["donors"][0]["weight"].values()) == {0.0}


def test_one_other_class_is_enough_and_said(files):
    select(files / "near.h5", files / "two.h5", where=["emotion=angry,sad"])
    with pytest.warns(SertoolsWarning, match="donor two: has angry and sad alone of our classes"):
        fit(files, "two.h5")


def test_donors_that_tell_of_nothing_are_refused(files, rng, centres):
    write(files / "one.h5", spoken(rng, centres, even(30, ("angry", "fearful"))))
    with pytest.raises(StoreError, match=r"one\.h5 has angry of them; a class is placed by another that both have"):
        fit(files, "one.h5")
    # Beside one that tells something, it is only said.
    with pytest.warns(SertoolsWarning, match="donor one: has angry of our classes, and tells nothing"):
        fit(files, "near.h5", "one.h5")


def test_relabel_counts_a_donors_word_as_another(files, rng, centres):
    named = centres | {"calm": centres["neutral"]}
    write(files / "calm.h5", spoken(rng, named, even(50, ("angry", "calm", "happy", "sad")), shift=4.0))
    assert "neutral" not in info(fit(files, "calm.h5"))["donors"][0]["matched"]
    latents = fit(files, "calm.h5", relabel={"calm": "neutral"})
    assert info(latents)["donors"][0]["matched"]["neutral"] == ["calm"]
    assert "--relabel calm=neutral" in info(latents)["commands"][-1]
    with pytest.raises(UsageError, match="--relabel bored=sad: no donor has 'bored'; they have angry, calm"):
        fit(files, "calm.h5", relabel={"bored": "sad"})
    with pytest.raises(UsageError, match="--relabel: is of the words of donors"):
        fit(files, relabel={"calm": "neutral"})


def test_what_is_no_other_corpus_is_refused(files, rng, centres):
    select(files / "train.h5", files / "part.h5", where=["emotion=angry,sad"])
    finetune_gan(files / "ae", fit(files), files / "train.h5", files / "gan", steps=0)
    generate(files / "gan", files / "synth.h5", per_class=5)
    for donor in ("train.h5", "part.h5", "synth.h5"):
        with pytest.raises(LineageError, match="a donor is another corpus"):
            fit(files, donor)
    with pytest.raises(LineageError, match="each given once"):
        fit(files, "near.h5", "near.h5")
    other = Encoding(encoder="f" * 32, family="hubert", layer=2, n_values=D)
    speech = spoken(rng, centres, even(5))
    write_rows(files / "other.h5", speech.latents.astype(np.float32), speech.labels.tolist(), front_end=other)
    with pytest.raises(StoreError, match=r"other\.h5: its front end differs"):
        fit(files, "other.h5")


def test_each_donor_is_said_on_stderr(files, call):
    done: Outcome = call(
        "fit-latents", files / "ae", files / "train.h5", "--donor", files / "near.h5", "--cov", "tied",
        *("-o", files / "latents.h5"),
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "near: near; matched: angry, happy, neutral, sad; ignored: fearful" in done.err
    assert "class angry  of near  rows 50  AUC 1.00  weight 0." in done.err


def test_the_licence_of_a_known_corpus_is_said(files, call, rng, centres):
    assert info(fit(files, "near.h5"))["donors"][0]["licences"] == {}
    write(files / "nemo.h5", spoken(rng, centres, even(50), shift=4.0, speakers="m"), "nemo")
    options = ("--donor", files / "nemo.h5", "--cov", "tied", "-o", files / "l.h5")
    done: Outcome = call("fit-latents", files / "ae", files / "train.h5", *options)
    words = "licence of nemo, for what is made with it too: CC BY-NC-SA 4.0"
    assert f"nemo: {words}" in done.err
    assert info(files / "l.h5")["donors"][0]["licences"] == {"nemo": "CC BY-NC-SA 4.0"}
    assert info(files / "nemo.h5")["licences"] == {"nemo": "CC BY-NC-SA 4.0"}
    done = call("borrow", files / "train.h5", files / "nemo.h5", "--class", "angry", "-o", files / "borrowed.h5")
    assert words in done.err


def test_pictures_have_donors_in_the_space_of_their_components(rng, tmp_path):
    shape = (32, 32)
    looks = {name: 6.0 * rng.standard_normal(shape) for name in NAMES[1:]}

    def pictures(path: Path, counts: dict[str, int], colour: float) -> Path:
        names = [name for name, n in counts.items() for _ in range(n)]
        values = np.stack([looks[name] for name in names]) + rng.standard_normal((len(names), *shape)) - 40.0
        return write_rows(path, (values + colour * looks["sad"]).astype(np.float32), names)

    train = pictures(tmp_path / "train.h5", even(12, NAMES[2:]) | {"fearful": 3}, 0.0)
    donor = pictures(tmp_path / "donor.h5", even(12, NAMES[1:]), 0.5)
    pretrain_ae(train, tmp_path / "ae", latent="pca", latent_size=6)
    fit_latents(tmp_path / "ae", train, tmp_path / "l.h5", cov="pooled", donor=donor)
    told = info(tmp_path / "l.h5")
    assert told["donors"][0]["near"]
    assert told["own"]["fearful"]["weight"] < 1.0
