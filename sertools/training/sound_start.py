"""A start for a WaveGAN, as the paper gives its GAN one (§2.2): its nets first learn as those of an autoencoder.

The generator is the decoder and the critic's layers are the encoder's of a variational autoencoder (Kingma and
Welling 2014), whose latent the generator takes as uniform: what is drawn later is what it has learnt. Sounds are
compared by their spectra, which hold no phase, for an ear hears little of it; a game between nets takes long to find
what is told here.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from sertools.generator_config import WAVEGAN
from sertools.nets.wavegan import WaveEncoder, WaveGenerator, uniform
from sertools.training.optimisers import Adam
from sertools.training.runtime import computing, seed_torch
from sertools.training.validated import Resumable
from sertools.training.wasserstein import WaveganTrainer

_WINDOWS = (256, 1024)  # samples: 16 ms, in which a pulse of the voice is seen, and 64 ms, for its harmonics
_FLOOR = 0.01  # of full scale; what is below counts as silence
_TINY = 1e-5
_LINEAR = 0.3  # of the spectra's difference, beside that of their logarithms
_STEADY = 2 / 3  # share of the steps at the full rate, which then goes down to 0
_BETAS = (0.9, 0.99)


def spectral_loss(made: Tensor, real: Tensor) -> Tensor:
    """How far the spectra of sounds are apart, over windows of two lengths.

    The mean absolute difference of log spectra in nepers, and that of spectra as a share of the real ones' mean, as
    in losses of vocoders (Yamamoto et al. 2020). The second leads away from silence, where the logarithm is flat.

    Parameters
    ----------
    made, real
        Sounds in [-1, 1] [shape=(B, n)].
    """
    return torch.stack([_distance(_power(made, n_fft), _power(real, n_fft)) for n_fft in _WINDOWS]).mean()


def _distance(made: Tensor, real: Tensor) -> Tensor:
    logarithmic = 0.5 * (torch.log(made + _FLOOR**2) - torch.log(real + _FLOOR**2)).abs().mean()
    made, real = (made + _TINY**2).sqrt(), (real + _TINY**2).sqrt()  # a square root has no slope at 0
    return logarithmic + _LINEAR * (made - real).abs().mean() / real.mean().clamp_min(_FLOOR)


def _power(y: Tensor, n_fft: int) -> Tensor:
    """Power in every window and frequency, in each of which white noise has its variance."""
    window = torch.hann_window(n_fft, device=y.device)
    spectra = torch.stft(y, n_fft, n_fft // 4, window=window, pad_mode="constant", return_complex=True)
    return torch.view_as_real(spectra).square().sum(dim=-1) / window.square().sum()


class SoundStart(Resumable):
    """The autoencoder, made of the nets of a game, and its optimiser."""

    def __init__(self, game: WaveganTrainer) -> None:
        self._batches, self._run, self._config = game.batches, game.run, game.config
        self.generator, self.encoder = game.generator, WaveEncoder(game.critic).to(game.run.device)
        parameters = [*self.generator.parameters(), *self.encoder.parameters()]
        self.adam = Adam(parameters, lr=game.config.start_lr, betas=_BETAS)
        super().__init__({"generator": self.generator, "encoder": self.encoder}, {"adam": self.adam})

    def step(self, step: int) -> dict[str, Tensor]:
        """Do one update."""
        config, run = self._config, self._run
        seed_torch(run.seed, WAVEGAN, "start", step)
        left = (config.start_steps - step) / config.start_steps
        for group in self.adam.param_groups:
            group["lr"] = config.start_lr * min(1.0, left / (1.0 - _STEADY))
        real, labels = self._batches.draw(step)
        self.adam.zero_grad()
        with computing(run.precision, run.device):
            mean, log_variance = self.encoder(real)
            z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
            made = self.generator(uniform(z), labels)
        spectral = spectral_loss(made.float(), real)
        kl = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).float().sum(dim=1).mean()
        (spectral + config.start_kl * kl).backward()
        self.adam.step()
        return {"reconstruction": spectral.detach(), "kl": kl.detach()}


class Started:
    """The steps of an autoencoder, then those of a game with the same nets; with none of the first, a game alone."""

    def __init__(self, start: SoundStart, game: WaveganTrainer) -> None:
        self._start, self._game, self._n_first = start, game, game.config.start_steps
        self.rows = game.rows
        self._now: SoundStart | WaveganTrainer = start if self._n_first else game

    @property
    def chosen(self) -> WaveGenerator:
        """The generator that is kept."""
        return self._start.generator if self._now is self._start else self._game.chosen

    def step(self, step: int) -> dict[str, Tensor]:
        """Do one update of whichever it is the turn of."""
        self._now = self._start if step < self._n_first else self._game
        return self._now.step(step if step < self._n_first else step - self._n_first)

    def state(self) -> dict[str, Tensor]:
        """Return all that `restore` needs: of the game there is nothing before its first step."""
        return self._now.state()

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to a state; see `Resumable.restore`."""
        self._now = self._game if any(name.startswith("critic.") for name in tensors) else self._start
        self._now.restore(tensors)
