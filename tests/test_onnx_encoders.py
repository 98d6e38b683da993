"""Encoders as ONNX files: axes, sampling rate and external data are read, and what is unfit is refused."""

import numpy as np
import pytest
import torch
from conftest import tone

from sertools.encoders.encoder import open_encoder
from sertools.errors import AudioError, ModelError, SertoolsError, UsageError

onnx = pytest.importorskip("onnx", reason="needs the extra `onnx`")
pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")

RATE = 8000
WINDOW, HOP, WIDTH = 200, 80, 6


def export(path, *, vector=False, wave=("B", "n"), rate=RATE, kind=onnx.TensorProto.FLOAT, second=False, **saving):
    """Write a convolution over the waveform, from (B, n) to (B, T, D), or its mean over time."""
    helper = onnx.helper
    filters = np.random.default_rng(3).standard_normal((WIDTH, 1, WINDOW)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["wave"], ["samples"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["samples", "one"], ["channel"]),
        helper.make_node("Conv", ["channel", "filters"], ["found"], strides=[HOP]),
        helper.make_node("Transpose", ["found"], ["frames"], perm=[0, 2, 1]),
        helper.make_node("ReduceMean", ["frames", "one"], ["vector"], keepdims=0),
    ]
    outputs = [helper.make_tensor_value_info("frames", 1, ["B", "T", WIDTH])]
    if vector or second:
        outputs = [*outputs[: 1 if second else 0], helper.make_tensor_value_info("vector", 1, ["B", WIDTH])]
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info("wave", kind, wave)],
        outputs,
        [onnx.numpy_helper.from_array(filters, "filters"), onnx.numpy_helper.from_array(np.array([1]), "one")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if rate is not None:
        helper.set_model_props(model, {"sample_rate": str(rate)})
    onnx.save(model, path, **saving)
    return filters


def frames_of(y, filters):
    """The same frames in numpy [shape=(T, D)]."""
    return np.lib.stride_tricks.sliding_window_view(y, WINDOW)[::HOP].astype(np.float64) @ filters[:, 0].T


@pytest.fixture
def y(rng):
    return tone(rng, 150, 1.3)


@pytest.mark.parametrize("wave", [("B", "n"), (1, "n")])
def test_frames_are_pooled_as_those_of_other_encoders(tmp_path, wave, y):
    filters = export(tmp_path / "a.onnx", wave=wave)
    encoder = open_encoder(tmp_path / "a.onnx")
    assert (encoder.sr, encoder.dim, encoder.layers, encoder.n_layers) == (RATE, WIDTH, (0,), 0)
    frames = frames_of(y, filters)
    np.testing.assert_allclose(encoder.rows(y)[0], frames.mean(0), atol=1e-5)
    both = open_encoder(tmp_path / "a.onnx", pool="mean-std").rows(y)[0]
    np.testing.assert_allclose(both, [*frames.mean(0), *frames.std(0)], atol=1e-5)
    alone = [encoder.rows(each)[0].tobytes() for each in (y, y[:9000], y[::-1].copy())]
    assert [row[0].tobytes() for row in encoder.rows_of([y, y[:9000], y[::-1].copy()])] == alone
    # As a GPU would be given them.
    np.testing.assert_allclose(encoder._halving([y, y[::-1].copy()], "float32")[0][0], frames.mean(0), atol=1e-5)


def test_a_vector_is_taken_as_it_is(tmp_path, y):
    filters = export(tmp_path / "a.onnx", vector=True)
    encoder = open_encoder(tmp_path / "a.onnx")
    assert encoder.dim == WIDTH
    np.testing.assert_allclose(encoder.rows(y)[0], frames_of(y, filters).mean(0), atol=1e-5)
    with pytest.raises(UsageError, match=r"--pool mean-std: .*gives one vector a recording"):
        open_encoder(tmp_path / "a.onnx", pool="mean-std")


def test_the_sampling_rate_is_read_or_asked_for(tmp_path):
    export(tmp_path / "a.onnx", rate=None)
    with pytest.raises(
        UsageError, match=r"does not say its sampling rate \(sample_rate in its metadata\); give --sr"
    ):
        open_encoder(tmp_path / "a.onnx")
    assert open_encoder(tmp_path / "a.onnx", sr=RATE).sr == RATE
    assert (
        open_encoder(tmp_path / "a.onnx", sr=RATE).identity != open_encoder(tmp_path / "a.onnx", sr=16_000).identity
    )
    export(tmp_path / "b.onnx")
    with pytest.raises(UsageError, match=r"--sr 16000: .*b\.onnx takes 8000 Hz"):
        open_encoder(tmp_path / "b.onnx", sr=16_000)
    for rate in ("fast", "-8000"):
        export(tmp_path / "c.onnx", rate=rate)
        with pytest.raises(ModelError, match="sampling rate"):
            open_encoder(tmp_path / "c.onnx")


def test_external_data_is_read_and_part_of_the_digest(tmp_path, y):
    filters = export(tmp_path / "a.onnx", save_as_external_data=True, location="a.data", size_threshold=64)
    encoder = open_encoder(tmp_path / "a.onnx")
    np.testing.assert_allclose(encoder.rows(y)[0], frames_of(y, filters).mean(0), atol=1e-5)
    (tmp_path / "moved").mkdir()
    for name in ("a.onnx", "a.data"):
        (tmp_path / "moved" / name).write_bytes((tmp_path / name).read_bytes())
    assert open_encoder(tmp_path / "moved" / "a.onnx").identity == encoder.identity
    content = bytearray((tmp_path / "a.data").read_bytes())
    content[:4] = np.float32(1.0).tobytes()
    (tmp_path / "a.data").write_bytes(content)
    assert open_encoder(tmp_path / "a.onnx").identity != encoder.identity
    (tmp_path / "a.data").unlink()
    with pytest.raises(ModelError, match=r"a\.data: is missing, and holds weights of a\.onnx"):
        open_encoder(tmp_path / "a.onnx")
    model = onnx.load(tmp_path / "a.onnx", load_external_data=False)
    model.graph.initializer[0].external_data[0].value = "../a.data"
    (tmp_path / "moved" / "b.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"its external data '\.\./a\.data' lies elsewhere"):
        open_encoder(tmp_path / "moved" / "b.onnx")


def test_what_does_not_fit_is_refused_in_one_line(tmp_path, y):
    path = tmp_path / "a.onnx"

    def refusal(**options):
        with pytest.raises(SertoolsError) as caught:
            open_encoder(path, **options)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "No such file" in refusal()
    path.write_bytes(b"no graph")
    assert "not an ONNX file" in refusal()
    export(path, wave=("B", RATE))
    assert "takes 8000 samples, always; export it with a dynamic time axis" in refusal()
    export(path, wave=(2, "n"))
    assert "takes 2 recordings at once" in refusal()
    export(path, kind=onnx.TensorProto.INT64)
    assert "expected float32 samples (B, n)" in refusal()
    export(path, second=True)
    assert "has 1 inputs and 2 outputs (wave, frames, vector)" in refusal()
    export(path, rate=WINDOW - 1)
    assert "does not run on a second of silence" in refusal()
    export(path)
    assert "this encoder has 0 blocks" in refusal(layers=[1])
    assert "has a front end of its own" in refusal(padded=True)
    assert "has no GPU" in refusal(device=torch.device("cuda"))
    with pytest.raises(AudioError, match=r"does not run on 0\.0124 s of audio"):
        open_encoder(path).rows(y[: WINDOW // 2 - 1])
    assert open_encoder(path, layers=[0]).layers == (0,)
