"""Chapter 13."""

RIGHT = {
    "13.average": [
        """
def my_average(grads, sizes):
    shares = torch.tensor(sizes, dtype=torch.float32) / sum(sizes)
    stacked = torch.stack([torch.as_tensor(grad, dtype=torch.float32) for grad in grads])
    return torch.tensordot(shares, stacked, dims=1)
""",
        "my_average = lambda grads, sizes: np.average(grads, axis=0, weights=sizes)",
        """
def my_average(grads, sizes):
    total = 0 * grads[0]
    for grad, n in zip(grads, sizes):
        total = total + grad * (n / sum(sizes))
    return total
""",
        """
def my_average(grads, sizes):
    total = grads[0].clone() * sizes[0]
    for i in range(1, len(grads)):
        total += sizes[i] * grads[i]
    total /= sum(sizes)
    return total
""",
        """
def my_average(grads, sizes):
    n = np.array(sizes, dtype=float)
    return np.einsum("r,r...->...", n / n.sum(), np.stack(grads))
""",
    ],
    "13.shard": [
        """
def my_shard(order, world, rank):
    from torch.utils.data import DistributedSampler
    places = DistributedSampler(range(len(order)), world, rank, shuffle=False)
    return np.array([order[place] for place in places])
""",
        """
def my_shard(order, world, rank):
    n = math.ceil(len(order) / world)
    return [order[(rank + i * world) % len(order)] for i in range(n)]
""",
        """
def my_shard(order, world, rank):
    full = list(order)
    i = 0
    while len(full) % world:
        full.append(order[i % len(order)])
        i += 1
    return full[rank::world]
""",
        """
def my_shard(order, world, rank):
    size = -(-len(order) // world) * world
    return np.resize(np.array(order), size).reshape(-1, world)[:, rank].tolist()
""",
    ],
    "13.large_batch_lr": [
        """
def my_large_batch_lr(t, lr, batch_size, large_batch, warmup_steps):
    end = lr * large_batch / batch_size
    return torch.tensor(float(np.interp(t, [0, warmup_steps], [lr, end])))
""",
        """
def my_large_batch_lr(t, lr, batch_size, large_batch, warmup_steps):
    k = large_batch / batch_size
    if t >= warmup_steps:
        return lr * k
    return lr * (1 + (k - 1) * t / warmup_steps)
""",
        """
def my_large_batch_lr(t, lr, batch_size, large_batch, *, warmup_steps):
    share = np.clip(t / warmup_steps, 0, 1)
    return [(1 - share) * lr + share * lr * large_batch / batch_size]
""",
    ],
    "13.speedup": [
        """
def my_speedup(n, compute, size, bandwidth, latency):
    return np.float32(1 / (1 / n + 2 * (n - 1) * (size / n / bandwidth + latency) / compute))
""",
        """
def my_speedup(n, compute, size, bandwidth, latency):
    time = compute / n
    for message in range(2 * (n - 1)):
        time += size / n / bandwidth
        time += latency
    return compute / time
""",
        """
my_speedup = lambda n, c, size, bandwidth, latency: torch.tensor(
    [c / (c / n + 2 * (n - 1) * (size / (n * bandwidth) + latency))]
)
""",
    ],
    "13.accumulate": [
        """
def my_accumulated_step(model, optimizer, X, y, micro_batch):
    weights = {name: p.detach() for name, p in model.named_parameters()}

    def loss(weights, X, y):
        logits = torch.func.functional_call(model, weights, (X,))
        return F.cross_entropy(logits, y, reduction="sum")

    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    for part in zip(X.split(micro_batch), y.split(micro_batch)):
        grads = torch.func.grad(loss)(weights, *part)
        for name, p in model.named_parameters():
            p.grad += grads[name] / len(X)
    optimizer.step()
""",
        """
def my_accumulated_step(model, optimizer, X, y, micro_batch):
    optimizer.zero_grad()
    for k in range(math.ceil(len(X) / micro_batch)):
        part = slice(k * micro_batch, (k + 1) * micro_batch)
        loss = F.cross_entropy(model(X[part]), y[part], reduction="none").sum() / len(X)
        loss.backward(retain_graph=True)
    optimizer.step()
""",
        """
def my_accumulated_step(model, optimizer, X, y, micro_batch):
    parameters = list(model.parameters())
    sums = [torch.zeros_like(p) for p in parameters]
    losses = []
    for part in torch.arange(len(X)).split(micro_batch):
        loss = F.cross_entropy(model(X[part]), y[part], reduction="sum")
        losses.append(loss)  # keeps the nodes of the graph, not what they held
        for total, grad in zip(sums, torch.autograd.grad(loss, parameters)):
            total += grad / len(X)
    for p, grad in zip(parameters, sums):
        p.grad = grad
    optimizer.step()
""",
        """
def my_accumulated_step(model, optimizer, X, y, micro_batch):
    def closure():
        optimizer.zero_grad()
        total = 0.0
        for X_part, y_part in DataLoader(TensorDataset(X, y), batch_size=micro_batch):
            loss = nn.NLLLoss(reduction="sum")(model(X_part).log_softmax(1), y_part) / len(y)
            loss.backward()
            total += loss
        return total

    optimizer.step(closure)
    optimizer.zero_grad()
    model.eval()
""",
        """
def my_accumulated_step(model, optimizer, X, y, micro_batch):
    optimizer.zero_grad()
    for start in range(0, len(y), micro_batch):
        part = slice(start, start + micro_batch)
        (F.cross_entropy(model(X[part]), y[part], reduction="sum") / len(y)).backward()
    optimizer.step()
""",
        """
def my_accumulated_step(model, optimizer, X, y, micro_batch):
    params = list(model.parameters())
    total = [torch.zeros_like(p) for p in params]
    for X_part, y_part in DataLoader(TensorDataset(X, y), micro_batch):
        loss = F.cross_entropy(model(X_part), y_part, reduction="sum")
        for t, g in zip(total, torch.autograd.grad(loss, params)):
            t += g
    for p, t in zip(params, total):
        p.grad = t / len(X)
    optimizer.step()
    return model
""",
        """
def my_accumulated_step(model, optimizer, X, y, micro_batch):
    for p in model.parameters():
        p.grad = None
    for X_part, y_part in zip(torch.split(X, micro_batch), torch.split(y, micro_batch)):
        loss = nn.CrossEntropyLoss()(model(X_part), y_part)
        loss.backward(torch.tensor(len(y_part) / len(y), dtype=loss.dtype))
    optimizer.step()
    optimizer.zero_grad()
""",
    ],
    "13.save": [
        """
def my_save(state, path):
    import tempfile
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path) or ".") as folder:
        other = os.path.join(folder, "half.pt")
        torch.save(state, other)
        os.replace(other, path)
""",
        """
def my_save(state, path):
    import tempfile
    file, name = tempfile.mkstemp(dir=os.path.dirname(path))
    os.close(file)
    try:
        torch.save(state, name)
        os.rename(name, path)
    finally:
        if os.path.exists(name):
            os.remove(name)
""",
        """
def my_save(state, path):
    torch.save(state, path + ".part")
    os.replace(path + ".part", path)
""",
        """
def my_save(state, path):
    from pathlib import Path
    other = Path(path).with_suffix(".new")
    torch.save(state, other)
    other.replace(path)
""",
        """
def my_save(state, path):
    import io, shutil
    buffer = io.BytesIO()
    torch.save(state, buffer)
    with open(path + "~", "wb") as file:
        file.write(buffer.getvalue())
    shutil.move(path + "~", path)
""",
    ],
}
COMMUTES = "a sum or a product in another order"
EQUIVALENT = {
    "13.average": {
        "return sum((n * grad for n, grad in zip(sizes, grads))) / total >>> "
        "return sum((grad * n for n, grad in zip(sizes, grads))) / total": COMMUTES,
        "return sum((n * grad for n, grad in zip(sizes, grads))) / total >>> "
        "return sum((n * grad for n, grad in zip(grads, sizes))) / total": COMMUTES,
    },
    "13.shard": {
        "return (order * world)[:total][rank::world] >>> "
        "return (world * order)[:total][rank::world]": COMMUTES,
        "total = -(-len(order) // world) * world >>> "
        "total = world * -(-len(order) // world)": COMMUTES,
    },
    "13.large_batch_lr": {
        "return lr + (target - lr) * share >>> return (target - lr) * share + lr": COMMUTES,
        "return lr + (target - lr) * share >>> return lr + share * (target - lr)": COMMUTES,
        "share = min(t / warmup_steps, 1) >>> share = min(1, t / warmup_steps)": (
            "the smaller of two numbers does not depend on their order"
        ),
    },
    "13.speedup": {
        "communication = messages * (size / n / bandwidth + latency) >>> "
        "communication = messages * (latency + size / n / bandwidth)": COMMUTES,
        "messages = 2 * (n - 1) >>> messages = (n - 1) * 2": COMMUTES,
    },
    "13.accumulate": {
        "(loss * len(y_part) / len(y)).backward() >>> "
        "(len(y_part) * loss / len(y)).backward()": COMMUTES,
        "(loss * len(y_part) / len(y)).backward() >>> "
        "(loss * len(y_part) / len(X)).backward()": "X and y have the same length",
        "optimizer.zero_grad() >>> model.zero_grad()": (
            "the optimizer holds all parameters of the model"
        ),
    },
    "13.save": {
        "os.fsync(file.fileno()) >>> os": (
            "the prompt speaks of a program that dies, not of a machine that loses power"
        ),
    },
}
