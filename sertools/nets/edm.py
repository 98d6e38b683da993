"""A denoiser and its sampler: EDM (Karras et al. 2022, "Elucidating the Design Space").

Rows, pictures or vectors, are centred on the mean of the training rows, so that the net learns how a row differs from
it. The letters are those of the paper; a model file calls sigma_data `sd`.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from sertools.arrays import Shape, net_shape
from sertools.generator_config import DiffusionConfig
from sertools.nets.dense_denoiser import DenseDenoiser
from sertools.nets.devices import onto
from sertools.nets.unet import UNet


class Edm(nn.Module):
    """Noisy row, noise level and class → clean row; its loss; and a way from noise to a row.

    Parameters
    ----------
    n_classes
        Real classes; the number after the last stands for "not told".
    n_moves
        Numbers that say how a training row was altered (appendix F.2: what is told does not leak into samples).
    """

    mean: Tensor
    sd: Tensor

    def __init__(self, shape: Shape, n_classes: int, config: DiffusionConfig, n_moves: int = 0) -> None:
        super().__init__()
        self.config, self.shape, self.n_classes = config, shape, n_classes
        # Called so in model files, whatever it is.
        self.unet: UNet | DenseDenoiser
        if len(shape) > 1:
            self.unet = UNet(n_classes, config.width, config.dropout, n_moves)
        else:
            self.unet = DenseDenoiser(shape[0], n_classes, config.width, config.dropout)
        self.register_buffer("mean", torch.zeros(1, *net_shape(shape)))
        self.register_buffer("sd", torch.tensor(0.5))

    @property
    def sigma_data(self) -> Tensor:
        """Standard deviation of the values from the mean row."""
        return self.sd

    @torch.no_grad()
    def centre(self, mean: Tensor, sigma_data: Tensor) -> None:
        """Take the mean row [shape=(1, *net_shape)] and the values' deviation from it."""
        self.mean.copy_(mean)
        self.sd.copy_(sigma_data)

    def forward(self, x: Tensor, sigma: Tensor, labels: Tensor, moves: Tensor | None = None) -> Tensor:
        """Denoise centred rows of noise level `sigma` [shape=(B,)] (table 1, last column), altered by `moves`."""
        c_noise = sigma.log() / 4.0
        sigma, sigma_data = _along(sigma, x), self.sigma_data
        total = (sigma.square() + sigma_data.square()).sqrt()  # 1 / c_in
        c_skip = sigma_data.square() / total.square()
        c_out = sigma * sigma_data / total
        denoised: Tensor = c_skip * x + c_out * self.unet(x / total, c_noise, labels, moves)
        return denoised

    def losses(self, x: Tensor, labels: Tensor, progress: float, moves: Tensor | None = None) -> dict[str, Tensor]:
        """Weighted squared error of the denoised rows (equation 8), 1 at the start.

        Parameters
        ----------
        x
            Scaled rows [shape=(B, *net_shape)].
        labels
            Class of each row [shape=(B,)].
        progress
            Not used: noise levels are drawn alike at every step.
        moves
            How rows were altered [shape=(B, n_moves)]; None: not at all.

        Returns
        -------
        dict
            ``loss``.
        """
        config = self.config
        device = x.device
        hidden = onto(device, torch.rand(len(x))) < config.class_dropout
        if self.training:
            labels = torch.where(hidden, self.n_classes, labels)
        ln_sigma = config.p_mean + config.p_sd * onto(device, torch.randn(len(x)))
        sigma, sigma_data = _along(ln_sigma.exp(), x), self.sigma_data
        weight = (sigma.square() + sigma_data.square()) / (sigma * sigma_data).square()
        y = x - self.mean
        n = sigma * onto(device, torch.randn(x.shape))
        error = self(y + n, sigma.flatten(), labels, moves) - y
        return {"loss": (weight * error.square()).mean()}

    @torch.no_grad()
    def sample(self, noise: Tensor, labels: Tensor, *, guidance: float, n_steps: int) -> Tensor:
        """Turn noise into rows, without new noise.

        Parameters
        ----------
        noise
            Of the standard normal [shape=(B, *net_shape)].
        guidance
            How strongly the class is exaggerated: 1 is as learnt, 0 as if it were not told.
        n_steps
            Noise levels from `sigma_max` to `sigma_min`; each costs two evaluations of the net, the last costs one.

        Returns
        -------
        Rows of the same shape, about as training rows are scaled.
        """
        sigmas = self._sigmas(n_steps)
        rows: Tensor = self._flow(noise * sigmas[0], [*sigmas, 0.0], labels, guidance) + self.mean
        return rows

    @torch.no_grad()
    def carry(
        self, x: Tensor, labels: Tensor, number: int, *, strength: float, guidance: float, n_steps: int
    ) -> Tensor:
        """Say how rows change on the way towards noise as their class, and back as another.

        Parameters
        ----------
        x
            Scaled rows [shape=(B, *net_shape)].
        labels
            Their class [shape=(B,)].
        number
            The other class.
        strength
            Share of the noise levels that they go through, from the lowest.
        guidance
            How strongly the other class is exaggerated on the way back.
        n_steps
            Noise levels in all.

        Returns
        -------
        What they would gain, against coming back as their own class: what the steps lose on the way is not in it.
        """
        sigmas = self._sigmas(n_steps)[-max(1, round(strength * n_steps)) :]
        noisy = self._flow(x - self.mean, sigmas[::-1], labels, 1.0)
        other = self._flow(noisy, [*sigmas, 0.0], torch.full_like(labels, number), guidance)
        return other - self._flow(noisy, [*sigmas, 0.0], labels, 1.0)

    def _sigmas(self, n_steps: int) -> list[float]:
        """Noise levels from `sigma_max` to `sigma_min` (equation 5)."""
        config = self.config
        ramp = torch.linspace(0.0, 1.0, n_steps, dtype=torch.float64)
        low, high = config.sigma_min ** (1.0 / config.rho), config.sigma_max ** (1.0 / config.rho)
        sigmas: list[float] = ((high + ramp * (low - high)) ** config.rho).tolist()
        return sigmas

    def _flow(self, x: Tensor, sigmas: list[float], labels: Tensor, guidance: float) -> Tensor:
        """Follow the flow from the first noise level to the last, down or up, by Heun's method (algorithm 1)."""
        for t, t_next in pairwise(sigmas):
            d = (x - self._guided(x, t, labels, guidance)) / t
            x_next = x + (t_next - t) * d
            if t_next:
                d_next = (x_next - self._guided(x_next, t_next, labels, guidance)) / t_next
                x_next = x + (t_next - t) * (0.5 * (d + d_next))
            x = x_next
        return x

    def _guided(self, x: Tensor, sigma: float, labels: Tensor, guidance: float) -> Tensor:
        sigmas = torch.full((len(x),), sigma, device=x.device)
        told: Tensor = self(x, sigmas, labels)
        if guidance == 1.0:
            return told
        untold: Tensor = self(x, sigmas, torch.full_like(labels, self.n_classes))
        return untold + guidance * (told - untold)


def _along(values: Tensor, x: Tensor) -> Tensor:
    """Give a number for each row the dimensions of the rows."""
    return values.view(-1, *[1] * (x.dim() - 1))
