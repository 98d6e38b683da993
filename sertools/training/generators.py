"""Which training a kind of generator has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sertools.errors import UsageError
from sertools.generator_config import CycleGanConfig, GeneratorConfig, WaveganConfig
from sertools.training.cycle import train_cyclegan
from sertools.training.likelihood import train_generator
from sertools.training.loop import Record, Run
from sertools.training.sound_gan import train_wavegan


def train_kind(
    train_paths: Sequence[Path],
    run: Run,
    config: GeneratorConfig | CycleGanConfig | WaveganConfig,
    val_path: Path | None = None,
    audio_root: Path | None = None,
) -> Iterator[Record]:
    """Train a generator of any kind on stores and write it to ``run.output``.

    Parameters
    ----------
    val_path
        As of `train_generator` and `train_cyclegan`; a model of sound has none.
    audio_root
        As of `train_wavegan`; a model of rows has none.

    Raises
    ------
    SertoolsError
        As of that training.
    UsageError
        If a path belongs to another kind.
    """
    if isinstance(config, WaveganConfig):
        if val_path:
            raise UsageError("--val: a WaveGAN has no loss to choose its weights by; leave it out")
        return train_wavegan(train_paths, run, config, audio_root)
    if audio_root:
        raise UsageError("--audio-root: rows are learnt as they are in the store, without audio; leave it out")
    if isinstance(config, CycleGanConfig):
        return train_cyclegan(train_paths, run, config, val_path)
    return train_generator(train_paths, run, config, val_path)
