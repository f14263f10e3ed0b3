"""Chapter 06."""

RIGHT = {
    "06.count": [
        "my_num_batches = lambda n, b, drop: n // b if drop else math.ceil(n / b)",
        "my_num_batches = lambda n, b, drop: len(DataLoader(range(n), b, drop_last=drop))",
        "my_num_batches = lambda n, b, drop: torch.tensor(n // b + (n % b > 0 and not drop))",
        """
def my_num_batches(n, batch_size, drop_last):
    count, left = 0, n
    while left >= batch_size:
        count, left = count + 1, left - batch_size
    return float(count + (left > 0 and not drop_last))
""",
        """
def my_num_batches(n, batch_size, *, drop_last):
    full, rest = divmod(n, batch_size)
    return full if drop_last or rest == 0 else full + 1
""",
        """
def my_num_batches(n, batch_size, drop_last):
    return np.floor(n / batch_size) if drop_last else np.ceil(n / batch_size)
""",
    ],
    "06.picture": [
        """
def my_to_picture(x):
    return np.rint(np.clip(x.numpy(), 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0) if (
        len(x) == 3) else (x[0].clamp(0, 1) * 255 + 0.5).to(torch.uint8)
""",
        """
def my_to_picture(x):
    from torchvision.transforms.functional import to_pil_image

    return np.array(to_pil_image(torch.round(255 * x.clamp(0, 1)).byte()))
""",
        """
def my_to_picture(x):
    channels, height, width = x.shape
    picture = torch.zeros(height, width, channels, dtype=torch.uint8)
    for c in range(channels):
        for row in range(height):
            for column in range(width):
                value = min(max(x[c, row, column].item(), 0.0), 1.0)
                picture[row, column, c] = round(255 * value)
    return picture.squeeze(2) if channels == 1 else picture
""",
        """
def my_to_picture(x):
    bytes_ = (255 * x).round().clip(0, 255).type(torch.uint8)
    return bytes_.squeeze(0) if x.shape[0] == 1 else bytes_.movedim(0, -1)
""",
        """
def my_to_picture(x):
    planes = [np.uint8(np.floor(255 * np.clip(plane, 0, 1) + 0.5)) for plane in x.double().numpy()]
    return planes[0] if len(planes) == 1 else np.dstack(planes)
""",
    ],
    "06.dataset": [
        """
class MyDataset(Dataset):
    def __init__(self, X, y, augment=None):
        self.X, self.y, self.augment = X, y, augment
    def __len__(self): return len(self.y)
    def __getitem__(self, i):
        x, y = self.X[i], self.y[i]
        if self.augment is not None: x = self.augment(x)
        return (x, y)
""",
        """
from dataclasses import dataclass
from typing import Any
@dataclass
class MyDataset(Dataset):
    X: Any
    y: Any
    transform: Any = None
    def __len__(self): return len(self.y)
    def __getitem__(self, i):
        x = self.X[i]
        x = self.transform(x) if self.transform else x
        return x, self.y[i]
""",
        """
class MyDataset(Dataset):
    def __init__(self, X, y, transform=None):
        self.X, self.y, self.transform = X, y, transform or (lambda x: x)

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        return [self.transform(self.X[index]), self.y[index].item()]
""",
        """
class MyDataset(TensorDataset):
    def __init__(self, images, labels, transform=None):
        super().__init__(images, labels)
        self.change = transform

    def __getitem__(self, index):
        image, label = super().__getitem__(index)
        return (self.change(image) if self.change else image), label
""",
        """
class MyDataset(Dataset):
    def __init__(self, X, y, *, transform=None):
        super().__init__()
        self.pairs = list(zip(X, y))
        self.transform = transform

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        image, label = self.pairs[index]
        if self.transform:
            image = self.transform(image.clone())
        return image, label
""",
        """
class _Images(Dataset):
    size = property(lambda self: self.data[1].numel())

    def __init__(self, data, steps):
        self.data, self.steps = data, steps

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        image, label = (part[index] for part in self.data)
        for step in self.steps:
            image = step(image)
        return image, int(label)

def MyDataset(X, y, transform=None):
    return _Images((X, y), [] if transform is None else [transform])
""",
        """
class MyDataset(torch.utils.data.Dataset):
    def __init__(self, X, y, transform=None):
        self.X = X.numpy()
        self.y = y.tolist()
        self.transform = transform

    def __len__(self):
        return self.X.shape[0]

    def __getitem__(self, index):
        image = torch.from_numpy(self.X[index])
        return (image, self.y[index]) if not self.transform else (
            self.transform(image), self.y[index])
""",
    ],
    "06.statistics": [
        """
def my_statistics(batches):
    every = torch.cat([torch.as_tensor(batch) for batch in batches])
    std, mean = torch.std_mean(every, (0, 2, 3))
    return mean, std
""",
        """
def my_statistics(batches):
    every = np.concatenate([np.asarray(batch) for batch in batches])
    return every.mean(axis=(0, 2, 3)), every.std(axis=(0, 2, 3), ddof=1)
""",
        """
def my_statistics(batches):
    pixels = [np.moveaxis(np.array(batch), 1, -1).reshape(-1, batch.shape[1]) for batch in batches]
    n = sum(map(len, pixels))
    mean = sum(part.sum(0) for part in pixels) / n
    return [mean, np.sqrt(sum(((part - mean) ** 2).sum(0) for part in pixels) / (n - 1))]
""",
        """
def my_statistics(batches):
    n, mean, scatter = 0, 0.0, 0.0  # Chan's way: two sets become one
    for batch in batches:
        x = torch.as_tensor(batch).transpose(0, 1).flatten(1)
        m, more = x.shape[1], x.mean(1) - mean
        scatter = scatter + ((x - x.mean(1, keepdim=True)) ** 2).sum(1) + more**2 * n * m / (n + m)
        mean, n = mean + more * m / (n + m), n + m
    return mean, (scatter / n).sqrt()
""",
        """
def my_statistics(batches):
    means, stds = [], []
    for channel in range(batches[0].shape[1]):
        values = [float(v) for batch in batches for v in batch[:, channel].reshape(-1)]
        mean = sum(values) / len(values)
        means.append(mean)
        stds.append(math.sqrt(sum((v - mean) ** 2 for v in values) / len(values)))
    return means, stds
""",
    ],
    "06.batches": [
        """
def my_batches(X, y, batch_size, generator):
    n = len(y)
    sizes = [batch_size] * (n // batch_size) + ([n % batch_size] if n % batch_size else [])
    parts = torch.utils.data.random_split(range(n), sizes, generator=generator)
    return [(X[p.indices], y[p.indices]) for p in parts]
""",
        """
def my_batches(X, y, batch_size, generator):
    order = list(range(len(y)))
    for i in range(len(order) - 1, 0, -1):
        j = int(torch.randint(i + 1, (1,), generator=generator))
        order[i], order[j] = order[j], order[i]
    for i in range(0, len(order), batch_size):
        yield X[order[i:i + batch_size]], y[order[i:i + batch_size]]
""",
        """
def my_batches(X, y, batch_size, generator):
    order = torch.randperm(len(y), generator=generator).tolist()
    starts = range(0, len(y), batch_size)
    return [(X[order[i : i + batch_size]], y[order[i : i + batch_size]]) for i in starts]
""",
        """
def my_batches(X, y, batch_size, generator):
    dataset = TensorDataset(X, y)
    return DataLoader(dataset, batch_size, shuffle=True, generator=generator)
""",
        """
def my_batches(X, y, batch_size, generator):
    order = torch.rand(len(X), generator=generator).argsort()
    return zip(X[order].split(batch_size), y[order].split(batch_size))
""",
        """
def my_batches(X, y, batch_size, generator):
    rng = np.random.default_rng(int(torch.randint(2**31, (), generator=generator)))
    left = list(rng.permutation(len(y)))
    while left:
        taken, left = left[:batch_size], left[batch_size:]
        yield [X.numpy()[taken], y.numpy()[taken]]
""",
        """
class _Epoch:
    def __init__(self, X, y, pieces):
        self.X, self.y, self.pieces = X, y, pieces

    def __iter__(self):
        return ((self.X[piece], self.y[piece]) for piece in self.pieces)

def my_batches(X, y, batch_size, generator):
    return _Epoch(X, y, torch.randperm(len(y), generator=generator).split(batch_size))
""",
    ],
    "06.accuracy": [
        """
def my_accuracy(model, loader):
    it = iter(loader)
    right = total = 0
    while True:
        try:
            X, y = next(it)
        except StopIteration:
            return right / total
        right += (model(X).softmax(1).argmax(1) == y).sum().item()
        total += len(X)
""",
        """
@torch.no_grad()
def my_accuracy(model, loader):
    was = model.training
    model.eval()
    right, total = torch.zeros(()), 0
    for batch in loader:
        X, y = batch
        right += model(X).topk(1, dim=1).indices.squeeze(1).eq(y).sum()
        total += y.shape[0]
    model.train(was)
    return (right / total).item()
""",
        """
def my_accuracy(model, loader):
    hits = [model(X).numpy().argmax(1) == y.numpy() for X, y in loader]
    return np.concatenate(hits).mean()
""",
        """
def my_accuracy(model, loader):
    model.eval()
    right = 0
    with torch.no_grad():
        for X, y in loader:
            right += (model(X).softmax(dim=1).max(dim=1).indices == y).sum()
    return right / len(loader.dataset)
""",
        """
def my_accuracy(model, loader):
    shares, sizes = [], []
    for X, y in loader:
        shares.append((model(X).argmax(-1) == y).float().mean())
        sizes.append(len(X))
    return np.average([float(s) for s in shares], weights=sizes)
""",
        """
def my_accuracy(model, loader):
    pairs = [(int(row.argmax()), int(label)) for X, y in loader for row, label in zip(model(X), y)]
    return sum(a == b for a, b in pairs) / len(pairs)
""",
        """
@torch.inference_mode()
def my_accuracy(model, loader):
    said, true = zip(*((torch.max(model(X), 1)[1], y) for X, y in loader))
    return torch.eq(torch.cat(said), torch.cat(true)).float().mean().reshape(1)
""",
    ],
}
_ORDER = "the order of a product"
_PIXELS = "n += batch.shape[0] * batch.shape[2] * batch.shape[3]"
EQUIVALENT = {
    "06.picture": {
        "pixels = (x.clamp(0, 1) * 255).round().to(torch.uint8) >>> pixels = (255 * x.clamp(0, "
        "1)).round().to(torch.uint8)": _ORDER,
    },
    "06.statistics": {
        f"{_PIXELS} >>> n += batch.shape[3] * (batch.shape[0] * batch.shape[2])": _ORDER,
    },
    "06.batches": {
        "order = torch.randperm(len(y), generator=generator) >>> order = -torch.randperm(len(y), "
        "generator=generator)": "negative places count from the end: another random order",
        "order = torch.randperm(len(y), generator=generator) >>> order = torch.randperm(len(X), "
        "generator=generator)": "there are as many images as labels",
    },
    "06.accuracy": {
        "right += (answers == y).sum().item() >>> right += (answers == y).sum()": "a tensor with "
        "one number divides in the same way",
    },
}
