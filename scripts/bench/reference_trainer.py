"""Style transfer trained as the common port of Johnson et al. (2016) does it: what `brushnet bench` compares with.

    python scripts/bench/reference_trainer.py PHOTOS_DIR PAINTING [--steps 100] [--size 256] [--batch-size 4]

Written plainly on purpose, and without brushnet: float32 with PyTorch's default settings (TF32 in convolutions on a GPU
that has it), NCHW, photo and painting through VGG-16 in two passes, a Gram matrix for each image in a loop, nothing
compiled, Adam, a plain DataLoader that decodes with Pillow, and a loss that is read in each step. VGG's weights are
random unless a file is given: that is all the same for speed. Where only VGG-19 to relu3_4 is at hand, it serves too.
"""

import argparse
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.models.vgg import cfgs, make_layers

# Of content and style: the port's, which go with torchvision's weights, and those of Johnson et al.'s code, which go
# with Oxford's, whose features are about 140 times as large: a Gram matrix's distance grows with their fourth power.
TORCHVISION_BALANCE, OXFORD_BALANCE = (1e5, 1e10), (1.0, 5.0)
OXFORD_MEAN = 10.0  # of relu1_2: some 50 to 100 with Oxford's weights, about 1 with torchvision's
LEARNING_RATE = 1e-3
# Torchvision's configuration, and where in its `features` styles are compared: at the last layer of each block.
ARCHITECTURES: dict[str, tuple[str, dict[int, str]]] = {
    "vgg16": ("D", {3: "relu1_2", 8: "relu2_2", 15: "relu3_3", 22: "relu4_3"}),
    "vgg19": ("E", {3: "relu1_2", 8: "relu2_2", 17: "relu3_4"}),
}
CONTENT_LAYER = "relu2_2"


class ConvLayer(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, upsample: int | None = None):
        super().__init__()
        self.upsample = upsample
        self.pad = nn.ReflectionPad2d(kernel // 2)
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        if self.upsample:
            x = F.interpolate(x, mode="nearest", scale_factor=self.upsample)
        return self.conv(self.pad(x))


class ResidualBlock(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv1, self.norm1 = ConvLayer(channels, channels, 3, 1), nn.InstanceNorm2d(channels, affine=True)
        self.conv2, self.norm2 = ConvLayer(channels, channels, 3, 1), nn.InstanceNorm2d(channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x))))) + x


class TransformerNet(nn.Module):
    """Johnson et al.'s network with 32, 64 and 128 channels; pictures from 0 to 255."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_normed(ConvLayer(3, 32, 9, 1), 32),
            *_normed(ConvLayer(32, 64, 3, 2), 64),
            *_normed(ConvLayer(64, 128, 3, 2), 128),
            *[ResidualBlock(128) for _ in range(5)],
            *_normed(ConvLayer(128, 64, 3, 1, upsample=2), 64),
            *_normed(ConvLayer(64, 32, 3, 1, upsample=2), 32),
            ConvLayer(32, 3, 9, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def _normed(conv: ConvLayer, channels: int) -> list[nn.Module]:
    return [conv, nn.InstanceNorm2d(channels, affine=True), nn.ReLU()]


class Vgg(nn.Module):
    """VGG-16 to relu4_3 or VGG-19 to relu3_4, with random weights or those of a file in torchvision's layout."""

    def __init__(self, weights: Path | Mapping[str, Tensor] | None = None, *, arch: str = "vgg16"):
        super().__init__()
        configuration, self.layers = ARCHITECTURES[arch]
        self.features = make_layers(cfgs[configuration])[: max(self.layers) + 1].requires_grad_(False)
        for layer in self.features:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        if weights is not None:
            state = torch.load(weights, weights_only=True) if isinstance(weights, Path) else weights
            wanted = self.features.state_dict()
            self.features.load_state_dict({name: state[f"features.{name}"] for name in wanted})

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        found = {}
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.layers:
                found[self.layers[index]] = x
        return found


def normalize(pictures: Tensor) -> Tensor:
    """From 0 to 255 to what VGG was trained on."""
    mean = pictures.new_tensor([0.485, 0.456, 0.406]).view(-1, 1, 1)
    std = pictures.new_tensor([0.229, 0.224, 0.225]).view(-1, 1, 1)
    return (pictures / 255.0 - mean) / std


def gram_matrices(features: Tensor) -> Tensor:
    grams = []
    for feature in features:
        channels, height, width = feature.shape
        flat = feature.view(channels, height * width)
        grams.append(flat @ flat.t() / (channels * height * width))
    return torch.stack(grams)


class PhotoSet(Dataset):
    """Photos as files or as the bytes of files, resized and centre-cropped."""

    def __init__(self, photos: Sequence[Path | bytes], size: int):
        self.photos = photos
        self.transform = transforms.Compose(
            [
                transforms.Resize(size),
                transforms.CenterCrop(size),
                transforms.ToTensor(),
                transforms.Lambda(_times_255),
            ]
        )

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> Tensor:
        photo = self.photos[index]
        with Image.open(io.BytesIO(photo) if isinstance(photo, bytes) else photo) as picture:
            return self.transform(picture.convert("RGB"))


def _times_255(picture: Tensor) -> Tensor:  # by name: a lambda cannot be sent to workers
    return picture.mul(255)


class ReferenceTrainer:
    """One painting (1, 3, H, W) in [0, 1], many photos; `step()` trains once and returns the loss."""

    def __init__(
        self,
        photos: Sequence[Path | bytes],
        painting: Tensor,
        *,
        batch_size: int = 4,
        size: int = 256,
        workers: int = 0,
        device: torch.device | str = "cpu",
        vgg_weights: Path | Mapping[str, Tensor] | None = None,
        arch: str = "vgg16",
    ):
        self.device = torch.device(device)
        self.batch_size = batch_size
        self.net = TransformerNet().to(self.device)
        self.vgg = Vgg(vgg_weights, arch=arch).to(self.device)
        self.optimizer = torch.optim.Adam(self.net.parameters(), LEARNING_RATE)
        dataset = PhotoSet([photos[number % len(photos)] for number in range(max(len(photos), batch_size))], size)
        self.loader = DataLoader(
            dataset,
            batch_size=batch_size,
            shuffle=True,
            drop_last=True,
            num_workers=workers,
            persistent_workers=workers > 0,
        )
        self.batches = self._endless()
        self.seconds_waited = 0.0  # for photos, over all steps
        begun = time.perf_counter()
        with torch.no_grad():
            style = self.vgg(normalize(painting.to(self.device) * 255))
        oxford = style["relu1_2"].mean() > OXFORD_MEAN
        self.content_weight, self.style_weight = OXFORD_BALANCE if oxford else TORCHVISION_BALANCE
        self.wanted = {layer: gram_matrices(features) for layer, features in style.items()}
        self.seconds_on_targets = time.perf_counter() - begun

    def _endless(self) -> Iterator[Tensor]:
        while True:
            yield from self.loader

    def step(self) -> float:
        begun = time.perf_counter()
        photos = next(self.batches)
        self.seconds_waited += time.perf_counter() - begun
        photos = photos.to(self.device)
        self.optimizer.zero_grad()
        content, style = self.losses(self.net(photos), photos)
        loss = self.content_weight * content + self.style_weight * style
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def losses(self, painted: Tensor, photos: Tensor) -> tuple[Tensor, Tensor]:
        """Content and style, before their weights, of pictures from 0 to 255."""
        found = self.vgg(normalize(painted))
        photo_features = self.vgg(normalize(photos))
        content = F.mse_loss(found[CONTENT_LAYER], photo_features[CONTENT_LAYER])
        style = content.new_zeros(())
        for layer, wanted in self.wanted.items():
            grams = gram_matrices(found[layer])
            style = style + F.mse_loss(grams, wanted.expand_as(grams))
        return content, style


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, metavar="PHOTOS_DIR")
    parser.add_argument("painting", type=Path)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--vgg", type=Path, help="weights in torchvision's layout (random)")
    parser.add_argument("--arch", choices=list(ARCHITECTURES), default="vgg16", help="what they are of (vgg16)")
    args = parser.parse_args(argv)
    photos = sorted(path for path in args.photos.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not photos:
        parser.error(f"{args.photos}: no photos (.jpg, .jpeg, .png)")
    with Image.open(args.painting) as picture:
        painting = transforms.ToTensor()(picture.convert("RGB"))[None]
    trainer = ReferenceTrainer(
        photos,
        painting,
        batch_size=args.batch_size,
        size=args.size,
        workers=args.workers,
        device=args.device,
        vgg_weights=args.vgg,
        arch=args.arch,
    )
    begun = time.perf_counter()
    for step in range(1, args.steps + 1):
        loss = trainer.step()
        if step % 10 == 0 or step == args.steps:
            rate = step * args.batch_size / (time.perf_counter() - begun)
            print(f"step {step}/{args.steps}  loss {loss:.4g}  {rate:.2f} images/s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
