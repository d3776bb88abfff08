"""Softmax regression in numpy, for `tributary join --exec`. README.md says what is handed over.

    python numpy_softmax.py init 784 10 start.safetensors       # the model to serve
    tributary join URL --exec 'python numpy_softmax.py' --data IMAGES.idx,LABELS.idx

`--share K/N` behind numpy_softmax.py trains on every N-th sample, from the K-th.
"""

import argparse
import gzip
import json
import os
import struct

import numpy as np

DTYPES = {"F32": "<f4", "I64": "<i8"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--share", default="1/1")
    parser.add_argument("init", nargs="*", help="init FEATURES CLASSES FILE writes a model of zeros")
    args = parser.parse_args()
    if args.init:
        _, features, classes, path = args.init
        return save(path, {
            "kernel": np.zeros((int(features), int(classes)), np.float32),
            "bias": np.zeros(int(classes), np.float32),
            "batches": np.zeros((), np.int64),  # an integer: kept, not averaged
        })
    with open(os.environ["TRIBUTARY_TASK"]) as file:
        task = json.load(file)
    k, n = map(int, args.share.split("/"))
    features, labels = (array[k - 1 :: n] for array in load_data(os.environ["TRIBUTARY_DATA"]))
    metrics = {}
    if task["kind"] != "count":
        model = load(os.environ["TRIBUTARY_MODEL"])
        if task["kind"] == "train":
            train(model, features, labels, task)
            save(os.environ["TRIBUTARY_OUT"], model)
        metrics = measure(model, features, labels)
    with open(os.environ["TRIBUTARY_RESULT"], "w") as file:
        json.dump({"samples": len(labels), "metrics": metrics}, file)


# -------------------------------------------------------------------- learning


def train(model, features, labels, task):
    settings = {"epochs": 1, "batch_size": 64, "learning_rate": 0.1} | task["settings"]
    epochs, size = int(settings["epochs"]), int(settings["batch_size"])
    random = np.random.default_rng([int(settings.get("seed", 0)), task["round"], len(labels)])
    batches, batch = epochs * -(-len(labels) // size), 0
    for _ in range(epochs):
        order = random.permutation(len(labels))
        for rows in (order[i : i + size] for i in range(0, len(order), size)):
            x, y = features[rows], labels[rows]
            scores = log_softmax(model, x)
            error = np.exp(scores)
            error[np.arange(len(y)), y] -= 1  # the loss's gradient by the logits
            step = np.float32(settings["learning_rate"] / len(y))
            model["kernel"] -= step * (x.T @ error)
            model["bias"] -= step * error.sum(0)
            model["batches"] += 1
            batch += 1
            loss = -float(scores[np.arange(len(y)), y].mean())
            print(json.dumps({"batch": batch, "batches": batches, "loss": loss}), flush=True)


def measure(model, features, labels):
    scores = log_softmax(model, features)
    loss = -float(scores[np.arange(len(labels)), labels].mean())
    return {"loss": loss, "accuracy": float((scores.argmax(1) == labels).mean())}


def log_softmax(model, features):
    logits = features @ model["kernel"] + model["bias"]
    logits -= logits.max(1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


# -------------------------------------------------------------------- files


def load_data(data):
    """Features as rows and labels, of `IMAGES.idx,LABELS.idx` or of a CSV whose last column is the label."""
    files = data.split(",")
    if len(files) == 2:
        images, labels = map(load_idx, files)
        return images.reshape(len(images), -1) / np.float32(255), labels.astype(np.int64)
    with open(data) as file:
        header = any(name.strip().isidentifier() for name in file.readline().split(","))
    table = np.loadtxt(data, np.float32, delimiter=",", skiprows=int(header), ndmin=2)
    return table[:, :-1], table[:, -1].astype(np.int64)


def load_idx(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        data = file.read()
    shape = struct.unpack_from(f">{data[3]}I", data, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def load(path):
    """A safetensors file: name -> array."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack_from("<Q", data)
    tensors = {}
    for name, about in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in about["data_offsets"])
        array = np.frombuffer(data[begin:end], DTYPES[about["dtype"]])
        tensors[name] = array.reshape(about["shape"]).copy()
    return tensors


def save(path, tensors):
    header, pieces, offset = {}, [], 0
    for name, array in tensors.items():
        dtype = next(name for name, code in DTYPES.items() if array.dtype == code)
        end = offset + array.nbytes
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": [offset, end]}
        pieces.append(array.tobytes())
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(pieces))


if __name__ == "__main__":
    main()
