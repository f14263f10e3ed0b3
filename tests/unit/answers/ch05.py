"""Chapter 05."""

RIGHT = {
    "05.count": [
        "my_num_params = lambda sizes: sum((a + 1) * b for a, b in zip(sizes, sizes[1:]))",
        """
def my_num_params(sizes):
    model = nn.Sequential(*(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:])))
    return sum(p.numel() for p in model.parameters())
""",
        """
def my_num_params(sizes):
    sizes = np.array(sizes)
    return sizes[:-1] @ sizes[1:] + sizes[1:].sum()
""",
        """
def my_num_params(sizes):
    n_in, total = sizes.pop(0), 0
    while sizes:
        n_out = sizes.pop(0)
        total, n_in = total + n_out * n_in + n_out, n_out
    return total
""",
        """
def my_num_params(sizes):
    if len(sizes) < 2:
        return 0
    return sizes[1] * (sizes[0] + 1) + my_num_params(sizes[1:])
""",
        """
def my_num_params(sizes):
    sizes = torch.tensor(sizes)
    return ((sizes[:-1] + 1) * sizes[1:]).sum()
""",
    ],
    "05.module": [
        """
from functools import reduce
class MyNet(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.L = nn.ModuleList([nn.Linear(i, o) for i, o in zip(sizes[:-1], sizes[1:])])
    def forward(self, X):
        return reduce(lambda h, l: l(h.relu_()), self.L[1:], self.L[0](X))
""",
        """
class MyNet(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.sizes, self.net = sizes, None
    def forward(self, X):
        if self.net is None:
            layers = []
            for a, b in zip(self.sizes, self.sizes[1:]):
                layers += [nn.Linear(a, b), nn.ReLU()]
            self.net = nn.Sequential(*layers[:-1])
        return self.net(X)
""",
        """
class MyNet(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        layers = []
        for i, o in zip(sizes, sizes[1:]):
            layers += [nn.Linear(i, o), nn.ReLU()]
        self.stack = nn.Sequential(*layers[:-1])

    def forward(self, X):
        return self.stack(X)
""",
        """
class MyNet(nn.Sequential):
    def __init__(self, sizes):
        layers = []
        for k in range(len(sizes) - 1):
            if k:
                layers.append(nn.ReLU(inplace=True))
            layers.append(nn.Linear(sizes[k], sizes[k + 1]))
        super().__init__(*layers)
""",
        """
class MyNet(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.count = len(sizes) - 1
        for k in range(self.count, 0, -1):
            setattr(self, f"fc{k}", nn.Linear(sizes[k - 1], sizes[k]))

    def forward(self, X):
        self.kept = [X]
        for k in range(1, self.count + 1):
            X = getattr(self, f"fc{k}")(X)
            if k < self.count:
                X = F.relu(X)
            self.kept.append(X)
        return X
""",
        """
class MyNet(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        pairs = list(zip(sizes, sizes[1:]))
        self.weights = nn.ParameterList(nn.Parameter(torch.randn(o, i)) for i, o in pairs)
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(o)) for _, o in pairs)

    def forward(self, X):
        for k, (W, b) in enumerate(zip(self.weights, self.biases)):
            X = F.linear(X if k == 0 else X.clamp(min=0), W, b)
        return X
""",
        """
class MyNet(nn.Module):
    def __init__(self, sizes):
        super(MyNet, self).__init__()
        self.first = nn.LazyLinear(sizes[1])
        self.rest = MyNet(sizes[1:]) if len(sizes) > 2 else None

    def forward(self, X):
        X = self.first(X)
        return X if self.rest is None else self.rest(torch.maximum(X, torch.zeros_like(X)))
""",
        """
def MyNet(sizes):
    last = nn.Linear(sizes[-2], sizes[-1])
    hidden = [nn.Sequential(nn.Linear(a, b), nn.ReLU()) for a, b in zip(sizes, sizes[1:-1])]
    return nn.Sequential(*hidden, last)
""",
    ],
    "05.until": [
        """
def my_train_until(model, X, y, optimizer, goal, max_epochs):
    losses = []
    while len(losses) < max_epochs:
        optimizer.zero_grad()
        loss = ((model(X) - y) ** 2).mean()
        losses += [float(loss.detach())]
        if losses[-1] <= goal:
            return losses
        loss.backward()
        optimizer.step()
    return losses
""",
        """
def my_train_until(model, X, y, optimizer, goal, max_epochs):
    losses = np.zeros(max_epochs)
    for epoch in range(max_epochs):
        loss = F.mse_loss(model(X), y)
        losses[epoch] = loss.item()
        if loss > goal:
            optimizer.zero_grad(set_to_none=False)
            loss.backward()
            optimizer.step()
        else:
            return losses[: epoch + 1]
    return losses
""",
        """
def my_train_until(model, X, y, optimizer, goal, max_epochs):
    losses = []
    for _ in range(max_epochs):
        def closure():
            optimizer.zero_grad()
            loss = F.mse_loss(model(X), y)
            loss.backward()
            return loss

        with torch.no_grad():
            losses.append(F.mse_loss(model(X), y).item())
        if not losses[-1] > goal:
            break
        optimizer.step(closure)
    return losses
""",
        """
def my_train_until(model, X, y, optimizer, goal, max_epochs):
    model.train()
    loader = DataLoader(TensorDataset(X, y), batch_size=len(X))
    out = []
    for _ in range(max_epochs):
        for xb, yb in loader:
            loss = nn.MSELoss(reduction="mean")(model(xb), yb)
            out.append(loss.tolist())
            if out[-1] <= goal:
                return tuple(out)
            loss.backward()
            optimizer.step()
            model.zero_grad()
    return tuple(out)
""",
        """
def my_train_until(model, X, y, optimizer, goal, max_epochs):
    params = [p for p in model.parameters()]

    def epochs():
        for _ in range(max_epochs):
            loss = torch.square(model(X) - y).sum() / y.numel()
            yield loss.item()
            if loss.item() <= goal:
                return
            for p, grad in zip(params, torch.autograd.grad(loss, params)):
                p.grad = grad
            optimizer.step()

    return list(epochs())
""",
        """
def my_train_until(model, X, y, optimizer, goal, max_epochs):
    if max_epochs == 0:
        return []
    loss = nn.MSELoss()(y, model(X))
    if loss.item() <= goal:
        return [loss.item()]
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return [loss.item(), *my_train_until(model, X, y, optimizer, goal, max_epochs - 1)]
""",
    ],
    "05.shapes": [
        """
def my_mse(y_hat, y):
    return torch.diagonal((y_hat - y.reshape(1, -1)) ** 2).mean()
""",
        "my_mse = lambda y_hat, y: ((y_hat - np.reshape(y, y_hat.shape)) ** 2).mean()",
        "my_mse = lambda y_hat, y: nn.functional.mse_loss(y_hat, y.view_as(y_hat))",
        "my_mse = lambda y_hat, y: ((y_hat.flatten() - y.flatten()) ** 2).mean().item()",
        """
def my_mse(y_hat, y):
    if y.ndim == 1:
        y = y[:, None]
    return ((y_hat - y) ** 2).mean()
""",
        """
def my_mse(y_hat, y):
    return sum((float(a) - float(b)) ** 2 for a, b in zip(y_hat, y)) / len(y)
""",
        """
def my_mse(y_hat, y):
    y_hat, y = torch.as_tensor(y_hat, dtype=torch.float32), torch.as_tensor(y)
    return nn.MSELoss()(y_hat.squeeze(-1).requires_grad_(), y.reshape(-1).float())
""",
    ],
    "05.init": [
        """
def my_init(model):
    for name, p in model.named_parameters():
        parent, _, kind = name.rpartition(".")
        m = model.get_submodule(parent)
        if isinstance(m, nn.Linear):
            if kind == "weight":
                nn.init.kaiming_normal_(p)
            else:
                nn.init.zeros_(p)
""",
        """
def my_init(model):
    def one(module):
        if type(module) is nn.Linear:
            nn.init.kaiming_normal_(module.weight)
            nn.init.constant_(module.bias, 0.0)

    model.apply(one)
""",
        """
def my_init(model):
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            std = math.sqrt(2 / module.in_features)
            with torch.no_grad():
                module.weight.normal_(0, std)
                module.bias.zero_()
    return model
""",
        """
def my_init(model):
    for child in model.children():
        if isinstance(child, nn.Linear):
            n_out, n_in = child.weight.shape
            child.weight.data = torch.randn(n_out, n_in) * (2 / n_in) ** 0.5
            child.bias.data = torch.zeros(n_out)
        else:
            my_init(child)
""",
        """
def my_init(model):
    for module in filter(lambda m: isinstance(m, nn.Linear), model.modules()):
        draws = np.random.default_rng().normal(0, np.sqrt(2 / module.in_features),
                                               tuple(module.weight.shape))
        module.weight = nn.Parameter(torch.tensor(draws, dtype=module.weight.dtype))
        module.bias = nn.Parameter(torch.zeros_like(module.bias))
""",
        """
def my_init(model):
    linear = [m for m in model.modules() if isinstance(m, nn.Linear)]
    for m in linear:
        nn.init.kaiming_normal_(m.weight, mode="fan_in", nonlinearity="relu")
        m.bias.data.fill_(0)
""",
    ],
    "05.save": [
        """
def my_copy(model, make_model, path):
    torch.save(model.state_dict(), path)
    fresh = make_model()
    fresh.load_state_dict(torch.load(path, map_location=torch.device("cpu"), weights_only=True))
    model.eval()
    fresh.eval()
    return fresh
""",
        """
import io
def my_copy(model, make_model, path):
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    open(path, "wb").write(buffer.getvalue())
    data = io.BytesIO(open(path, "rb").read())
    new = make_model()
    new.load_state_dict(torch.load(data, weights_only=True))
    return new.eval()
""",
        """
def my_copy(model, make_model, path):
    with open(path, "wb") as file:
        torch.save(model.state_dict(), file)
    new = make_model().eval()
    with open(path, "rb") as file:
        new.load_state_dict(torch.load(file, weights_only=True))
    return new
""",
        """
from torch import load, save

def my_copy(model, make_model, path):
    new = make_model()
    save({name: value.clone() for name, value in model.state_dict().items()}, path)
    state = load(path, weights_only=True, map_location="cpu")
    new.load_state_dict(state, assign=True)
    new.train(False)
    return new
""",
        """
def my_copy(model, make_model, path):
    torch.save(model.state_dict(), path)
    state = torch.load(path, weights_only=True)
    new = make_model()
    with torch.no_grad():
        for name, value in new.state_dict().items():
            value.copy_(state[name])
    new.eval()
    return new
""",
        """
def my_copy(model, make_model, path):
    torch.save(obj=model.state_dict(), f=path)
    fresh = make_model()
    missing, unexpected = fresh.load_state_dict(torch.load(f=path))
    assert not missing and not unexpected
    return fresh.eval()
""",
    ],
}
EQUIVALENT = {
    "05.count": {
        "for n_in, n_out in zip(sizes[:-1], sizes[1:]): >>> for n_in, n_out in zip(sizes, "
        "sizes[1:]):": "zip stops with the shorter one",
        "for n_in, n_out in zip(sizes[:-1], sizes[1:]): >>> for n_in, n_out in zip(sizes[:], "
        "sizes[1:]):": "zip stops with the shorter one",
        "total += n_out * n_in + n_out >>> total += n_in * n_out + n_out": "the order of factors "
        "does not matter",
        "total += n_out * n_in + n_out >>> total += n_out + n_out * n_in": "the order of terms "
        "does not matter",
        "total = 0 >>> total = -0": "minus zero is zero",
    },
    "05.module": {
        "pairs = zip(sizes[:-1], sizes[1:]) >>> pairs = zip(sizes, sizes[1:])": "zip stops with "
        "the shorter one",
    },
    "05.until": {
        "if losses[-1] <= goal: >>> if losses[-1] < goal:": "no case hits the goal exactly: a loss "
        "written in another way may differ in its last bit",
        "loss = loss_fn(y_hat, y) >>> loss = loss_fn(y, y_hat)": "the square has no sign",
    },
    "05.shapes": {
        "difference = y_hat - y.reshape(y_hat.shape) >>> difference = -(y_hat - "
        "y.reshape(y_hat.shape))": "the square has no sign",
        "difference = y_hat - y.reshape(y_hat.shape) >>> difference = y.reshape(y_hat.shape) - "
        "y_hat": "the square has no sign",
    },
    "05.save": {
        "copy.load_state_dict(torch.load(path, weights_only=True)) >>> "
        "copy.load_state_dict(torch.load(path))": "True is PyTorch's own default",
    },
}
