"""Chapter 12."""

RIGHT = {
    "12.flat_features": [
        """
def my_flat_features(size, blocks):
    x = torch.zeros(1, 1, size, size)
    for channels, kernel_size, padding in blocks:
        x = F.max_pool2d(nn.Conv2d(x.shape[1], channels, kernel_size, padding=padding)(x), 2)
    return x.numel()
""",
        """
def my_flat_features(size, blocks):
    while blocks:
        channels, kernel_size, padding = blocks.pop(0)
        size = int((size + 2 * padding - kernel_size + 1) / 2)
    return float(channels * size**2)
""",
        """
def my_flat_features(size, *, blocks):
    if len(blocks) == 0:
        return size**2
    (channels, k, p), rest = blocks[0], blocks[1:]
    side = math.floor((size + 2 * p - k + 1) / 2)
    return my_flat_features(side, blocks=rest) if rest else torch.tensor([channels * side * side])
""",
        """
from functools import reduce

my_flat_features = lambda size, blocks: blocks[-1][0] * reduce(
    lambda side, block: (side + 2 * block[2] - block[1] + 1) // 2, blocks, size
) ** 2
""",
    ],
    "12.block": [
        """
class my_block(nn.Module):
    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.ReLU(),
            nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False),
        )
        self.skip = nn.Conv2d(c_in, c_out, 1, stride, bias=False)

    def forward(self, x):
        x = self.kept = torch.relu(self.skip(x) + self.body(x))
        return x
""",
        """
def my_block(c_in, c_out, *, stride):
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            shapes = (c_out, c_in, 3, 3), (c_out, c_out, 3, 3), (c_out, c_in, 1, 1)
            self.w = nn.ParameterList([torch.randn(shape) / 10 for shape in shapes])

        def forward(self, x):
            inner = F.conv2d(x, self.w[0], stride=stride, padding=1).clamp(min=0)
            body = F.conv2d(inner, self.w[1], padding="same")
            return (body + F.conv2d(x, self.w[2], stride=stride)).clamp(min=0)

    return Block().eval()
""",
        """
class Block(nn.Module):
    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.short = nn.Conv2d(c_in, c_out, kernel_size=1, bias=False)
        self.second = nn.Conv2d(c_out, c_out, (3, 3), padding=(1, 1), bias=False)
        self.first = nn.LazyConv2d(c_out, 3, stride=stride, padding=1, bias=False)
        self.stride = stride

    def forward(self, h):
        out = self.second(self.first(h).relu())
        out += self.short(h[:, :, :: self.stride, :: self.stride])  # the pixels that are kept
        return F.relu_(out)

my_block = lambda c_in, c_out, stride: Block(c_in, c_out, stride).to(torch.float64)
""",
        """
def my_block(c_in, c_out, stride):
    body = nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1, bias=False), nn.ReLU(),
        nn.Conv2d(c_out, c_out, 3, padding=1, bias=False), nn.Dropout(0.0),
    )
    short = nn.Conv2d(c_in, c_out, 1, stride=stride, bias=False)

    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.ways = nn.ModuleList([body, short])

        def forward(self, h):
            return F.relu(torch.stack([way(h) for way in self.ways]).sum(0))

    return Sum()
""",
    ],
    "12.accuracy": [
        """
def my_accuracy(model, loader):
    model.train(False)
    X = torch.cat([X for X, _ in loader])
    y = torch.cat([y for _, y in loader])
    return (model(X).detach().numpy().argmax(1) == y.numpy()).mean()
""",
        """
def my_accuracy(model, loader):
    right = 0
    for X, y in loader:
        right += (model.eval()(X).argmax(dim=-1) == y).sum()
    return right / len(loader.dataset)
""",
        """
@torch.no_grad()
def my_accuracy(model, loader):
    model.eval()
    hits = []
    for X, y in loader:
        for logits, digit in zip(model(X), y):
            hits.append(float(logits.max(0)[1] == digit))
    return sum(hits) / len(hits)
""",
        """
def my_accuracy(model, loader):
    model.eval()
    total, weight = 0.0, 0
    for X, y in loader:
        share = (model(X).softmax(1).max(1).indices == y).float().mean()
        total, weight = total + share * len(X), weight + len(X)
    return [total / weight]
""",
        """
from course_utils.training import evaluate

my_accuracy = lambda model, loader: evaluate(model.eval(), loader).accuracy
""",
    ],
    "12.confusion": [
        """
def my_confusion(y, y_hat, num_classes):
    counts = np.zeros((num_classes, num_classes))
    np.add.at(counts, (np.asarray(y), np.asarray(y_hat)), 1)
    return counts
""",
        """
def my_confusion(y, y_hat, num_classes):
    flat = torch.bincount(y * num_classes + y_hat, minlength=num_classes**2)
    return flat.reshape(num_classes, num_classes).to(torch.float16)
""",
        """
def my_confusion(y, y_hat, *, num_classes):
    a, b = F.one_hot(y, num_classes), F.one_hot(y_hat, num_classes)
    return a.T @ b
""",
        """
def my_confusion(y, y_hat, num_classes):
    pairs = list(zip(y.tolist(), y_hat.tolist()))
    return [[pairs.count((i, j)) for j in range(num_classes)] for i in range(num_classes)]
""",
        """
def my_confusion(y, y_hat, num_classes):
    counts = torch.zeros(num_classes, num_classes)
    return counts.index_put((y, y_hat), torch.ones(len(y)), accumulate=True)
""",
    ],
    "12.predict": [
        """
def my_predict(model, image):
    model.eval()
    logits = model(image.unsqueeze(0)).detach().numpy()[0]
    powers = np.exp(logits - logits.max())
    return np.argmax(logits), (powers / powers.sum()).tolist()
""",
        """
def my_predict(model, image):
    with torch.no_grad():
        p = F.softmax(model.eval()(image[None]), dim=-1).squeeze(0)
    return [p.argmax(), p]
""",
        """
@torch.inference_mode()
def my_predict(model, image):
    model.train(False)
    p = nn.Softmax(dim=1)(model(image.reshape(1, 1, 28, 28)))
    return int(p.argmax(1)), p.flatten()
""",
        """
def my_predict(model, image):
    model.eval()
    p = torch.exp(model(torch.stack([image])).log_softmax(1)).detach()
    best, digit = p.max(1)
    return digit, p[0, :]
""",
    ],
    "12.occlusion": [
        """
def my_occlusion(model, image, digit, size):
    steps = 28 // size
    batch = image.repeat(steps**2, 1, 1, 1).reshape(steps, steps, 1, 28, 28)
    for i in range(steps):
        for j in range(steps):
            batch[i, j, 0, i * size : i * size + size, j * size : j * size + size] = 0
    p = model(batch.flatten(0, 1)).softmax(1)[:, digit]
    before = model(image[None]).softmax(1)[0, digit]
    return (before - p).reshape(steps, steps)
""",
        """
def my_occlusion(model, image, digit, size):
    def p(x):
        return model(x.unsqueeze(0)).softmax(-1)[0][digit].item()

    rows = []
    for top in range(0, 28, size):
        row = []
        for left in range(0, 28, size):
            mask = torch.ones_like(image)
            mask[0, top : top + size, left : left + size] = 0
            row.append(p(image) - p(image * mask))
        rows.append(row)
    return rows
""",
        """
def my_occlusion(model, image, digit, size):
    drop = np.zeros((28 // size, 28 // size))
    with torch.no_grad():
        before = F.softmax(model(image[None]), dim=1)[0, digit]
        for i, j in np.ndindex(drop.shape):
            kept = image[:, i * size : (i + 1) * size, j * size : (j + 1) * size].clone()
            image[:, i * size : (i + 1) * size, j * size : (j + 1) * size] = 0
            drop[i, j] = before - F.softmax(model(image[None]), dim=1)[0, digit]
            image[:, i * size : (i + 1) * size, j * size : (j + 1) * size] = kept
    return drop
""",
        """
def my_occlusion(model, image, *, digit, size):
    n = 28 // size
    masks = 1 - torch.eye(n * n, dtype=image.dtype).reshape(n * n, 1, n, n)
    masks = F.interpolate(masks, scale_factor=size)
    p = model(torch.cat([image[None], image[None] * masks])).softmax(1)[:, digit]
    return (p[0] - p[1:]).view(n, n)
""",
    ],
}
ORDER = "the order of a product or a sum does not matter"
ZERO = "minus zero is zero"
COVER = "covered[:, i * size:(i + 1) * size, j * size:(j + 1) * size] = 0 >>> "
EQUIVALENT = {
    "12.flat_features": {
        "return channels * size * size >>> return size * (channels * size)": ORDER,
        "return channels * size * size >>> return size * channels * size": ORDER,
        "size = size + 2 * padding - kernel_size + 1 >>> "
        "size = 2 * padding + size - kernel_size + 1": ORDER,
    },
    "12.block": {
        "return F.relu(body + self.short(h)) >>> return F.relu(self.short(h) + body)": ORDER,
    },
    "12.accuracy": {
        "num_right += (y_hat == y).sum().item() >>> num_right += (y_hat == y).sum()": (
            "a tensor with one number is a number"
        ),
        "num_right = num_images = 0 >>> num_right = num_images = -0": ZERO,
    },
    "12.confusion": {
        "counts = torch.zeros(num_classes, num_classes, dtype=torch.int64) >>> "
        "counts = -torch.zeros(num_classes, num_classes, dtype=torch.int64)": ZERO,
        "counts = torch.zeros(num_classes, num_classes, dtype=torch.int64) >>> "
        "counts = torch.zeros(num_classes, num_classes)": "counts may be floating-point numbers",
    },
    "12.predict": {
        "probabilities = model(image[None]).softmax(1)[0] >>> "
        "probabilities = model(image[None]).softmax(1)[-1]": "the only row is the last one too",
        "return (probabilities.argmax().item(), probabilities) >>> "
        "return (probabilities.argmax(), probabilities)": "a tensor with one number is a number",
    },
    "12.occlusion": {
        COVER + "covered[:, i * size:(i + 1) * size, j * size:size * (j + 1)] = 0": ORDER,
        COVER + "covered[:, size * i:(i + 1) * size, j * size:(j + 1) * size] = 0": ORDER,
        "steps = 28 // size >>> steps = 29 // size": "the same for every size above 1",
    },
}
