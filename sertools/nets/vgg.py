"""VGG16 and VGG19 for one-channel pictures, from scratch (§3.2; Simonyan & Zisserman 2015, configurations D and E).

Five halvings leave 4×4×512 at 128×128; the two hidden dense layers of 4096 follow directly, without the 7×7
pooling that torchvision puts in between for 224×224 photographs.
"""

from __future__ import annotations

from torch import Tensor, nn

from sertools.arrays import Shape
from sertools.nets.dropout import Dropout
from sertools.nets.layers import as_he, scaled
from sertools.nets.parts import BatchNorm2d

# Filters, and how many convolutions have as many.
CONFIGURATION_D = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
CONFIGURATION_E = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
DENSE = 4096


class VGG(nn.Module):
    """Picture [shape=(B, 1, n_mels, n_frames)] → logits [shape=(B, n_classes)].

    Parameters
    ----------
    shape
        ``(n_mels, n_frames)``, each at least 32.
    batch_norm
        VGG19-BN: the plain net, from scratch, may stay at chance on small corpora.
    blocks
        VGG19's, or VGG16's.
    """

    def __init__(
        self,
        shape: Shape,
        n_classes: int,
        width: float = 1.0,
        batch_norm: bool = False,
        blocks: tuple[tuple[int, int], ...] = CONFIGURATION_E,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for filters, depth in blocks:
            filters = scaled(filters, width)
            for _ in range(depth):
                layers.append(nn.Conv2d(channels, filters, 3, padding=1))
                if batch_norm:
                    layers.append(BatchNorm2d(filters))
                layers.append(nn.ReLU(inplace=True))
                channels = filters
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        dense = scaled(DENSE, width)
        head = nn.Linear(dense, n_classes)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * (shape[0] // 32) * (shape[1] // 32), dense),
            nn.ReLU(inplace=True),
            Dropout(0.5),
            nn.Linear(dense, dense),
            nn.ReLU(inplace=True),
            Dropout(0.5),
            head,
        )
        # Without it nineteen layers from scratch do not start.
        as_he(self, head)

    def forward(self, x: Tensor) -> Tensor:
        """Classify."""
        logits: Tensor = self.classifier(self.features(x))
        return logits
