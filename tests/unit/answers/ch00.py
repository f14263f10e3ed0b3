"""Chapter 00."""

RIGHT = {
    "00.relu": [
        "def my_relu(x):\n    return x if x > 0 else 0",
        "my_relu = lambda x: (x + abs(x)) / 2",
        "def my_relu(x):\n    return torch.relu(torch.tensor(x))",
        "def my_relu(x):\n    return np.maximum(0, x)",
        "def my_relu(x):\n    return np.clip(x, 0, None)",
        "def my_relu(x):\n    if x < 0:\n        x = 0\n    return x",
    ],
}
EQUIVALENT = {
    "00.relu": {
        "return max(0.0, x) >>> return max(-0.0, x)": "minus zero is zero",
        "return max(0.0, x) >>> return max(0.0, x) * 1": "a factor of one",
        "return max(0.0, x) >>> return max(0.0, x) + 0": "nothing is added",
        "return max(0.0, x) >>> return max(x, 0.0)": "the order does not matter",
    },
}
