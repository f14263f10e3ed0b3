"""Chapter 11."""

RIGHT = {
    "11.layer": [
        "my_layer = lambda n, i, o, k, s, p: ["
        "torch.tensor(1 + (n + 2 * p - k) // s), np.int64(o * i * k * k + o)]",
        """
def my_layer(size, in_channels, out_channels, kernel_size, stride, padding):
    layer = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding)
    y = layer(torch.zeros(1, in_channels, size, size))
    return y.shape[-1], sum(p.numel() for p in layer.parameters())
""",
        """
def my_layer(size, in_channels, out_channels, *, kernel_size, stride, padding):
    places = range(0, size + 2 * padding - kernel_size + 1, stride)
    return np.array([len(places), out_channels * in_channels * kernel_size**2 + out_channels])
""",
        """
from course_utils.convolution import output_size

def my_layer(size, in_channels, out_channels, kernel_size, stride, padding):
    side = output_size(size, kernel_size, stride, padding)
    return side, float(out_channels * (in_channels * kernel_size**2 + 1))
""",
        """
def my_layer(size, in_channels, out_channels, kernel_size, stride, padding):
    side = math.floor((size + 2 * padding - kernel_size) / stride + 1)
    weights = 0
    for _ in range(out_channels):
        weights += in_channels * kernel_size * kernel_size + 1
    return side, weights
""",
    ],
    "11.stamp": [
        "my_stamp = lambda x, k: F.conv_transpose2d(x[None, None], k[None, None])[0, 0]",
        """
def my_stamp(image, kernel):
    (H, W), (kH, kW) = image.shape, kernel.shape
    out = np.zeros((H + kH - 1, W + kW - 1))
    for a in range(kH):
        for b in range(kW):
            out[a : a + H, b : b + W] += kernel[a, b] * np.asarray(image)
    return out
""",
        """
def my_stamp(image, kernel):
    x, k = torch.tensor(image).float(), torch.tensor(kernel).float()
    kH, kW = k.shape
    x = F.pad(x[None, None], (kW - 1, kW - 1, kH - 1, kH - 1)).requires_grad_()
    return F.conv2d(x, k.flip(0, 1)[None, None])[0, 0]
""",
        """
def my_stamp(image, *, kernel):
    (H, W), (kH, kW) = np.shape(image), np.shape(kernel)
    return [
        [
            sum(
                image[i][j] * kernel[m - i][n - j]
                for i in range(max(0, m - kH + 1), min(H, m + 1))
                for j in range(max(0, n - kW + 1), min(W, n + 1))
            )
            for n in range(W + kW - 1)
        ]
        for m in range(H + kH - 1)
    ]
""",
        """
def my_stamp(image, kernel):
    shape = [a + b - 1 for a, b in zip(image.shape, kernel.shape)]
    product = np.fft.rfft2(np.asarray(image), shape) * np.fft.rfft2(np.asarray(kernel), shape)
    return np.fft.irfft2(product, shape)
""",
    ],
    "11.shift_kernel": [
        """
def my_shift_kernel(down, right):
    k = torch.zeros(1, 1, 3, 3)
    k[0, 0, 1 - down, 1 - right] = 1
    return k.requires_grad_()
""",
        "def my_shift_kernel(down, right):\n"
        "    return [[int((i, j) == (1 - down, 1 - right)) for j in range(3)] for i in range(3)]",
        "my_shift_kernel = lambda d, r: np.outer(np.eye(3)[1 - d], np.eye(3)[1 - r])",
        """
def my_shift_kernel(down, right):
    k = torch.zeros(3, 3, dtype=torch.int64)
    k[1, 1] = 1
    return k.roll((-down, -right), (0, 1))
""",
        """
def my_shift_kernel(down, *, right):
    image = torch.zeros(1, 1, 3, 3)
    image[0, 0, 1, 1] = 1
    moved = image.roll((down, right), (2, 3))
    return moved[0, 0].flip(0, 1)
""",
    ],
    "11.max_pool": [
        "my_max_pool = F.max_pool2d",
        """
def my_max_pool(X, size):
    rows = range(0, X.shape[2] - size + 1, size)
    columns = range(0, X.shape[3] - size + 1, size)
    return [
        [
            [[X[n, c, i : i + size, j : j + size].max() for j in columns] for i in rows]
            for c in range(X.shape[1])
        ]
        for n in range(X.shape[0])
    ]
""",
        """
def my_max_pool(X, size):
    N, C, H, W = X.shape
    X = X[:, :, : H // size * size, : W // size * size]
    return X.reshape(N, C, H // size, size, W // size, size).max(5).max(3)
""",
        "def my_max_pool(X, *, size):\n    return nn.MaxPool2d(size)(torch.tensor(X).float())",
        "def my_max_pool(X, size):\n"
        "    return torch.as_tensor(X).unfold(2, size, size).unfold(3, size, size).amax((-1, -2))",
    ],
    "11.receptive_field": [
        """
def my_receptive_field(layers):
    field, jump = 1, 1
    while layers:
        kernel_size, stride, dilation = layers.pop(0)
        field += (kernel_size - 1) * dilation * jump
        jump *= stride
    return torch.tensor([field])
""",
        """
def my_receptive_field(layers):
    field = 1
    for kernel_size, stride, dilation in reversed(layers):
        field = (field - 1) * stride + dilation * (kernel_size - 1) + 1
    return field
""",
        """
def my_receptive_field(layers):
    if not layers:
        return 1
    kernel_size, stride, dilation = layers[0]
    return dilation * (kernel_size - 1) + 1 + stride * (my_receptive_field(layers[1:]) - 1)
""",
        """
def my_receptive_field(layers):
    sizes, strides, dilations = np.array(layers).T
    jumps = np.concatenate([[1], np.cumprod(strides)[:-1]])
    return (1 + (dilations * (sizes - 1) * jumps).sum()).astype(np.float32)
""",
        "from course_utils.convolution import receptive_field\n"
        "my_receptive_field = lambda layers: receptive_field(layers)[-1].size",
    ],
    "11.flatten": [
        """
class MyNet(nn.Sequential):
    def __init__(self, size):
        super().__init__(
            nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.LazyLinear(10)
        )
""",
        """
class MyNet(nn.Module):
    def __init__(self, size):
        super().__init__()
        side = (size - 2) // 2
        self.head, self.conv = nn.Linear(8 * side**2, 10), nn.LazyConv2d(8, 3)

    def forward(self, X):
        self.kept = F.max_pool2d(self.conv(X), 2).relu()
        return self.head(self.kept.reshape(len(X), -1))
""",
        """
def MyNet(size):
    features = 8 * ((size - 2) // 2) ** 2
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(features, 10)
    )
""",
        """
class MyNet(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.size, n = size, 8 * ((size - 2) // 2) ** 2
        self.conv = nn.Conv2d(1, 8, kernel_size=3)
        self.w = nn.Parameter(torch.randn(10, n))
        self.b = nn.Parameter(torch.zeros(10))

    def forward(self, X):
        if X.shape[-1] != self.size:
            raise ValueError("another size")
        h = F.max_pool2d(F.relu(self.conv(X)), 2).flatten(1)
        return h @ self.w.T + self.b
""",
        """
class MyNet(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, kernel_size=3)
        with torch.no_grad():
            n = F.max_pool2d(self.conv(torch.zeros(1, 1, size, size)), 2).numel()
        self.net = nn.Sequential(
            self.conv, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(n, 10)
        )

    def forward(self, X):
        return self.net(X)
""",
    ],
}
ORDER = "the order of a product or a sum does not matter"
FILLED = "each entry is written over"
EQUIVALENT = {
    "11.layer": {
        "parameters = out_channels * (in_channels * kernel_size ** 2 + 1) >>> "
        "parameters = (in_channels * kernel_size ** 2 + 1) * out_channels": ORDER,
        "side = (size + 2 * padding - kernel_size) // stride + 1 >>> "
        "side = (size + padding * 2 - kernel_size) // stride + 1": ORDER,
    },
    "11.stamp": {
        "output = np.zeros((H + kH - 1, W + kW - 1)) >>> "
        "output = -np.zeros((H + kH - 1, W + kW - 1))": "minus zero is zero",
        "output = np.zeros((H + kH - 1, W + kW - 1)) >>> "
        "output = np.zeros((H + kH - 1, kW + W - 1))": ORDER,
        "output[i:i + kH, j:j + kW] += image[i, j] * kernel >>> "
        "output[i:kH + i, j:j + kW] += image[i, j] * kernel": ORDER,
    },
    "11.shift_kernel": {
        "kernel = np.zeros((3, 3)) >>> kernel = -np.zeros((3, 3))": "minus zero is zero",
    },
    "11.max_pool": {
        "output = np.zeros((N, C, H // size, W // size)) >>> "
        "output = np.ones((N, C, H // size, W // size))": FILLED,
        "output = np.zeros((N, C, H // size, W // size)) >>> "
        "output = np.zeros((N, C, H // size, W // size)) + 1": FILLED,
        "top, left = (i * size, j * size) >>> top, left = (i * size, size * j)": ORDER,
    },
    "11.receptive_field": {
        "field += dilation * (kernel_size - 1) * jump >>> "
        "field += (kernel_size - 1) * dilation * jump": ORDER,
        "field += dilation * (kernel_size - 1) * jump >>> "
        "field += jump * (dilation * (kernel_size - 1))": ORDER,
    },
    "11.flatten": {
        "self.fc = nn.Linear(8 * side * side, 10) >>> self.fc = nn.Linear(side * 8 * side, 10)": (
            ORDER
        ),
    },
}
