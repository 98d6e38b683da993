"""What nets compute in while they learn: float32 as ever, or bf16."""

import pytest
import torch
from safetensors.torch import load_file
from torch.utils._python_dispatch import TorchDispatchMode

from sertools.errors import ModelError, Stopped, UsageError
from sertools.training.checkpoint import load_header
from sertools.training.runtime import computing, pick_device, pick_precision

CPU = torch.device("cpu")
SMALL = ("--preset", "smoke", "--steps", 4, "--batch-size", 8)
pytestmark = pytest.mark.filterwarnings("ignore")


def lines(chain):
    """Each training, without its output."""
    return {
        "pretrain-ae": (chain.train, "--width", "1/16"),
        "finetune-gan": (chain.ae, chain.latents, chain.train),
        "train-generator": (chain.train, "--kind", "cvae", "--width", "1/16"),
        "train-clf": (chain.train,),
    }


def test_a_cpu_stays_at_float32_unless_told():
    assert pick_precision("auto", CPU) == pick_precision("float32", CPU) == "float32"
    assert pick_precision("bf16", CPU) == "bf16"
    with pytest.raises(UsageError, match=r"--precision 'half'.*auto, float32, bf16"):
        pick_precision("half", CPU)
    weight, x = torch.rand(8, 8), torch.rand(8, 8)
    with computing("bf16", CPU):
        assert (x @ weight).dtype == torch.bfloat16
    with computing("float32", CPU):
        assert (x @ weight).dtype == torch.float32


def test_functions_are_called_once_before_two_threads_call_them():
    """MKL may give the threads of a function's first call code of two accuracies (pytorch issue 188792)."""
    called = set()

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            if args and isinstance(args[0], torch.Tensor):
                called.add((function.overloadpacket.__name__, args[0].dtype, args[0].numel()))
            return function(*args, **(kwargs or {}))

    with Watch():
        pick_device("cpu")
    used = ("cos", "erf", "exp", "log", "log10", "sin", "sqrt", "tanh")
    assert called >= {(name, dtype, 1) for name in used for dtype in (torch.float32, torch.float64)}


@pytest.mark.parametrize("verb", ["pretrain-ae", "finetune-gan", "train-generator", "train-clf"])
def test_a_training_in_bf16_learns_nearly_the_same(verb, chain, call, tmp_path):
    for name in ("float32", "bf16", "auto"):
        done = call(verb, *lines(chain)[verb], *SMALL, "-o", tmp_path / name, "--precision", name, "--device", "cpu")
        assert done.code == 0, done.err
    assert (tmp_path / "auto").read_bytes() == (tmp_path / "float32").read_bytes()
    assert "precision" not in load_header(tmp_path / "auto").facts
    assert load_header(tmp_path / "bf16").facts["precision"] == "bf16"
    exact, coarse = load_file(tmp_path / "float32"), load_file(tmp_path / "bf16")
    assert all(value.dtype == exact[name].dtype for name, value in coarse.items()), "weights stay as they are"
    moved = {name for name in exact if not torch.equal(exact[name], coarse[name])}
    assert moved
    for name in moved & {name for name, value in exact.items() if value.dim() == 4}:
        scale = exact[name].abs().max()
        assert (exact[name] - coarse[name]).abs().max() < 0.5 * scale, name


def test_a_run_does_not_go_on_at_another_precision(chain, tmp_path):
    from chains import AE

    from sertools.training.autoencoder import pretrain_autoencoder
    from sertools.training.loop import Run

    steps = iter([False, True])
    with pytest.raises(Stopped):
        list(pretrain_autoencoder([chain.train], Run(tmp_path / "ae", stop=lambda: next(steps)), AE))
    with pytest.raises(ModelError, match="precision"):
        list(pretrain_autoencoder([chain.train], Run(tmp_path / "ae", precision="bf16"), AE))
