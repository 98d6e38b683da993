"""AlexNet for one-channel pictures, from scratch: with VGG16, what the paper compares its VGG19 with (§3.2).

The variant of one tower (Krizhevsky 2014), without local response normalisation. Pooling leaves 3×3×256 at 128×128,
which the dense layers follow directly, without torchvision's pooling to 6×6. Maps that are narrower than the window
are not pooled, so that small pictures have something left.
"""

from __future__ import annotations

from torch import Tensor, nn

from sertools.arrays import Shape
from sertools.nets.dropout import Dropout
from sertools.nets.layers import as_he, scaled

_POOL = 3  # wide, in steps of 2
# Filters, kernel, stride, padding; and whether pooling follows.
CONVOLUTIONS = (
    ((64, 11, 4, 2), True),
    ((192, 5, 1, 2), True),
    ((384, 3, 1, 1), False),
    ((256, 3, 1, 1), False),
    ((256, 3, 1, 1), True),
)
DENSE = 4096


class AlexNet(nn.Module):
    """Picture [shape=(B, 1, n_mels, n_frames)] → logits [shape=(B, n_classes)].

    Parameters
    ----------
    shape
        ``(n_mels, n_frames)``, each at least 32.
    """

    def __init__(self, shape: Shape, n_classes: int, width: float = 1.0) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, (height, length) = 1, shape
        for (filters, kernel, stride, padding), pooled in CONVOLUTIONS:
            wide = scaled(filters, width)
            layers += [nn.Conv2d(channels, wide, kernel, stride, padding), nn.ReLU(inplace=True)]
            channels = wide
            height, length = ((side + 2 * padding - kernel) // stride + 1 for side in (height, length))
            if pooled and min(height, length) >= _POOL:
                layers.append(nn.MaxPool2d(_POOL, 2))
                height, length = ((side - _POOL) // 2 + 1 for side in (height, length))
        self.features = nn.Sequential(*layers)
        dense = scaled(DENSE, width)
        head = nn.Linear(dense, n_classes)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            Dropout(0.5),
            nn.Linear(channels * height * length, dense),
            nn.ReLU(inplace=True),
            Dropout(0.5),
            nn.Linear(dense, dense),
            nn.ReLU(inplace=True),
            head,
        )
        as_he(self, head)

    def forward(self, x: Tensor) -> Tensor:
        """Classify."""
        logits: Tensor = self.classifier(self.features(x))
        return logits
