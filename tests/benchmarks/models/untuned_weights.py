"""Small networks whose weights are computed, shared out or narrow: what is no plain layer."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class Modulated(nn.Module):
    """A block of StyleGAN2 (Karras et al., 2020): a style scales the weights of its convolutions."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.styles = nn.ModuleList(nn.Linear(width, width) for _ in range(3))
        self.weights = nn.ParameterList(torch.randn(width, width, 3, 3) * 0.1 for _ in range(3))

    def _weight(self, number: int, style: torch.Tensor) -> torch.Tensor:
        weight: torch.Tensor = self.weights[number] * self.styles[number](style)[:, :, None, None]
        return weight * torch.rsqrt((weight * weight).sum((1, 2, 3), keepdim=True) + 1e-8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        style = x.mean((2, 3))
        x = F.leaky_relu(F.conv2d(x, self._weight(0, style), padding=1), 0.2)
        x = F.conv_transpose2d(
            x, self._weight(1, style).transpose(0, 1), stride=2, padding=1, output_padding=1
        )
        return F.leaky_relu(F.conv2d(F.leaky_relu(x, 0.2), self._weight(2, style), padding=1), 0.2)


class Tracker(nn.Module):
    """SiamRPN++'s correlation (Li et al., 2019): an exemplar's features are the filters of the image's."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        layers = [
            nn.Conv2d(3, width // 2, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(width // 2, width, 3, 2, 1),
            nn.ReLU(),
        ]
        self.features, self.head = nn.Sequential(*layers), nn.Conv2d(width, 10, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self.features(x)
        filters = found[:, :, 14:19, 14:19].transpose(0, 1)
        result: torch.Tensor = self.head(F.conv2d(found, filters, groups=found.shape[1]))
        return result


class Translator(nn.Module):
    """Two decoder layers of a translator (Vaswani et al., 2017), over 20 tokens and 50 of memory."""

    def __init__(self, width: int = 128, words: int = 20) -> None:
        super().__init__()
        self.layers = nn.TransformerDecoder(
            nn.TransformerDecoderLayer(width, 4, 2 * width, batch_first=True), 2
        )
        self.words = words

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.layers(x[:, : self.words], x[:, self.words :])
        return result


def enlarger(width: int = 64) -> nn.Module:
    """Enlargements channel by channel and in groups (CenterNet's, Zhou et al., 2019)."""
    apart = nn.ConvTranspose2d(width, width, 4, 2, 1, groups=width, bias=False)
    return nn.Sequential(
        nn.Conv2d(3, width, 7, 4, 3), nn.ReLU(), apart, nn.ConvTranspose2d(width, width, 4, 2, 1, groups=4)
    )


class Boxes(nn.Module):
    """YOLO's last layer (Redmon and Farhadi, 2018), decoded: places, sizes and scores side by side."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.layer = nn.Conv2d(width, 255, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layer(x).unflatten(1, (3, 85)).permute(0, 1, 3, 4, 2)
        places, sizes, scores = y[..., :2], y[..., 2:4], y[..., 4:]
        boxes = [places.sigmoid() * 2 - 0.5, (sizes.sigmoid() * 2) ** 2 * 16, scores.sigmoid()]
        return torch.cat(boxes, -1).flatten(1, 3)


class Half(nn.Module):
    """A small network in float16, between float32."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((3, 32), (32, 64), (64, 128)):
            layers += [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.BatchNorm2d(outputs), nn.ReLU()]
        pooled = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 100)]
        self.layers = nn.Sequential(*layers, *pooled).half()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.layers(x.half()).float()
        return result
