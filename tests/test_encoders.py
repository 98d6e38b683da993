"""Rows of pretrained encoders: every family as a tiny random network, and a real Whisper of SERTOOLS_MODELS."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SR, tone
from safetensors.torch import load_file, save_file
from tiny_encoders import BLOCKS, CONFIGS, save_tiny

from sertools.encoders.encoder import open_encoder
from sertools.encoders.families import FAMILIES
from sertools.encoders.network import EncoderIdentity
from sertools.errors import AudioError, ModelError, SertoolsError, SertoolsWarning, UsageError

transformers = pytest.importorskip("transformers", reason="needs the extra `encoder`")

ALL = range(BLOCKS + 1)
# Of a batch against one at a time, of the largest value of a row; it sums in another order.
BATCH_TOLERANCE = dict.fromkeys(CONFIGS, 2e-6)


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """Folders of tiny networks, each made when it is asked for; not to be changed."""
    made = {}

    def of(kind: str) -> Path:
        if kind not in made:
            made[kind] = save_tiny(kind, tmp_path_factory.mktemp("encoders") / kind)
        return made[kind]

    return of


@pytest.fixture
def speech(rng):
    """Recordings of 0.4 to 1.9 s; the second and the fourth are equally long, the third has an odd number of mels."""
    return [tone(rng, 110 + 20 * n, seconds) for n, seconds in enumerate((0.41, 0.9, 1.91, 0.9, 1.333))]


def theirs(folder: Path, kind: str, y: np.ndarray) -> list[torch.Tensor]:
    """Hidden states of transformers' own loop, a file at a time."""
    name, _ = CONFIGS[kind]
    family = FAMILIES[name]
    model = getattr(transformers, family.model).from_pretrained(folder).eval()
    extractor = getattr(transformers, family.extractor).from_pretrained(folder)
    given = extractor(y, sampling_rate=SR, return_tensors="pt")
    with torch.inference_mode():
        if name == "whisper":
            return model.encoder(given["input_features"], output_hidden_states=True)
        return model(**given, output_hidden_states=True)


@pytest.mark.parametrize("kind", CONFIGS)
def test_layers_are_those_of_transformers(kind, saved, speech):
    encoder = open_encoder(saved(kind), layers=ALL, padded=kind == "whisper")
    found = encoder.rows(speech[2])
    assert (encoder.sr, encoder.dim, encoder.n_layers, encoder.layers) == (SR, 16, BLOCKS, tuple(ALL))
    out = theirs(saved(kind), kind, speech[2])
    wanted = [*out.hidden_states[:-1], out.last_hidden_state]
    assert [*found] == [*ALL]
    assert len(wanted) == BLOCKS + 1
    for layer, states in enumerate(wanted):
        if kind == "wav2vec2-bert":
            # The loop fills an odd number of mels up, masks what it has filled, and returns it none the less.
            states = states[:, : (1 + (len(speech[2]) - 400) // 160) // 2]
        assert found[layer].dtype == np.float32
        np.testing.assert_allclose(found[layer], states[0].mean(0), atol=2e-6, err_msg=f"layer {layer}")
    # Blocks do something, so that taking one for another is seen.
    assert all(np.abs(found[layer] - found[layer + 1]).max() > 1e-3 for layer in range(BLOCKS))


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_layer_is_the_same_without_those_above_it(kind, saved, speech):
    every = open_encoder(saved(kind), layers=ALL).rows(speech[0])
    for layer in ALL:
        alone = open_encoder(saved(kind), layers=[layer]).rows(speech[0])
        assert [*alone] == [layer]
        assert alone[layer].tobytes() == every[layer].tobytes()
    assert open_encoder(saved(kind)).layers == (BLOCKS // 2,)


@pytest.mark.parametrize("kind", CONFIGS)
def test_rows_do_not_depend_on_what_comes_with_them(kind, saved, speech):
    encoder = open_encoder(saved(kind), layers=[1, BLOCKS])
    alone = [encoder.rows(y) for y in speech]
    together = encoder.rows_of(speech)
    backwards = encoder.rows_of(speech[::-1])[::-1]
    for rows in (together, backwards):
        for one, other in zip(alone, rows, strict=True):
            assert all(one[layer].tobytes() == other[layer].tobytes() for layer in encoder.layers)
    assert encoder.rows_of([]) == []


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_batch_of_equal_lengths_agrees_with_one_at_a_time(kind, saved, speech):
    encoder = open_encoder(saved(kind), layers=ALL)
    equal = [speech[1], speech[3]]
    batch = encoder._halving(equal, "float32")
    for y, rows in zip(equal, batch, strict=True):
        for layer, row in encoder.rows(y).items():
            assert np.abs(rows[layer] - row).max() <= BATCH_TOLERANCE[kind] * np.abs(row).max()


@pytest.mark.gpu
@pytest.mark.parametrize("kind", CONFIGS)
def test_a_gpu_agrees_with_a_cpu(kind, saved, speech):
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    wanted, found = (
        open_encoder(saved(kind), layers=ALL, device=torch.device(name)).rows_of(speech) for name in ("cpu", "cuda")
    )
    for one, other in zip(wanted, found, strict=True):
        for layer in ALL:
            assert np.abs(one[layer] - other[layer]).max() <= 1e-4 * np.abs(one[layer]).max()


def test_lengths_are_gathered_into_batches_on_a_gpu(saved, speech, monkeypatch):
    encoder = open_encoder(saved("hubert"))
    alone = encoder.rows_of(speech)
    seen = []
    frames = encoder._network.frames
    monkeypatch.setattr(encoder._network, "frames", lambda batch, p: seen.append(len(batch)) or frames(batch, p))
    # The CPU computes what it is told to share as a GPU would.
    encoder._device = torch.device("cuda")
    for one, other in zip(alone, encoder.rows_of(speech), strict=True):
        np.testing.assert_allclose(one[2], other[2], atol=1e-5)
    assert seen == [1, 2, 1, 1]


def test_a_batch_that_does_not_fit_memory_is_halved(saved, speech, monkeypatch):
    encoder = open_encoder(saved("hubert"))
    frames = encoder._network.frames

    def short(batch, precision):
        if len(batch) > most:
            raise RuntimeError("CUDA out of memory. Tried to allocate 3 GiB")
        return frames(batch, precision)

    monkeypatch.setattr(encoder._network, "frames", short)
    most = 1
    rows = encoder._halving([speech[1], speech[3], speech[1]], "float32")
    assert [row[2].tobytes() for row in rows] == [encoder.rows(speech[n])[2].tobytes() for n in (1, 3, 1)]
    most = 0
    with pytest.raises(SertoolsError, match=r"not enough memory for 0\.9 s of audio on cpu"):
        encoder.rows(speech[1])


def test_mean_and_deviation_stand_one_behind_the_other(saved, speech):
    mean = open_encoder(saved("wavlm"), layers=[2])
    both = open_encoder(saved("wavlm"), layers=[2], pool="mean-std")
    frames = mean._network.frames([speech[0]], "float32")[2][0].double().numpy()
    row = both.rows(speech[0])[2]
    assert (mean.dim, both.dim, row.shape) == (16, 32, (32,))
    assert row[:16].tobytes() == mean.rows(speech[0])[2].tobytes()
    np.testing.assert_allclose(row[16:], frames.std(axis=0), rtol=1e-6)


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_shortest_recording_gives_one_frame(kind, saved, rng):
    encoder = open_encoder(saved(kind))
    y = tone(rng, 120, 0.5)[: encoder.min_samples]
    states = encoder._network.frames([y], "float32")[BLOCKS // 2]
    assert states.shape[1] == 1
    assert np.isfinite(encoder.rows(y)[BLOCKS // 2]).all()
    with pytest.raises(
        AudioError, match=r"too short for this encoder, which needs [\d.]+ ms; leave the recording out"
    ):
        encoder.rows(y[:-1])


def test_a_recording_longer_than_whisper_takes_is_refused(saved, rng):
    encoder = open_encoder(saved("whisper"))
    assert encoder.max_samples == 2 * SR
    assert encoder.rows(tone(rng, 120, 2.0))[2].shape == (16,)
    with pytest.raises(AudioError, match=r"2\.1 s are too long .* takes up to 2 s; cut the recording into pieces"):
        encoder.rows(tone(rng, 120, 2.1))
    assert open_encoder(saved("hubert")).max_samples is None


# ---- What rows are known by --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_identity_is_that_of_the_weights_and_not_of_the_folder(kind, saved, tmp_path):
    first = open_encoder(saved(kind))
    shutil.copytree(saved(kind), tmp_path / "copy")
    assert open_encoder(tmp_path / "copy").identity == first.identity
    path = tmp_path / "copy" / "model.safetensors"
    weights = load_file(path)
    # As half precision would be, and back: the same values, so the same encoder.
    save_file({name: value.half() for name, value in weights.items()}, path)
    half = open_encoder(tmp_path / "copy").identity.digest
    save_file({name: value.half().float() for name, value in weights.items()}, path)
    assert open_encoder(tmp_path / "copy").identity.digest == half != first.identity.digest
    name = next(each for each in sorted(weights) if "layers.3" in each)  # above the layer that is taken
    save_file({**weights, name: weights[name] + 1e-3}, path)
    assert open_encoder(tmp_path / "copy").identity.digest != first.identity.digest


def test_an_identity_is_json_and_reads_back(saved):
    encoder = open_encoder(saved("wav2vec2"), layers=[3, 1, 3], pool="mean-std")
    text = json.dumps(encoder.identity.record())
    assert str(saved("wav2vec2")) not in text
    assert EncoderIdentity.from_record(json.loads(text)) == encoder.identity
    assert encoder.identity.layers == (1, 3)
    assert encoder.identity.at(3).layers == (3,)
    assert encoder.identity.front_end == {"sr": SR, "do_normalize": True}
    assert encoder.identity != open_encoder(saved("wav2vec2"), layers=[1, 3]).identity
    with pytest.raises(ValueError, match="pool: missing or unknown"):
        EncoderIdentity.from_record({k: v for k, v in encoder.identity.record().items() if k != "pool"})


def test_numbers_that_join_the_weights_are_part_of_the_digest(saved, tmp_path):
    shutil.copytree(saved("hubert"), tmp_path / "copy")
    path = tmp_path / "copy" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_attention_heads": 4}))
    assert open_encoder(tmp_path / "copy").identity.digest != open_encoder(saved("hubert")).identity.digest


def test_the_front_end_is_read_from_the_folder(saved, tmp_path, speech):
    shutil.copytree(saved("wav2vec2"), tmp_path / "copy")
    path = tmp_path / "copy" / "preprocessor_config.json"
    numbers = json.loads(path.read_text()) | {"do_normalize": False}
    path.write_text(json.dumps(numbers))
    plain, normal = open_encoder(tmp_path / "copy"), open_encoder(saved("wav2vec2"))
    assert plain.identity != normal.identity
    assert plain.identity.digest == normal.identity.digest
    y = speech[0]
    np.testing.assert_allclose(plain.rows((y - y.mean()) / np.sqrt(y.var() + 1e-7))[2], normal.rows(y)[2], atol=1e-5)
    # Where a processor was saved.
    path.rename(path.with_name("processor_config.json"))
    path.with_name("processor_config.json").write_text(json.dumps({"feature_extractor": numbers}))
    assert open_encoder(tmp_path / "copy").identity == plain.identity


# ---- Files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("wav2vec2", "Wav2Vec2ForCTC"),
        ("hubert", "HubertForSequenceClassification"),
        ("wavlm", "WavLMForXVector"),
        ("wav2vec2-bert", "Wav2Vec2BertForCTC"),
        ("whisper", "WhisperForConditionalGeneration"),
        ("whisper", "WhisperModel"),
    ],
)
def test_an_encoder_within_a_larger_model_is_the_same(kind, model, tmp_path, speech):
    name, numbers = CONFIGS[kind]
    torch.manual_seed(2)
    whole = getattr(transformers, model)(getattr(transformers, FAMILIES[name].config)(**numbers)).eval()
    whole.save_pretrained(tmp_path / "whole", max_shard_size="30KB")
    inner = whole.get_encoder() if name == "whisper" else getattr(whole, whole.base_model_prefix)
    inner.save_pretrained(tmp_path / "inner")
    save_tiny(kind, tmp_path / "front")
    for folder in ("whole", "inner"):
        shutil.copy(tmp_path / "front" / "preprocessor_config.json", tmp_path / folder)
    shutil.copy(tmp_path / "whole" / "config.json", tmp_path / "inner")
    assert len([*(tmp_path / "whole").glob("*.safetensors")]) > 1
    found, wanted = (open_encoder(tmp_path / folder) for folder in ("whole", "inner"))
    assert found.identity == wanted.identity
    assert found.rows(speech[0])[2].tobytes() == wanted.rows(speech[0])[2].tobytes()
    (next((tmp_path / "whole").glob("*-00001-of-*.safetensors"))).unlink()
    with pytest.raises(ModelError, match=r"model-00001-of-\d+\.safetensors: is missing"):
        open_encoder(tmp_path / "whole")


def test_weights_of_a_normalised_convolution_are_known_by_their_old_names(saved, tmp_path):
    shutil.copytree(saved("wavlm"), tmp_path / "old")
    path = tmp_path / "old" / "model.safetensors"
    old = {".parametrizations.weight.original0": ".weight_g", ".parametrizations.weight.original1": ".weight_v"}
    new = {after: before for before, after in old.items()}
    weights = load_file(path)
    names = [name for name in weights if any(end in name for end in (*old, *new))]
    assert len(names) == 2
    for ends in (old, new):
        renamed = dict(weights)
        for name in names:
            end = next((each for each in ends if name.endswith(each)), None)
            if end:
                renamed[name.removesuffix(end) + ends[end]] = renamed.pop(name)
        save_file(renamed, path)
        assert open_encoder(tmp_path / "old").identity == open_encoder(saved("wavlm")).identity


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_missing_weight_is_named_and_never_made_up(kind, saved, tmp_path):
    shutil.copytree(saved(kind), tmp_path / "copy")
    path = tmp_path / "copy" / "model.safetensors"
    weights = load_file(path)
    name = next(each for each in sorted(weights) if "layers.3" in each and each.endswith("weight"))
    save_file({each: value for each, value in weights.items() if each != name}, path)
    inner = name.removeprefix("encoder.") if kind == "whisper" else name
    with pytest.raises(ModelError, match=rf"copy: lacks weights of the encoder: {inner}; "):
        open_encoder(tmp_path / "copy")
    save_file({**weights, name: weights[name][:-1].contiguous()}, path)
    with pytest.raises(ModelError, match=rf"{inner} is .+, and .+ by config\.json"):
        open_encoder(tmp_path / "copy")
    save_file({**weights, name: weights[name].to(torch.int8)}, path)
    with pytest.raises(ModelError, match=r"is torch\.int8: quantised weights are not read"):
        open_encoder(tmp_path / "copy")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ModelError, match=r"model\.safetensors: damaged weights"):
        open_encoder(tmp_path / "copy")


def test_what_is_no_encoder_is_refused_in_one_line(saved, tmp_path):
    folder = tmp_path / "there"

    def refusal(where=folder, **options):
        with pytest.raises(SertoolsError) as caught:
            open_encoder(where, **options)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "no such folder" in refusal()
    assert "on the hub it is hf:facebook/hubert-base-ls960" in refusal("facebook/hubert-base-ls960")
    folder.mkdir()
    assert "config.json is missing" in refusal()
    assert "no folder, and no .onnx file" in refusal(saved("hubert") / "model.safetensors")
    transformers.BertConfig(hidden_size=8, num_attention_heads=1).save_pretrained(folder)
    assert "a model of the type 'bert'; expected one of wav2vec2, hubert, wavlm, " in refusal()
    config = (saved("hubert") / "config.json").read_text()
    (folder / "config.json").write_text(config)
    assert "model.safetensors is missing" in refusal()
    # A pickle that would run if it were read.
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch read'\ntR.")
    assert "a pickle alone (pytorch_model.bin), which can run code and is never read; convert it" in refusal()
    shutil.copy(saved("hubert") / "model.safetensors", folder)
    assert "preprocessor_config.json is missing" in refusal()
    shutil.copy(saved("whisper") / "preprocessor_config.json", folder)
    assert "of a WhisperFeatureExtractor, and the encoder has a Wav2Vec2FeatureExtractor" in refusal()
    shutil.copy(saved("hubert") / "preprocessor_config.json", folder)
    assert open_encoder(folder).layers == (2,)
    for broken in ("{", "[]", "\x00"):
        (folder / "config.json").write_text(broken)
        assert "config.json: " in refusal()
    (folder / "config.json").write_text(json.dumps(json.loads(config) | {"num_attention_heads": "many"}))
    assert "its config.json makes no hubert" in refusal()
    (folder / "config.json").write_text(config)
    assert refusal(layers=[5]) == "--layer 5: this encoder has 4 blocks; expected 0 to 4"
    assert "expected 0 to 4" in refusal(layers=[-1])
    assert "names no layer" in refusal(layers=[])
    assert "takes 16000 Hz" in refusal(sr=8000)
    assert "takes any length" in refusal(padded=True)
    assert "--pool 'max': expected one of mean, mean-std" in refusal(pool="max")
    assert "--precision 'int8'" in refusal(precision="int8")


@pytest.mark.parametrize(
    ("kind", "numbers", "words"),
    [
        ("whisper", {"feature_size": 128}, r"128 mels of the front end, 80 of config\.json"),
        ("whisper", {"chunk_length": 30}, r"480000 samples of the front end, 32000 of config\.json"),
        ("wav2vec2-bert", {"stride": 1}, r"80 mels by 1 frames do not make the 160 inputs of config\.json"),
        ("hubert", {"sampling_rate": "fast"}, "its numbers make no front end"),
        ("hubert", {"sampling_rate": 0}, "a sampling rate of 0 Hz"),
    ],
)
def test_a_front_end_of_another_model_is_refused(kind, numbers, words, saved, tmp_path):
    shutil.copytree(saved(kind), tmp_path / "copy")
    path = tmp_path / "copy" / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | numbers))
    with pytest.raises(ModelError, match=rf"copy.*: {words}"):
        open_encoder(tmp_path / "copy")


def test_code_that_comes_with_a_model_is_not_run(saved, tmp_path):
    shutil.copytree(saved("wav2vec2"), tmp_path / "copy")
    (tmp_path / "copy" / "modeling.py").write_text("raise SystemExit('was run')")
    path = tmp_path / "copy" / "config.json"
    own = {"AutoConfig": "modeling.Config", "AutoModel": "modeling.Model"}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"auto_map": own}))
    assert open_encoder(tmp_path / "copy").identity == open_encoder(saved("wav2vec2")).identity


def test_a_name_on_the_hub_is_found_in_its_cache(saved, tmp_path, monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    commit = "0123456789abcdef0123456789abcdef01234567"
    kept = tmp_path / "models--someone--hubert-tiny"
    shutil.copytree(saved("hubert"), kept / "snapshots" / commit)
    (kept / "refs").mkdir()
    (kept / "refs" / "v1").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for revision in ("v1", commit):
        identity = open_encoder(f"hf:someone/hubert-tiny@{revision}").identity
        assert identity.hub == f"someone/hubert-tiny@{commit}"
        assert identity == open_encoder(saved("hubert")).identity
    with pytest.raises(ModelError, match=r"^hf:someone/hubert-tiny@v2: not to be had"):
        open_encoder("hf:someone/hubert-tiny@v2")
    with pytest.raises(ModelError, match=r"^hf:some one/x: not to be had"):
        open_encoder("hf:some one/x")
    with pytest.raises(UsageError, match="expected hf:OWNER/NAME@REVISION"):
        open_encoder("hf:@main")


def test_without_the_extra_one_line_says_what_to_install(saved, tmp_path):
    code = "\n".join(
        (
            "import sys",
            "sys.modules |= dict.fromkeys(('transformers', 'huggingface_hub', 'onnx', 'onnxruntime'))",
            "from sertools.encoders.encoder import open_encoder",
            "for where in sys.argv[1:]:",
            "    try: open_encoder(where)",
            "    except Exception as error: print(error)",
        )
    )
    (tmp_path / "x.onnx").touch()
    command = [sys.executable, "-c", code, str(saved("hubert")), "hf:a/b", str(tmp_path / "x.onnx")]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.partition("pip install ")[2] for line in found] == ["'sertools[encoder]'"] * 2 + ["'sertools[onnx]'"]


# ---- Half precision ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["bf16", "float16"])
def test_half_precision_is_near(precision, saved, speech):
    # Not the tiny HuBERT, whose convolutions oneDNN gets wrong on processors with AMX.
    whole, half = (
        open_encoder(saved("whisper"), precision=each).rows(speech[0])[2] for each in ("float32", precision)
    )
    assert 0 < np.abs(whole - half).max() < 0.05 * np.abs(whole).max()


def test_half_precision_is_compared_once(saved, speech, monkeypatch):
    half = open_encoder(saved("whisper"), precision="bf16")
    right, seen = half._network.frames, []
    monkeypatch.setattr(half._network, "frames", lambda batch, each: seen.append(each) or right(batch, each))
    half.rows_of(speech)
    assert (seen.count("float32"), seen.count("bf16")) == (1, len(speech))


def test_half_precision_that_is_far_off_gives_way_to_float32(saved, speech, monkeypatch):
    whole = open_encoder(saved("whisper")).rows_of(speech)
    wrong = open_encoder(saved("whisper"), precision="bf16")
    right = wrong._network.frames

    def frames(batch, precision):
        sign = 1.0 if precision == "float32" else -1.0
        return {layer: sign * states for layer, states in right(batch, precision).items()}

    monkeypatch.setattr(wrong._network, "frames", frames)
    with pytest.warns(SertoolsWarning, match=r"--precision bf16: rows are \d+ % off on this machine") as caught:
        rows = wrong.rows_of(speech)
    assert len(caught) == 1
    assert [row[2].tobytes() for row in rows] == [row[2].tobytes() for row in whole]


def test_what_half_precision_cannot_hold_is_computed_in_float32(saved, tmp_path, speech):
    shutil.copytree(saved("hubert"), tmp_path / "loud")
    path = tmp_path / "loud" / "model.safetensors"
    weights = load_file(path)
    name = "encoder.layers.0.feed_forward.intermediate_dense.weight"
    save_file({**weights, name: weights[name] * 1e6}, path)
    whole = open_encoder(tmp_path / "loud").rows_of(speech)
    half = open_encoder(tmp_path / "loud", precision="float16")
    with pytest.warns(SertoolsWarning, match="--precision float16: gives NaN or infinite rows") as caught:
        rows = half.rows_of(speech)
    assert len(caught) == 1
    assert [row[2].tobytes() for row in rows] == [row[2].tobytes() for row in whole]
    save_file({**weights, name: weights[name] * float("nan")}, path)
    with pytest.raises(ModelError, match="NaN or infinite values"):
        open_encoder(tmp_path / "loud").rows(speech[0])


# ---- Whisper as it is --------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def whisper():
    """Whisper-base's own encoder, as transformers saved it."""
    folder = Path(os.environ.get("SERTOOLS_MODELS", "")) / "whisper-base-encoder"
    if not folder.is_dir():
        pytest.skip("SERTOOLS_MODELS holds no whisper-base-encoder/")
    return folder


def test_whisper_padded_is_transformers_own_loop(whisper, rng):
    y = tone(rng, 130, 2.7)
    encoder = open_encoder(whisper, layers=range(7), padded=True)
    assert (encoder.dim, encoder.n_layers, encoder.max_samples) == (512, 6, 30 * SR)
    model = transformers.WhisperForAudioClassification.from_pretrained(whisper, dtype=torch.float32).encoder.eval()
    features = transformers.WhisperFeatureExtractor.from_pretrained(whisper)(y, sampling_rate=SR, return_tensors="pt")
    with torch.inference_mode():
        states = model(features["input_features"], output_hidden_states=True).hidden_states
    frames = encoder._network.frames([y], "float32")
    assert [*frames] == [*range(7)]
    for layer, wanted in enumerate(states):
        assert torch.allclose(frames[layer], wanted, atol=1e-4), layer


def test_whisper_on_a_recordings_own_length(whisper, rng):
    encoder = open_encoder(whisper)
    assert encoder.layers == (3,)
    y = tone(rng, 130, 2.7)
    (frames,) = encoder._network.frames([y], "float32").values()
    assert frames.shape == (1, 135, 512)
    # At full length there is nothing to leave out.
    full = tone(rng, 130, 30.0)
    padded = open_encoder(whisper, padded=True)
    assert encoder.rows(full)[3].tobytes() == padded.rows(full)[3].tobytes()
    assert encoder.identity.front_end["padded"] is False
    assert encoder.identity != padded.identity
    # Speech is another thing than speech and silence.
    assert np.abs(encoder.rows(y)[3] - padded.rows(y)[3]).max() > 0.1
