"""A classifier in numpy: dense layers with ReLU between them and softmax at the end.

Layers are read off the topology in Welcome (Keras layers JSON), weights off the model. One layer is
softmax regression; the server's own default has two.
"""

import csv
import gzip
import json
import os
import struct

# Matrices this small are multiplied faster by one thread than by several that wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402

LAYERS_TYPE = "application/vnd.tensorflow.layers+json"
SETTINGS = {"epochs": 2, "batch_size": 64, "learning_rate": 0.05, "momentum": 0.9, "mu": 0.0}
CHUNK = 1000  # samples scored at a time


class Mlp:
    def __init__(self, data, share="1/1"):
        features, labels = load(data)
        k, n = (int(number) for number in share.split("/"))
        self.features = np.ascontiguousarray(features[k - 1 :: n], np.float32)
        self.labels = labels[k - 1 :: n].astype(np.int64)
        self.samples = len(self.labels)
        self.random = np.random.default_rng()

    def prepare(self, topology, media_type):
        """Learns the layers' names. ValueError for a model of another kind."""
        if media_type != LAYERS_TYPE:
            raise ValueError(
                f"the federation's topology is {media_type or 'none'}, not layers JSON"
            )
        layers = json.loads(topology)["config"]["layers"]
        kinds = [(layer["class_name"], layer["config"].get("activation")) for layer in layers]
        if kinds != [("Dense", "relu")] * (len(kinds) - 1) + [("Dense", "softmax")]:
            raise ValueError(
                f"only Dense layers with relu, then softmax, can be built here: {kinds}"
            )
        names = [layer["config"]["name"] for layer in layers]
        self.weights = [f"{name}/{part}" for name in names for part in ("kernel", "bias")]

    def train(self, model, settings, stopped):
        """Mini-batch gradient descent with momentum, and FedProx's pull to where it began (mu)."""
        settings = SETTINGS | settings
        rate, momentum, mu = (settings[name] for name in ("learning_rate", "momentum", "mu"))
        tensors = {name: array.copy() for name, array in read_safetensors(model).items()}
        weights = [tensors[name] for name in self.weights]
        start = [array.copy() for array in weights]
        velocity = [np.zeros_like(array) for array in weights]
        losses = []
        for _ in range(int(settings["epochs"])):
            order, batch = self.random.permutation(self.samples), int(settings["batch_size"])
            losses = []
            for rows in (order[i : i + batch] for i in range(0, self.samples, batch)):
                if stopped():
                    return model, self.samples, {}
                loss, gradients = step(weights, self.features[rows], self.labels[rows])
                losses.append(loss)
                for w, w0, v, g in zip(weights, start, velocity, gradients):
                    v *= momentum
                    v += g + mu * (w - w0)
                    w -= rate * v
        loss = float(np.mean(losses))
        if not np.isfinite(loss):
            raise ValueError(f"training diverged: the loss is {loss}; lower learning_rate")
        return write_safetensors(tensors), self.samples, {"loss": loss}

    def evaluate(self, model, _settings, _stopped):
        """Loss (nats) and accuracy of the global model on this client's own data."""
        tensors = read_safetensors(model)
        weights = [tensors[name] for name in self.weights]
        loss = right = 0
        for i in range(0, self.samples, CHUNK):
            labels = self.labels[i : i + CHUNK]
            scores = log_softmax(forward(weights, self.features[i : i + CHUNK])[-1])
            loss -= scores[np.arange(len(labels)), labels].sum(dtype=np.float64)
            right += (scores.argmax(1) == labels).sum()
        return self.samples, {"loss": loss / self.samples, "accuracy": right / self.samples}


def forward(weights, x):
    """Inputs of each layer, and at last the logits."""
    activations = [x]
    for kernel, bias in zip(weights[::2], weights[1::2]):
        if len(activations) > 1:
            activations[-1] = np.maximum(activations[-1], 0)
        activations.append(activations[-1] @ kernel + bias)
    return activations


def log_softmax(logits):
    shifted = logits - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def step(weights, x, labels):
    """Mean cross-entropy and its gradient by each kernel and bias."""
    *activations, logits = forward(weights, x)
    scores = log_softmax(logits)
    rows = np.arange(len(labels))
    loss = -float(scores[rows, labels].mean())
    error = np.exp(scores)
    error[rows, labels] -= 1
    error /= len(labels)
    gradients = []
    for activation, kernel in zip(reversed(activations), reversed(weights[::2])):
        gradients[:0] = [activation.T @ error, error.sum(0)]
        error = (error @ kernel.T) * (activation > 0)
    return loss, gradients


# -------------------------------------------------------------------- data


def load(data):
    """Features as float32 rows and labels: `IMAGES,LABELS` as IDX or .npy, or one CSV file."""
    files = data.split(",")
    if len(files) == 1:
        return load_csv(files[0])
    features, labels = (load_array(file) for file in files)
    scale = 255 if features.dtype == np.uint8 else 1
    return features.reshape(len(features), -1) / np.float32(scale), labels.ravel()


def load_array(path):
    """An IDX file as MNIST is published in (unsigned bytes), gzip or not; or a .npy file."""
    if path.endswith(".npy"):
        return np.load(path)
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        data = file.read()
    if data[:3] != b"\0\0\x08":
        raise ValueError(f"{path} is no IDX file of unsigned bytes")
    shape = np.frombuffer(data, ">u4", data[3], 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def load_csv(path):
    """Numbers; the label is the column of that name, else the last."""
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    header = [name.strip() for name in rows[0]]
    has_header = not any(name.replace(".", "", 1).isdigit() for name in header)
    table = np.array(rows[has_header:], np.float32)
    column = header.index("label") if has_header and "label" in header else len(header) - 1
    return np.delete(table, column, axis=1), table[:, column].astype(np.int64)


# -------------------------------------------------------------------- safetensors

DTYPES = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2"},
    **{"I8": "|i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1"},
}


def read_safetensors(data):
    """Name -> array, a view of `data`. KeyError for a dtype that numpy lacks, such as BF16."""
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, about in header.items():
        if name == "__metadata__":
            continue
        begin, end = about["data_offsets"]
        piece = data[8 + length + begin : 8 + length + end]
        tensors[name] = np.frombuffer(piece, DTYPES[about["dtype"]]).reshape(about["shape"])
    return tensors


def write_safetensors(tensors):
    names = {dtype: name for name, dtype in DTYPES.items()}
    header, pieces, offset = {}, [], 0
    for name, array in tensors.items():
        piece = np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": names[array.dtype.str],
            "shape": array.shape,
            "data_offsets": [offset, offset + len(piece)],
        }
        pieces.append(piece)
        offset += len(piece)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(pieces)
