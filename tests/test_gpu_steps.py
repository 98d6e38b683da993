"""On a GPU no training step waits for the device: torch itself watches for whatever would."""

from pathlib import Path
from typing import Any

import pytest
import torch

from sertools.nets.devices import onto
from sertools.training import loop

LINES = {
    "pretrain-ae": (),
    "finetune-gan": ("--preset", "improved-cpu"),
    "train-clf": ("--cut-paste", 0.5, "--mixup", 0.2, "--spec-augment", "weak", "--loss", "logit-adjust"),
    "train-generator": ("--kind", "diffusion"),
}


def test_a_copy_to_the_cpu_is_none():
    values = torch.rand(3)
    assert onto(torch.device("cpu"), values) is values


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("verb", LINES)
def test_no_step_waits(verb: str, precision: str, chain: Any, call: Any, tmp_path: Path, monkeypatch: Any) -> None:
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
    inputs = (chain.ae, chain.latents, chain.train) if verb == "finetune-gan" else (chain.train,)
    preset = () if "--preset" in LINES[verb] else ("--preset", "smoke")
    sizes = ("--steps", 8, "--batch-size", 8, "--device", "cuda", "--precision", precision)
    done = call(verb, *inputs, "-o", tmp_path / "out", *preset, *LINES[verb], *sizes)
    assert done.code == 0, done.err
    assert n_watched == 5
