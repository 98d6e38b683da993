"""On a GPU no training step waits for the device: torch itself watches for whatever would."""

from pathlib import Path
from typing import Any

import pytest
import torch

from sertools.nets.devices import onto
from sertools.training import loop

SMOKE = ("--preset", "smoke")
LINES = (
    ("pretrain-ae", *SMOKE),
    ("finetune-gan", "--preset", "improved-cpu"),
    ("finetune-gan", *SMOKE, "--condition-g", "batch-norm", "--condition-d", "projection"),
    ("train-clf", *SMOKE, "--cut-paste", 0.5, "--mixup", 0.2, "--spec-augment", "weak", "--loss", "logit-adjust"),
    *(("train-generator", *SMOKE, "--kind", kind) for kind in ("cvae", "diffusion", "cyclegan")),
)


def test_a_copy_to_the_cpu_is_none():
    values = torch.rand(3)
    assert onto(torch.device("cpu"), values) is values


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line[0]}-{line[-1]}")
def test_no_step_waits(line: Any, precision: str, chain: Any, call: Any, tmp_path: Path, monkeypatch: Any) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    step, n_watched = loop._step, 0

    def watched(trainer: Any, number: int, output: Path) -> dict[str, torch.Tensor]:
        nonlocal n_watched
        # The first steps choose kernels, make optimiser states and fill the caches of memory.
        if number < 3:
            return step(trainer, number, output)
        n_watched += 1
        torch.cuda.set_sync_debug_mode("error")
        try:
            return step(trainer, number, output)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(loop, "_step", watched)
    verb, *options = line
    inputs = (chain.ae, chain.latents, chain.train) if verb == "finetune-gan" else (chain.train,)
    sizes = ("--steps", 8, "--batch-size", 8, "--device", "cuda", "--precision", precision)
    done = call(verb, *inputs, "-o", tmp_path / "out", *options, *sizes)
    assert done.code == 0, done.err
    assert n_watched == 5
