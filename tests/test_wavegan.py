"""WaveGAN: its sizes by the cited tables, its parts by hand, its files in the chain, and its sound against noise."""

import dataclasses
import json
import math
import os
import re
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from chains import CPU, FRONT_END, NET, noise, stop_after, synthesise, write_rows
from conftest import SR
from made_speech import LAYER, Speech, vectors
from scipy import special
from speech_shaped import SAMPLES, frechet, pieces, shaped_noise
from stores import read_all
from torch.distributions import Normal, kl_divergence

from sertools.config import FrontEnd
from sertools.corpora.sources import list_recordings
from sertools.encoders.encoder import open_encoder
from sertools.errors import CorpusError, ModelError, SertoolsWarning, Stopped, StoreError, TrainingError, UsageError
from sertools.generation.opening import Ways
from sertools.generation.rows import generate
from sertools.generation.sounding import Sounding
from sertools.generation.translation import Translation
from sertools.generator_config import SOUND_SAMPLES, WAVEGAN, CvaeConfig, WaveganConfig
from sertools.nets.wavegan import LATENT, WaveCritic, WaveGenerator, phase_shuffle, uniform
from sertools.presets import PRESETS
from sertools.provenance import log_of
from sertools.sound.spectra import Spectra
from sertools.store.conditions import Condition
from sertools.store.extraction import extract
from sertools.store.reader import open_store
from sertools.store.select import Selection, select_store
from sertools.training.batches import open_rows
from sertools.training.checkpoint import load_header
from sertools.training.generators import train_kind
from sertools.training.health import WaveWatch
from sertools.training.likelihood import load_net
from sertools.training.log import parse_log
from sertools.training.loop import Run
from sertools.training.runtime import seed_torch
from sertools.training.sound_gan import load_wavegan
from sertools.training.sound_start import SoundStart, Started, spectral_loss
from sertools.training.sounds import SoundBatches, Sounds, as_recorded
from sertools.training.wasserstein import WaveganTrainer, gradient_penalty

# Of the distances of noise, what those of made speech stay below.
MARGIN = 0.9
TINY = WaveganConfig(width=1 / 32, steps=3, batch_size=4, lr=1e-3, critic_steps=2, ema=0.5, pre_emphasis=0.9)
pytestmark = pytest.mark.filterwarnings("ignore:.*fewer than 30 rows", "ignore:.*(collapse|learnt nothing)")


def fit(stores, output, config=TINY, val=None, root=None, **run):
    return list(train_kind(stores, Run(output, **run), config, val, root))


@pytest.fixture(scope="module")
def made(chain, tmp_path_factory):
    path = tmp_path_factory.mktemp("wavegan") / "wavegan"
    fit([chain.train], path)
    return path


@pytest.fixture(scope="module")
def of_vectors(embedded, tmp_path_factory):
    path = tmp_path_factory.mktemp("wavegan") / "vectors"
    fit([embedded], path, dataclasses.replace(TINY, steps=1))
    return path


# ---- Sizes ----


def shapes(net, *inputs):
    """What each layer gives, from a net without memory [shapes without the batch]."""
    seen = []
    for layer in (*net.layers, net.dense):
        layer.register_forward_hook(lambda _, __, out: seen.append(tuple(out.shape[1:])))
    net(*inputs)
    return seen


def test_the_sizes_are_those_of_tables_3_and_4():
    with torch.device("meta"):
        generator, critic = WaveGenerator(4, WaveganConfig()).eval(), WaveCritic(4, WaveganConfig()).eval()
        labels = torch.zeros(2, dtype=torch.long)
        made = shapes(generator, torch.zeros(2, LATENT), labels)
        judged = shapes(critic, torch.zeros(2, 16384), labels)
    d = 64
    assert made == [(256 * d,), (8 * d, 64), (4 * d, 256), (2 * d, 1024), (d, 4096), (1, 16384)]
    assert judged == [(d, 4096), (2 * d, 1024), (4 * d, 256), (8 * d, 64), (16 * d, 16), (1,)]
    # Kernels and biases by the tables; what the class adds is not theirs.
    class_size = generator.embedding.embedding_dim
    sizes = [(100, 256 * d), *((25 * a * d, b * d) for a, b in ((16, 8), (8, 4), (4, 2), (2, 1))), (25 * d, 1)]
    assert parameters(generator) - 4 * class_size - class_size * 256 * d == sum(a * b + b for a, b in sizes)
    sizes = [(25, d), *((25 * a * d, b * d) for a, b in ((1, 2), (2, 4), (4, 8), (8, 16))), (256 * d, 1)]
    assert parameters(critic) - 4 * 256 * d == sum(a * b + b for a, b in sizes)


def parameters(net):
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize("samples", SOUND_SAMPLES)
def test_a_sound_has_as_many_samples_as_were_asked_for(samples):
    config = WaveganConfig(width=1 / 32, samples=samples)
    labels = torch.tensor([0, 2])
    made = WaveGenerator(3, config)(torch.rand(2, LATENT) * 2 - 1, labels)
    assert made.shape == (2, samples)
    assert made.abs().max() <= 1
    assert WaveCritic(3, config)(made, labels).shape == (2,)
    with pytest.raises(UsageError, match=r"--samples 20000: expected 16384 or 65536"):
        WaveganConfig(samples=20000)


def test_the_paper_s_numbers_are_the_preset_s():
    paper = PRESETS["paper"].wavegan
    assert (paper.width, paper.samples, paper.batch_size, paper.lr) == (1.0, 16384, 64, 1e-4)
    assert (paper.critic_steps, paper.beta1, paper.beta2, paper.penalty) == (5, 0.5, 0.9, 10.0)
    assert (paper.pre_emphasis, paper.ema, paper.start_steps) == (0.0, 0.0, 0)
    assert PRESETS["cpu"].wavegan == PRESETS["smoke"].wavegan  # which the tests against noise are of


# ---- Parts ----


def test_phase_shuffle_moves_by_two_at_the_most_and_reflects():
    y = torch.arange(8.0).view(1, 1, 8)
    torch.manual_seed(0)
    seen = {tuple(phase_shuffle(y).flatten().int().tolist()) for _ in range(60)}
    assert seen == {
        (2, 1, 0, 1, 2, 3, 4, 5),
        (1, 0, 1, 2, 3, 4, 5, 6),
        (0, 1, 2, 3, 4, 5, 6, 7),
        (1, 2, 3, 4, 5, 6, 7, 6),
        (2, 3, 4, 5, 6, 7, 6, 5),
    }


def test_the_critic_shuffles_only_while_it_learns_and_looks_at_the_class():
    torch.manual_seed(0)
    critic = WaveCritic(2, WaveganConfig(width=1 / 32))
    y, labels = torch.randn(3, 16384), torch.tensor([0, 1, 0])
    assert len({critic(y, labels)[0].item() for _ in range(8)}) > 1
    critic.eval()
    score = critic(y, labels)
    assert torch.equal(critic(y, labels), score)
    assert torch.equal(critic(y, 1 - labels), score)  # not yet
    with torch.no_grad():
        critic.classes.weight[1] = 0.1
    assert not torch.allclose(critic(y, 1 - labels), score)


def test_the_penalty_of_a_linear_critic_is_of_the_length_of_its_weights():
    weights = torch.tensor([2.0, 3.0, 6.0], requires_grad=True)
    penalty = gradient_penalty(lambda y: y @ weights, torch.randn(5, 3), torch.randn(5, 3))
    assert penalty.item() == pytest.approx((7.0 - 1.0) ** 2, rel=1e-5)
    penalty.backward()
    torch.testing.assert_close(weights.grad, 2 * 6.0 * weights.detach() / 7.0)


def test_distances_are_zero_to_oneself_and_noise_of_the_same_spectrum_is_far(tiny_corpus):
    speech = pieces(sorted(tiny_corpus.glob("*/0[1-4]_*.wav")), np.random.default_rng(0))
    spectra = Spectra.of(speech)
    assert spectra.distance(speech) == 0
    assert spectra.distance(speech[::2]) < 1.5 < 3 < spectra.distance(shaped_noise(speech, np.random.default_rng(1)))
    quieter = Spectra.of(speech).distance(speech * np.float32(0.5))
    assert quieter == pytest.approx(20 * math.log10(2), rel=0.3)  # less where the floor is reached
    assert spectra.variety(np.stack([speech[0]] * 3)) == 0
    assert spectra.variety(speech) > 1
    assert Spectra.of(np.zeros((2, SAMPLES), np.float32)).distance(np.zeros((2, SAMPLES), np.float32)) == 0


def test_emphasis_is_undone_without_a_rumble():
    t = np.arange(SR) / SR
    y = np.stack([np.sin(2 * np.pi * pitch * t) for pitch in (300.0, 3000.0)]).astype(np.float32)
    emphasised = np.concatenate([y[:, :1], y[:, 1:] - np.float32(0.9) * y[:, :-1]], axis=1)
    found = as_recorded(emphasised / 4, 4.0, 0.9)[:, SR // 2 :]
    np.testing.assert_allclose(np.sqrt(2 * np.square(found).mean(axis=1)), 1.0, atol=0.02)
    off = as_recorded(np.ones((1, SR)), 1.0, 0.9)
    assert np.abs(off[:, SR // 2 :]).max() < 1e-3  # where emphasis alone, taken back, gives 10


# ---- A start ----


def test_spectra_hold_no_phase_and_a_gain_is_its_logarithm():
    torch.manual_seed(0)
    y = torch.rand(2, SAMPLES) - 0.5
    assert spectral_loss(y, y) == 0
    assert spectral_loss(-y, y) == 0
    assert spectral_loss(y / 2, y).item() == pytest.approx(math.log(2) + 0.3 / 2, rel=0.03)
    assert spectral_loss(1e-4 * y, torch.zeros_like(y)) < 2e-3  # silence is silence
    t = torch.arange(SAMPLES) / SR
    one, other = (torch.sin(2 * math.pi * 440 * t + phase)[None] for phase in (0.0, 1.0))
    assert spectral_loss(one, other) < 0.05 < 0.2 < spectral_loss(one, torch.sin(2 * math.pi * 660 * t)[None])


def test_noise_as_loud_as_the_floor_is_seen_beside_silence_as_its_distribution_says():
    torch.manual_seed(0)
    noise_like = 0.01 * torch.randn(8, SAMPLES)
    # Of white noise the power in a cell is exponential: the means of log(1 + x) / 2 and of sqrt(x).
    logarithmic, linear = math.e * special.exp1(1.0) / 2, math.gamma(1.5)
    assert spectral_loss(noise_like, torch.zeros_like(noise_like)).item() == pytest.approx(
        logarithmic + 0.3 * linear, rel=0.02
    )


def test_silence_is_no_place_to_stay():
    torch.manual_seed(0)
    y = torch.rand(2, SAMPLES) - 0.5
    gain = torch.tensor(1e-4, requires_grad=True)
    spectral_loss(gain * y, y).backward()
    assert gain.grad < -0.3  # the logarithm's slope goes to 0 there
    gain = torch.zeros((), requires_grad=True)
    spectral_loss(gain * y, y).backward()
    assert gain.grad.isfinite()


def test_the_generator_takes_standard_normal_latents_as_uniform_ones():
    torch.manual_seed(0)
    z = uniform(torch.randn(20_000)).double()
    shares = torch.histc(z, bins=10, min=-1, max=1) / len(z)
    torch.testing.assert_close(shares, torch.full_like(shares, 0.1), atol=0.01, rtol=0)


def started(chain, config):
    rows, run = open_rows([chain.train]), Run(Path("out"))
    sounds = Sounds(rows, SAMPLES, config.pre_emphasis, None)
    generator, critic = WaveGenerator(4, config), WaveCritic(4, config)
    game = WaveganTrainer(generator, critic, SoundBatches(sounds, rows.classes(), run, config), rows, run, config)
    return SoundStart(game), game


def test_a_step_of_the_start_is_one_of_a_variational_autoencoder(chain):
    start, game = started(chain, dataclasses.replace(TINY, start_steps=3, start_kl=0.5, start_lr=0.0))
    with torch.no_grad():
        start.encoder.dense.weight.mul_(100.0)  # far from the prior
    told = start.step(1)
    learnt = [*game.generator.parameters(), *start.encoder.parameters()]
    found = [p.grad.clone() for p in learnt]
    real, labels = game.batches.draw(1)
    mean, log_variance = start.encoder(real)
    seed_torch(0, WAVEGAN, "start", 1)
    posterior = Normal(mean, (log_variance / 2).exp())
    made = game.generator(uniform(posterior.rsample()), labels)
    kl = kl_divergence(posterior, Normal(0.0, 1.0)).sum(dim=1).mean()
    reconstruction = spectral_loss(made, real)
    assert (float(told["reconstruction"]), float(told["kl"])) == pytest.approx((reconstruction.item(), kl.item()))
    wanted = torch.autograd.grad(reconstruction + 0.5 * kl, learnt)
    for own, right in zip(found, wanted, strict=True):
        torch.testing.assert_close(own, right, rtol=1e-3, atol=1e-6)
    with torch.no_grad():
        start.encoder.dense.bias[LATENT:] = torch.tensor([-1e4, 1e4]).repeat(LATENT // 2)
        assert start.encoder(real)[1].exp().isfinite().all()


def test_the_encoder_s_layers_are_the_critic_s_and_both_nets_learn(chain):
    config = dataclasses.replace(TINY, start_steps=60, batch_size=8, start_lr=5e-3)
    start, game = started(chain, config)
    before = [p.detach().clone() for p in (*game.generator.parameters(), *game.critic.layers.parameters())]
    losses = [float(start.step(step)["reconstruction"]) for step in range(60)]
    assert np.mean(losses[-8:]) < 0.8 * np.mean(losses[:8])
    after = [*game.generator.parameters(), *game.critic.layers.parameters()]
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert start.adam.param_groups[0]["lr"] == pytest.approx(5e-3 / 20)  # it goes down at the end
    # The game goes on from there, and so does its average.
    game.step(0)
    assert game.chosen is not game.generator
    for own, new in zip(game.chosen.parameters(), game.generator.parameters(), strict=True):
        torch.testing.assert_close(own, new, atol=2.1 * config.lr, rtol=0)


def test_the_game_counts_its_own_steps(chain, monkeypatch):
    start, game = started(chain, dataclasses.replace(TINY, start_steps=2))
    seen = []
    monkeypatch.setattr(start, "step", lambda step: seen.append(("start", step)))
    monkeypatch.setattr(game, "step", lambda step: seen.append(("game", step)))
    both = Started(start, game)
    for step in range(4):
        both.step(step)
    assert seen == [("start", 0), ("start", 1), ("game", 0), ("game", 1)]


def test_crops_lie_in_their_recording_and_short_ones_have_silence_behind(chain):
    rows = open_rows([chain.train])
    sounds = Sounds(rows, SAMPLES, 0.0, None)
    assert len(sounds) == len(np.unique(rows.utterance))
    store = rows.stores[0]
    short, long = set(), set()
    for number in range(len(sounds)):
        whole, _ = soundfile.read(store.audio_path(int(sounds.utterance[number])), dtype="float32")
        crop = sounds.crops(np.array([number]), np.random.default_rng(number))[0]
        if len(whole) <= SAMPLES:
            short.add(number)
            np.testing.assert_array_equal(crop[: len(whole)], whole)
            assert not crop[len(whole) :].any()
        else:
            long.add(number)
            windows = np.lib.stride_tricks.sliding_window_view(whole, SAMPLES)
            assert (windows[:, :64] == crop[:64]).all(axis=1).sum() == 1
    assert short
    assert long
    learnt = sounds.learnt(sounds.crops(np.arange(len(sounds)), np.random.default_rng(0)))
    assert np.abs(learnt).max() == 1
    assert (np.abs(learnt) == 1).mean() < 0.01


# ---- Files ----


def test_wavs_have_the_length_and_the_store_their_rows(made, chain, call, tmp_path):
    done = call("generate", made, "--count", "angry=2", "--count", "sad=1", "-o", "s.h5", "--wavs", "wavs")
    assert done.code == 0, done.err
    wavs = sorted((tmp_path / "wavs").rglob("*.wav"))
    assert [str(path.relative_to(tmp_path / "wavs")) for path in wavs] == [
        "angry/angry-000000.wav",
        "angry/angry-000001.wav",
        "sad/sad-000000.wav",
    ]
    assert {(soundfile.info(path).frames, soundfile.info(path).samplerate) for path in wavs} == {(16384, 16000)}
    store = open_store(tmp_path / "s.h5")
    assert store.contents.emotion.tolist() == ["angry", "angry", "sad"]
    assert set(store.contents.segments["origin"].tolist()) == {"generated"}
    np.testing.assert_allclose(store.contents.utterances["duration"], 1.024)
    assert store.contents.lineage == load_header(made).lineage
    # A segment of theirs is 1 s: what is over would be a second row.
    extracted = extract(list_recordings([str(tmp_path / "wavs")], None, sys.stdin), tmp_path / "e.h5", FRONT_END)
    assert len(list(extracted))
    again = open_store(tmp_path / "e.h5")
    first = again.contents.segments["start"] == 0
    np.testing.assert_array_equal(read_all(again)[first], read_all(store))
    np.testing.assert_array_equal(
        again.contents.segments["n_valid_frames"][first], store.contents.segments["n_valid_frames"]
    )


def test_the_same_lines_give_the_same_bytes(made, chain, tmp_path):
    fit([chain.train], tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == made.read_bytes()
    fit([chain.train], tmp_path / "other", seed=1)
    assert (tmp_path / "other").read_bytes() != made.read_bytes()
    for name in ("a", "b"):
        ways = Ways(sounding=Sounding(tmp_path / name))
        list(generate(made, tmp_path / f"{name}.h5", {"sad": 2}, ways, device=CPU))
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    for path in (tmp_path / "a").rglob("*.wav"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()
    # Wavs are beside the store: without them it is the same.
    assert synthesise(made, tmp_path / "c.h5", {"sad": 2}).read_bytes() == (tmp_path / "a.h5").read_bytes()


@pytest.mark.parametrize(("ema", "start", "stop"), [(0.0, 0, 2), (0.5, 0, 2), (0.5, 2, 1), (0.5, 2, 2), (0.0, 2, 3)])
def test_a_broken_run_ends_with_the_bytes_of_an_unbroken_one(ema, start, stop, chain, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    config = dataclasses.replace(TINY, ema=ema, start_steps=start)
    fit([chain.train], whole, config)
    with pytest.raises(Stopped):
        fit([chain.train], broken, config, stop=stop_after(stop))
    assert not broken.exists()
    fit([chain.train], broken, config)
    assert broken.read_bytes() == whole.read_bytes()
    logs = [path.with_name(path.name + ".log.ndjson").read_bytes() for path in (whole, broken)]
    assert logs[0] == logs[1]
    assert not list(tmp_path.glob(".*state"))


def test_the_log_has_losses_distance_and_variety_and_is_drawn(made, chain, call, tmp_path):
    log = made.with_name("wavegan.log.ndjson")
    lines = parse_log(log.read_bytes(), str(log)).lines
    assert [line.step for line in lines] == [0, 3]
    classes = ("angry", "happy", "neutral", "sad")
    measured = {"spectral_distance", *(f"pairwise.{name}" for name in classes)}
    assert lines[0].values.keys() == measured | {f"pairwise_real.{name}" for name in classes}
    assert lines[1].values.keys() == measured | {"critic", "g", "penalty"}
    assert load_header(made).facts["spectral_distance"] == pytest.approx(
        lines[1].values["spectral_distance"], rel=1e-3
    )
    done = call("plot", log, "-o", "curves.png")
    assert done.code == 0, done.err
    fit([chain.train], tmp_path / "started", dataclasses.replace(TINY, steps=10, start_steps=10))
    first, of_start, of_game = parse_log(log_of(tmp_path / "started").read_bytes(), "log").lines
    assert first.values.keys() == lines[0].values.keys()
    assert of_start.values.keys() == {"reconstruction", "kl"}
    assert of_game.values.keys() == measured | {"critic", "g", "penalty"}
    fit([chain.train], tmp_path / "alone", dataclasses.replace(TINY, steps=0, start_steps=2))
    assert load_header(tmp_path / "alone").facts["spectral_distance"] > 0


def test_vectors_are_made_by_the_encoder_of_the_store(of_vectors, encoder, call, tmp_path):
    line = ("generate", of_vectors, "--count", "sad=2", "-o", "v.h5")
    done = call(*line)
    assert (done.code, "give --encoder DIR (hubert, digest" in done.err) == (2, True)
    done = call(*line, "--encoder", encoder, "--wavs", "wavs")
    assert done.code == 0, done.err
    store = open_store(tmp_path / "v.h5")
    (layer,) = (opened := open_encoder(str(encoder), layers=[store.contents.front_end.layer])).layers
    for row, path in zip(read_all(store), sorted((tmp_path / "wavs").rglob("*.wav")), strict=True):
        y, _ = soundfile.read(path, dtype="float32")
        np.testing.assert_allclose(row, opened.rows(y)[layer], atol=1e-5)
    assert '"encoder"' in store.contents.history[-1]
    assert '--encoder "$ENCODER"' in json.loads(call("info", "v.h5").out)["commands"][-1]


def test_stores_of_other_rates_learn_and_get_rows_of_their_own(tiny_corpus, tmp_path):
    corpus = tmp_path / "corpus"
    shutil.copytree(tiny_corpus, corpus)
    for number, path in enumerate(sorted(corpus.rglob("*.wav"))):
        y, _ = soundfile.read(path, dtype="float32")
        soundfile.write(path, y, (8000, 22050, 48000)[number % 3])
    front_end = FrontEnd(sr=8000, segment_seconds=1.0, n_mels=32, n_frames=32)
    list(extract(list_recordings([str(corpus / "labels.csv")], None, sys.stdin), tmp_path / "s.h5", front_end))
    fit([tmp_path / "s.h5"], tmp_path / "wg", dataclasses.replace(TINY, steps=1))
    ways = Ways(sounding=Sounding(tmp_path / "wavs"))
    list(generate(tmp_path / "wg", tmp_path / "g.h5", {"sad": 1}, ways, device=CPU))
    (wav,) = (tmp_path / "wavs").rglob("*.wav")
    assert soundfile.info(wav).samplerate == SR
    assert open_store(tmp_path / "g.h5").contents.front_end == front_end
    list(extract(list_recordings([str(tmp_path / "wavs")], None, sys.stdin), tmp_path / "e.h5", front_end))
    np.testing.assert_array_equal(
        read_all(open_store(tmp_path / "e.h5"))[:1], read_all(open_store(tmp_path / "g.h5"))
    )


def test_the_verb_in_the_chain(chain, call, tmp_path):
    line = ["train-generator", chain.train, "--kind", "wavegan", "--preset", "smoke", "--width", "1/32"]
    line += ["--start-steps", 3, "--steps", 2, "--batch-size", 4]
    done = call(*line, "-o", "wg", "--dry-run")
    assert (done.code, "train 5 steps" in done.out + done.err) == (0, True)
    assert re.search(r"median of 2 steps, \S+ s each and median of 1 step, \S+ s each", done.out + done.err)
    assert not (tmp_path / "wg").exists()
    assert call(*line, "-o", "wg").code == 0
    done = call("generate", "wg", "--balance", chain.train, "-o", "s.h5", "--wavs", "w", "--dry-run")
    assert (done.code, "a wav each" in done.out + done.err) == (0, True)
    assert not (tmp_path / "w").exists()
    assert call("generate", "wg", "--balance", chain.train, "-o", "s.h5").code == 0
    assert call("train-clf", chain.train, "s.h5", "--preset", "smoke", "--steps", 1, "-o", "clf").code == 0
    assert call("evaluate", "clf", chain.test, "-o", "r.json").code == 0
    leaked = call("evaluate", "clf", chain.train, "-o", "leaked.json")
    assert (leaked.code, "trained on" in leaked.err) == (1, True)
    described = call("info", "s.h5").out
    assert "--kind wavegan --preset" in described


# ---- What cannot be ----


def test_audio_that_is_missing_outside_or_changed_is_refused(chain, tiny_corpus, tmp_path):
    select_store(chain.train, tmp_path / "own.h5", Selection(), copy=True)
    moved = tmp_path / "other" / "place" / "train.h5"
    moved.parent.mkdir(parents=True)
    shutil.copy(tmp_path / "own.h5", moved)
    with pytest.raises(StoreError, match=r"32 recordings that are to be learnt from are missing, .*--audio-root DIR"):
        fit([moved], tmp_path / "out")
    with pytest.raises(CorpusError, match="no such folder"):
        fit([tmp_path / "own.h5"], tmp_path / "out", root=tmp_path / "nowhere")
    changed = tmp_path / "changed"
    shutil.copytree(tiny_corpus, changed)
    fit([tmp_path / "own.h5"], tmp_path / "out", dataclasses.replace(TINY, steps=0), root=changed)
    soundfile.write(changed / "sad" / "01_1.wav", np.full(SR, 0.1), SR)
    with pytest.raises(StoreError, match="is not the audio that the store was extracted from"):
        fit([tmp_path / "own.h5"], tmp_path / "third", root=changed)
    assert not (tmp_path / "third").exists()


def test_rows_that_cannot_be_learnt_from_are_refused(chain, tiny_store, rng, tmp_path):
    with pytest.raises(StoreError, match="row 0 is generated, not real speech, and has no recording to learn from"):
        fit([chain.synth], tmp_path / "out")
    one = tmp_path / "one.h5"
    select_store(chain.train, one, Selection(where=(Condition("emotion", ("sad",)),)))
    with pytest.raises(StoreError, match="holds 1 class"):
        fit([one], tmp_path / "out")
    few = write_rows(tmp_path / "few.h5", noise(rng, 5), ["sad"] * 4 + ["angry"])
    with pytest.raises(StoreError, match="class 'angry' has 1 row"):
        fit([few], tmp_path / "out")


def test_memory_that_is_short_is_an_error_with_a_remedy(chain, tmp_path, monkeypatch):
    def step(self, step):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    monkeypatch.setattr(WaveganTrainer, "step", step)
    with pytest.raises(TrainingError, match="a batch does not fit into memory; lower --batch-size or --width"):
        fit([chain.train], tmp_path / "out")


def test_options_of_another_kind_are_refused(made, chain, encoder, tmp_path):
    with pytest.raises(UsageError, match="--val: a WaveGAN has no loss"):
        fit([chain.train], tmp_path / "out", val=chain.val)
    cvae = CvaeConfig(net=dataclasses.replace(NET, dropout=0.0), steps=1, batch_size=4)
    with pytest.raises(UsageError, match="--audio-root: rows are learnt as they are in the store"):
        fit([chain.train], tmp_path / "out", cvae, root=tmp_path)

    def drawn(path, ways):
        list(generate(path, tmp_path / "g.h5", {"sad": 1}, ways, device=CPU))

    with pytest.raises(UsageError, match=r"--translate: moves rows, and .*, a wavegan file, makes sound"):
        drawn(made, Ways(translation=Translation(chain.train)))
    with pytest.raises(UsageError, match=r"--smote: needs the latents of a GAN, and .* is a wavegan file"):
        drawn(made, Ways(smote=chain.train))
    with pytest.raises(UsageError, match=r"--wavs: belongs to a generator of sound, and .* is a gan file; `to-wav`"):
        drawn(chain.gan, Ways(sounding=Sounding(tmp_path / "w")))
    with pytest.raises(UsageError, match=r"--encoder: .* is a wavegan file of spectrograms"):
        drawn(made, Ways(sounding=Sounding(encoder=str(encoder))))
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file; --wavs must name a folder"):
        drawn(made, Ways(sounding=Sounding(tmp_path / "file")))
    with pytest.raises(ModelError, match="is of the kind wavegan; cvae or diffusion is wanted here"):
        load_net(made)
    assert load_wavegan(made)[0].kind == WAVEGAN


# ---- Health ----


def test_the_watch_tells_of_a_collapse_and_of_nothing_learnt():
    start = {"spectral_distance": 9.0, "pairwise.a": 0.1, "pairwise_real.a": 6.0}
    watch = WaveWatch()
    assert watch.notice(0, 60, start) == []
    assert watch.notice(10, 60, {"critic": 1.0}) == []
    assert watch.notice(20, 60, {"spectral_distance": 8.0, "pairwise.a": 1.0}) == []  # it has yet to begin
    assert watch.notice(40, 60, {"spectral_distance": 5.0, "pairwise.a": 4.0}) == []
    (found,) = watch.notice(50, 60, {"spectral_distance": 5.0, "pairwise.a": 1.5})
    assert (found.name, "'a' differ among themselves by 25 % of what real" in found.text) == ("collapse", True)
    (found,) = watch.notice(60, 60, {"spectral_distance": 9.5, "pairwise.a": 1.0})  # once is enough
    assert (found.name, "was 9 dB and is 9.5 dB" in found.text) == ("nothing-learnt", True)
    watch = WaveWatch()
    watch.notice(0, 20, start)
    assert [f.name for f in watch.notice(20, 20, {"spectral_distance": 8.0, "pairwise.a": 1.0})] == ["collapse"]
    watch = WaveWatch(40)
    alike = {"spectral_distance": 8.0, "pairwise.a": 1.5}
    watch.notice(0, 60, start)
    assert watch.notice(10, 60, {"spectral_distance": 8.0, "pairwise.a": 4.0}) == []
    assert watch.notice(20, 60, alike) == []  # an autoencoder's
    assert watch.notice(40, 60, {"spectral_distance": 8.0, "pairwise.a": 4.0}) == []
    assert [f.name for f in watch.notice(50, 60, alike)] == ["collapse"]


# ---- Real speech ----


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Real speech of new speakers, and for three seeds noise of speech and what the tiny net makes, a second each."""
    if "SERTOOLS_DATA" not in os.environ:
        pytest.skip("SERTOOLS_DATA names no folder of corpora")
    folder = tmp_path_factory.mktemp("real")
    with warnings.catch_warnings():
        # One recording is there twice, and nets of few minutes are warned of.
        warnings.simplefilter("ignore", SertoolsWarning)
        speech = Speech.of("ravdess", Path(os.environ["SERTOOLS_DATA"]) / "ravdess", folder, "1/3")
        return speech.heldout, [(speech.noise(seed), speech.made(folder, "smoke", seed)) for seed in range(3)]


@pytest.mark.slow
def test_made_speech_is_nearer_to_speech_than_noise_of_its_spectrum_and_envelope(compared):
    heldout, pairs = compared
    spectra = Spectra.of(heldout)
    for noise_like, made in pairs:
        assert spectra.distance(made) < MARGIN * spectra.distance(noise_like)


@pytest.mark.slow
@pytest.mark.skipif("SERTOOLS_MODELS" not in os.environ, reason="SERTOOLS_MODELS names no folder of encoders")
def test_made_speech_is_nearer_by_an_encoder_too(compared):
    heldout, pairs = compared
    encoder = open_encoder(str(Path(os.environ["SERTOOLS_MODELS"]) / "whisper-base-encoder"), layers=[LAYER])
    real = vectors(encoder, heldout)
    for noise_like, made in pairs:
        assert frechet(real, vectors(encoder, made)) < MARGIN * frechet(real, vectors(encoder, noise_like))
