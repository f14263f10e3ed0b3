"""Chapter 01."""

RIGHT = {
    "01.strides": [
        "my_strides = lambda shape: np.cumprod([1, *shape[:0:-1]])[::-1]",
        """
def my_strides(shape):
    return [math.prod(shape[i + 1:]) for i in range(len(shape))]
""",
        """
def my_strides(shape):
    if len(shape) == 1:
        return (1,)
    rest = my_strides(shape[1:])
    return (rest[0] * shape[1], *rest)
""",
        """
def my_strides(shape):
    sizes = torch.tensor([*shape[1:], 1])
    return sizes.flip(0).cumprod(0).flip(0)
""",
        """
def my_strides(shape):
    strides = [1] * len(shape)
    for i in range(len(shape) - 2, -1, -1):
        strides[i] = strides[i + 1] * shape[i + 1]
    return strides
""",
        """
def my_strides(shape):
    count, strides = math.prod(shape), []
    for size in shape:
        count //= size
        strides += [count]
    return np.array(strides, dtype=float)
""",
        """
from itertools import accumulate
from operator import mul
class Strides:
    def __call__(self, shape):
        return list(accumulate(shape[:0:-1], mul, initial=1))[::-1]
my_strides = Strides()
""",
    ],
    "01.mask": [
        """
def my_fill_gaps(x):
    gaps = np.isnan(x)
    return np.where(gaps, np.nanmean(x), x)
""",
        "def my_fill_gaps(x):\n    return torch.nan_to_num(x, nan=torch.nanmean(x).item())",
        "my_fill_gaps = lambda x: torch.where(x.isnan(), x.nanmean(), x)",
        """
def my_fill_gaps(x):
    y = x.copy()
    y[np.isnan(y)] = np.nanmean(x)
    return y
""",
        """
def my_fill_gaps(x):
    y = x.clone()
    mask = torch.isnan(y)
    y[mask] = y[~mask].sum() / (~mask).sum()
    return y
""",
        """
def my_fill_gaps(x):
    flat = [float(v) for v in x.flatten()]
    there = [v for v in flat if v == v]
    mean = sum(there) / len(there)
    return torch.tensor([v if v == v else mean for v in flat]).reshape(x.shape)
""",
        """
def my_fill_gaps(x):
    y = x.copy()
    there = y[~np.isnan(y)]
    for index in np.ndindex(y.shape):
        if np.isnan(y[index]):
            y[index] = there.mean()
    return y
""",
        "def my_fill_gaps(x):\n    return x.masked_fill(x != x, x[x == x].mean())",
    ],
    "01.matmul": [
        "def my_matmul_shape(a, b):\n    return [*a[:-1], *b[1:]] if a[-1] == b[0] else None",
        "my_matmul_shape = lambda a, b: torch.Size(a[:-1] + b[1:]) if a[-1] == b[0] else None",
        """
def my_matmul_shape(a, b):
    if len(a) == 1 and len(b) == 1:
        return () if a == b else None
    if len(a) == 1:
        return (b[1],) if a[0] == b[0] else None
    if len(b) == 1:
        return (a[0],) if a[1] == b[0] else None
    return (a[0], b[1]) if a[1] == b[0] else None
""",
        """
def my_matmul_shape(a, b):
    *outer, inner = a
    first, *rest = b
    if inner == first:
        return np.array(outer + rest, dtype=int)
""",
        """
def my_matmul_shape(a, b):
    match a, b:
        case (n, k), (l, m) if k == l:
            return n, m
        case (k,), (l, m) if k == l:
            return m,
        case (n, k), (l,) if k == l:
            return n,
        case (k,), (l,) if k == l:
            return ()
""",
    ],
    "01.one_hot": [
        """
def my_one_hot(labels, num_classes):
    rows = torch.zeros(labels.shape[0], num_classes)
    rows[torch.arange(labels.shape[0]), labels] = 1
    return rows
""",
        "my_one_hot = lambda labels, num_classes: labels[:, None] == np.arange(num_classes)",
        """
def my_one_hot(labels, num_classes):
    return (np.asarray(labels)[:, None] == np.arange(num_classes)).astype(int)
""",
        """
def my_one_hot(labels, num_classes):
    rows = torch.zeros(len(labels), num_classes)
    rows[range(len(labels)), labels] = 1
    return rows
""",
        "my_one_hot = lambda labels, n: np.eye(n)[labels]",
        "my_one_hot = lambda labels, n: F.one_hot(torch.as_tensor(labels), n)",
        "my_one_hot = lambda labels, num_classes: np.eye(num_classes, dtype=bool)[labels]",
        """
def my_one_hot(labels, num_classes):
    rows = np.zeros((len(labels), num_classes))
    rows[np.arange(len(labels)), labels] = 1
    return rows
""",
        """
def my_one_hot(labels, *, num_classes):
    labels = torch.as_tensor(labels).long()
    return torch.zeros(len(labels), num_classes).scatter_(1, labels[:, None], 1.0)
""",
        "def my_one_hot(labels, num_classes):\n    return np.identity(num_classes)[list(labels)]",
        "def my_one_hot(labels, num_classes):\n    return np.take(np.eye(num_classes), labels, 0)",
    ],
    "01.standardise": [
        "def my_standardise(X):\n    return (X - X.mean(0)) / X.std(0)  # NumPy's divides by N",
        """
def my_standardise(X):
    X = torch.as_tensor(X, dtype=torch.float32)
    return (X - X.mean(0, keepdim=True)) / X.std(0, correction=0, keepdim=True)
""",
        "my_standardise = lambda X: (X - X.mean(dim=0)) / X.std(dim=0, unbiased=False)",
        """
def my_standardise(X):
    centred = X - np.mean(X, axis=0)
    return centred / np.sqrt(np.mean(centred**2, axis=0))
""",
        """
def my_standardise(X):
    n = len(X)
    m = X.sum(0) / n
    variance = torch.square(X - m).sum(0) / n
    return (X - m) * variance.rsqrt()
""",
        """
def my_standardise(X):
    X = X.copy()
    X -= X.mean(axis=0)
    X /= X.std(axis=0)
    return X
""",
        """
def my_standardise(X):
    X = X.T
    return ((X - X.mean(-1)[:, None]) / X.std(-1)[:, None]).T
""",
        """
def my_standardise(X):
    X = torch.as_tensor(X, dtype=torch.float64).requires_grad_()
    return F.batch_norm(X, None, None, training=True, eps=1e-12)
""",
    ],
    "01.contrast": [
        """
def my_contrast(images):
    low = images.min(axis=(1, 2), keepdims=True)
    return (images - low) / np.ptp(images, axis=(1, 2), keepdims=True)
""",
        """
def my_contrast(images):
    flat = images.reshape(len(images), -1)
    low, high = flat.min(1).values[:, None, None], flat.max(1).values[:, None, None]
    return (images - low) / (high - low)
""",
        """
def my_contrast(images):
    low, high = images.min((1, 2)), images.max((1, 2))
    return ((images.T - low) / (high - low)).T
""",
        """
def my_contrast(images):
    x = images.clone().requires_grad_()
    shifted = x - x.amin(2, keepdim=True).amin(1, keepdim=True)
    return shifted / shifted.amax(2).amax(1).view(-1, 1, 1)
""",
        """
def stretched(image):
    return (image - image.min()) / (image.max() - image.min())
my_contrast = torch.vmap(stretched)
""",
        """
def my_contrast(images):
    images = np.array(images)
    images -= images.min(axis=-1, keepdims=True).min(axis=-2, keepdims=True)
    images /= np.max(images, axis=(-2, -1))[:, np.newaxis, np.newaxis]
    return images
""",
        """
def my_contrast(*, images):
    flat = images.flatten(1)
    low, high = torch.aminmax(flat, dim=1, keepdim=True)
    return ((flat - low) / (high - low)).unflatten(1, images.shape[1:])
""",
        """
class Contrast(nn.Module):
    def forward(self, images):
        low = torch.amin(images, (1, 2), keepdim=True)
        return (images - low).div(torch.amax(images, (1, 2), keepdim=True) - low)
my_contrast = Contrast()
""",
    ],
}
EQUIVALENT = {
    "01.strides": {
        "strides.insert(0, step) >>> strides.insert(-0, step)": "minus zero is zero",
    },
    "01.one_hot": {
        "return torch.eye(num_classes)[labels] >>> return --torch.eye(num_classes)[labels]": (
            "two signs cancel"
        ),
        "return torch.eye(num_classes)[labels] >>> return torch.eye(num_classes)[labels] * 1": (
            "a factor of one"
        ),
        "return torch.eye(num_classes)[labels] >>> return torch.eye(num_classes)[labels] + 0": (
            "nothing is added"
        ),
    },
    "01.standardise": {
        "deviation = ((X - mean) ** 2).mean(0) ** 0.5 >>> "
        "deviation = ((mean - X) ** 2).mean(0) ** 0.5": "a square has no sign",
    },
    "01.contrast": {
        "images = torch.as_tensor(images) >>> images = images": "a tensor already is one",
        "images = torch.as_tensor(images) >>> pass": "a tensor already is one",
        "images = torch.as_tensor(images) >>> images = torch.as_tensor(images) + 1": (
            "a shift of the whole image cancels"
        ),
    },
}
