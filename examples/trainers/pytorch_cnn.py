"""A small convolutional network in PyTorch, for `tributary join --exec`. README.md says what is handed over.

    python pytorch_cnn.py init start.safetensors                # the model to serve
    tributary join URL --exec 'python pytorch_cnn.py' --data IMAGES.idx,LABELS.idx

`--share K/N` behind pytorch_cnn.py trains on every N-th image, from the K-th.
"""

import argparse
import gzip
import json
import os
import struct

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def network():
    """28 x 28 images, 10 classes. BatchNorm's num_batches_tracked is an I64 tensor of the model."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 10),
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--share", default="1/1")
    parser.add_argument("init", nargs="*", help="init FILE writes a fresh model")
    args = parser.parse_args()
    if args.init:
        torch.manual_seed(0)
        return save(network(), args.init[1])
    with open(os.environ["TRIBUTARY_TASK"]) as file:
        task = json.load(file)
    k, n = map(int, args.share.split("/"))
    images, labels = (tensor[k - 1 :: n] for tensor in load_data(os.environ["TRIBUTARY_DATA"]))
    metrics = {}
    if task["kind"] != "count":
        model = network().to(DEVICE)
        model.load_state_dict(load_file(os.environ["TRIBUTARY_MODEL"]))
        if task["kind"] == "train":
            train(model, images, labels, task)
            save(model, os.environ["TRIBUTARY_OUT"])
        metrics = measure(model, images, labels)
    with open(os.environ["TRIBUTARY_RESULT"], "w") as file:
        json.dump({"samples": len(labels), "metrics": metrics}, file)


def train(model, images, labels, task):
    settings = {"epochs": 1, "batch_size": 64, "learning_rate": 0.05, "momentum": 0.9, "mu": 0.0}
    settings |= task["settings"]
    torch.manual_seed(1000 * int(settings.get("seed", 0)) + task["round"])
    start = [weight.detach().clone() for weight in model.parameters()]
    optimizer = torch.optim.SGD(
        model.parameters(), lr=settings["learning_rate"], momentum=settings["momentum"]
    )
    epochs, size = int(settings["epochs"]), int(settings["batch_size"])
    batches, batch = epochs * -(-len(labels) // size), 0
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(labels)).split(size):
            x, y = images[rows].to(DEVICE), labels[rows].to(DEVICE)
            loss = functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            for weight, first in zip(model.parameters(), start):
                weight.grad += settings["mu"] * (weight.detach() - first)  # FedProx
            optimizer.step()
            batch += 1
            report = {"batch": batch, "batches": batches, "loss": loss.item()}
            print(json.dumps(report), flush=True)


@torch.no_grad()
def measure(model, images, labels):
    model.eval()
    loss, right = 0.0, 0
    for x, y in zip(images.split(1000), labels.split(1000)):
        scores, y = model(x.to(DEVICE)), y.to(DEVICE)
        loss += functional.cross_entropy(scores, y, reduction="sum").item()
        right += (scores.argmax(1) == y).sum().item()
    return {"loss": loss / len(labels), "accuracy": right / len(labels)}


def save(model, path):
    save_file({name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}, path)


def load_data(data):
    """Images as [N, 1, rows, columns] in 0 to 1, and labels; IDX files as MNIST is published in."""
    images, labels = (load_idx(path) for path in data.split(","))
    return images[:, None].float() / 255, labels.long()


def load_idx(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        data = bytearray(file.read())
    shape = struct.unpack_from(f">{data[3]}I", data, 4)
    return torch.frombuffer(data, dtype=torch.uint8, offset=4 + 4 * data[3]).reshape(shape)


if __name__ == "__main__":
    main()
