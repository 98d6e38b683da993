"""VGG19 for one-channel pictures, from scratch (§3.2; Simonyan & Zisserman 2015, configuration E).

Five halvings leave 4×4×512 at 128×128; the two hidden dense layers of 4096 follow directly, without the 7×7
pooling that torchvision puts in between for 224×224 photographs.
"""

from __future__ import annotations

from torch import Tensor, nn

from sertools.arrays import Shape
from sertools.nets.dropout import Dropout
from sertools.nets.layers import scaled
from sertools.nets.parts import BatchNorm2d

BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
DENSE = 4096


class VGG19(nn.Module):
    """Picture [shape=(B, 1, n_mels, n_frames)] → logits [shape=(B, n_classes)].

    Parameters
    ----------
    shape
        ``(n_mels, n_frames)``, each at least 32.
    batch_norm
        VGG19-BN: the plain net, from scratch, may stay at chance on small corpora.
    """

    def __init__(self, shape: Shape, n_classes: int, width: float = 1.0, batch_norm: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for filters, depth in BLOCKS:
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
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                # He initialisation: without it nineteen layers from scratch do not start.
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(head.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """Classify."""
        logits: Tensor = self.classifier(self.features(x))
        return logits
