"""The NumPy layers: their numbers against autograd, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from course_utils.gradients import numerical_gradient, relative_error
from course_utils.layers import Add, Affine, Multiply, ReLU, Sigmoid, SoftmaxWithLoss, Tanh

MOST = 1e-7
SIZES = st.integers(1, 5)
SEEDS = st.integers(0, 2**32 - 1)
TORCH = {Add: torch.add, Multiply: torch.mul, ReLU: torch.relu, Sigmoid: torch.sigmoid,
         Tanh: torch.tanh}  # fmt: skip
SHAPES = st.lists(SIZES, min_size=0, max_size=3).map(tuple)


@st.composite
def broadcasting(draw):
    """Two shapes that broadcast: some axes of 1, some leading axes missing."""
    full = draw(SHAPES)
    made = []
    for _ in range(2):
        cut = draw(st.integers(0, len(full)))
        made.append(tuple(draw(st.sampled_from([1, n])) for n in full[cut:]))
    return tuple(made)


def numbers(rng, *shape):
    return np.asarray(rng.normal(0, 2, shape))


def assert_as_autograd(layer, function, *arrays, G):
    """Output and all input gradients of ``layer`` equal those of ``function`` in float64."""
    tensors = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in arrays]
    wanted = function(*tensors)
    out = layer.forward(*arrays)
    assert np.shape(out) == tuple(wanted.shape)
    assert relative_error(out, wanted) <= MOST
    wanted.backward(torch.tensor(G, dtype=torch.float64))
    grads = layer.backward(G)
    for got, tensor in zip(grads if isinstance(grads, tuple) else (grads,), tensors, strict=True):
        assert got.shape == tuple(tensor.shape) and got.dtype == np.float64
        assert relative_error(got, tensor.grad) <= MOST


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([ReLU, Sigmoid, Tanh]), SHAPES, SEEDS)
def test_activations_equal_autograd(layer, shape, seed):
    rng = np.random.default_rng(seed)
    x, G = numbers(rng, *shape), numbers(rng, *shape)
    assert_as_autograd(layer(), TORCH[layer], x, G=G)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([Add, Multiply]), broadcasting(), SEEDS)
def test_gates_equal_autograd(layer, shapes, seed):
    rng = np.random.default_rng(seed)
    x, y = (numbers(rng, *shape) for shape in shapes)
    G = numbers(rng, *np.broadcast_shapes(*shapes))
    assert_as_autograd(layer(), TORCH[layer], x, y, G=G)


@settings(max_examples=40, deadline=None)
@given(SIZES, SIZES, SIZES, SEEDS)
def test_affine_equals_autograd(N, D, M, seed):
    rng = np.random.default_rng(seed)
    X, W, b = numbers(rng, N, D), numbers(rng, D, M), numbers(rng, M)
    G = numbers(rng, N, M)
    layer = Affine(W, b)
    tensors = [torch.tensor(a, requires_grad=True) for a in (W, b)]
    assert_as_autograd(layer, lambda x: x @ tensors[0] + tensors[1], X, G=G)
    assert layer.dW.shape == (D, M) and layer.db.shape == (M,)
    assert relative_error(layer.dW, tensors[0].grad) <= MOST
    assert relative_error(layer.db, tensors[1].grad) <= MOST


@settings(max_examples=60, deadline=None)
@given(SIZES, SIZES, SEEDS, st.sampled_from(["index", "one-hot", "probabilities"]))
def test_softmax_with_loss_equals_autograd(N, C, seed, kind):
    rng = np.random.default_rng(seed)
    logits, labels = numbers(rng, N, C), rng.integers(0, C, N)
    if kind == "one-hot":
        labels = np.eye(C, dtype=int)[labels]
    elif kind == "probabilities":
        labels = rng.dirichlet(np.ones(C), N)
    tensor = torch.tensor(logits, requires_grad=True)
    given_labels = torch.tensor(labels if kind == "index" else labels.astype(float))
    wanted = F.cross_entropy(tensor, given_labels)
    layer = SoftmaxWithLoss()
    assert layer.forward(logits, labels) == pytest.approx(wanted.item(), rel=MOST, abs=1e-12)
    wanted.backward(torch.tensor(2.5, dtype=torch.float64))
    dlogits = layer.backward(2.5)
    assert dlogits.shape == (N, C)
    # One class: probability 1, gradient 0 for everybody.
    assert C == 1 or relative_error(dlogits, tensor.grad) <= MOST
    np.testing.assert_allclose(layer.probabilities.sum(axis=1), 1)


def test_index_and_one_hot_labels_are_the_same():
    logits = np.random.default_rng(0).normal(size=(4, 3))
    index = np.array([2, 0, 0, 1])
    for labels in (np.eye(3)[index], np.eye(3, dtype=bool)[index], np.eye(3)[index].tolist()):
        layer = SoftmaxWithLoss()
        assert layer.forward(logits, labels) == SoftmaxWithLoss().forward(logits, index)
        assert layer.backward().shape == (4, 3)


def test_a_whole_network_equals_its_measured_gradient():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(5, 4)), np.array([0, 2, 1, 1, 0])
    W1, b1, W2, b2 = (rng.normal(size=s) for s in ((4, 6), (6,), (6, 3), (3,)))

    def layers(W1=W1, b1=b1, W2=W2, b2=b2):
        return [Affine(W1, b1), Tanh(), Affine(W2, b2)], SoftmaxWithLoss()

    def loss(**changed):
        body, last = layers(**changed)
        out = X
        for layer in body:
            out = layer.forward(out)
        return body, last, last.forward(out, y)

    body, last, _ = loss()
    G = last.backward()
    for layer in reversed(body):
        G = layer.backward(G)
    for name, value, got in (("W1", W1, body[0].dW), ("b1", b1, body[0].db),
                             ("W2", W2, body[2].dW), ("b2", b2, body[2].db)):  # fmt: skip
        measured = numerical_gradient(lambda v, name=name: loss(**{name: v})[2], value)
        assert relative_error(got, measured) < 1e-6


def test_relu_at_zero_has_slope_zero_like_pytorch():
    layer = ReLU()
    layer.forward([0.0, -0.0, 1e-300, -1e-300])
    np.testing.assert_array_equal(layer.backward([1.0] * 4), [0, 0, 1, 0])


def test_large_numbers_do_not_overflow():
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        np.testing.assert_array_equal(Sigmoid().forward([-1000.0, 1000.0]), [0, 1])
        layer = SoftmaxWithLoss()
        assert layer.forward([[1010.0, 1000.0, 990.0]], [0]) == pytest.approx(4.54e-5, rel=1e-3)
        assert layer.forward([[5000.0, 0.0]], [1]) == 5000
        np.testing.assert_array_equal(layer.backward(), [[1, -1]])


def test_an_update_in_place_reaches_the_layer_and_nothing_else_is_changed():
    W, b = np.ones((2, 3)), np.zeros(3)
    layer = Affine(W, b)
    W *= 2
    X = np.ones((1, 2))
    np.testing.assert_array_equal(layer.forward(X), [[4, 4, 4]])
    G = np.ones((1, 3))
    layer.backward(G)
    assert (X == 1).all() and (G == 1).all() and (W == 2).all() and (b == 0).all()


def test_a_second_forward_replaces_the_memory_and_backward_may_be_repeated():
    layer = Multiply()
    layer.forward(2.0, 3.0)
    layer.forward(5.0, 7.0)
    assert layer.backward(1.0) == layer.backward(1.0) == (7.0, 5.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_dtypes(dtype):
    wanted = np.float32 if dtype == np.float32 else np.float64
    x = np.array([[1, 2], [3, 4]], dtype=dtype)
    for layer in (ReLU(), Sigmoid(), Tanh(), Affine(x, x[0])):
        assert layer.forward(x).dtype == wanted
        assert layer.backward(x).dtype == wanted
    layer = SoftmaxWithLoss()
    assert isinstance(layer.forward(x, [0, 1]), float)
    assert layer.backward().dtype == wanted


# ---------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("layer", "arguments"),
    [
        (Add(), (np.ones((0, 2)), np.ones(2))),
        (Multiply(), (np.ones(2), np.ones((0, 2)))),
        (ReLU(), (np.ones((0, 3)),)),
        (Sigmoid(), ([],)),
        (Tanh(), (np.ones(0),)),
        (Affine(np.ones((2, 3)), np.ones(3)), (np.ones((0, 2)),)),
        (SoftmaxWithLoss(), (np.ones((0, 3)), np.ones(0, int))),
    ],
)
def test_an_empty_batch_is_refused(layer, arguments):
    with pytest.raises(ValueError, match=r"is empty, shape .*: give at least one sample"):
        layer.forward(*arguments)


@pytest.mark.parametrize("layer", [Add, Multiply, ReLU, Sigmoid, Tanh, SoftmaxWithLoss])
def test_backward_before_forward_is_refused(layer):
    with pytest.raises(RuntimeError, match=rf"{layer.__name__}.backward was called before forward"):
        layer().backward(1.0)


def test_affine_refuses_wrong_shapes():
    for W, b in ((np.ones(3), np.ones(3)), (np.ones((2, 3)), np.ones(2))):
        with pytest.raises(ValueError, match=r"must be \(D, M\) and \(M,\)"):
            Affine(W, b)
    layer = Affine(np.ones((2, 3)), np.ones(3))
    with pytest.raises(RuntimeError, match="before forward"):
        layer.backward(np.ones((1, 3)))
    for X in (np.ones(2), np.ones((4, 3)), np.ones((1, 2, 2))):
        with pytest.raises(ValueError, match=r"it must be \(N, 2\)"):
            layer.forward(X)
    layer.forward(np.ones((4, 2)))
    with pytest.raises(ValueError, match=r"G has shape \(4, 2\).*\(4, 3\)"):
        layer.backward(np.ones((4, 2)))


def test_gates_refuse_shapes_that_do_not_broadcast():
    for layer in (Add(), Multiply()):
        with pytest.raises(ValueError, match=r"\(2,\) and y \(3,\): they do not broadcast"):
            layer.forward(np.ones(2), np.ones(3))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 3], "label 3 is out of range; allowed are 0 to 2"),
        ([-1, 0], "label -1 is out of range"),
        ([[0], [1]], r"labels has shape \(2, 1\).*2 whole numbers, shape \(2,\)"),
        ([0], r"labels has shape \(1,\)"),
        ([0.0, 1.0], "dtype float64"),
        ([True, False], "dtype bool"),
        (["a", "b"], "made of real numbers"),
        ([[1, 0, 0], [1, 1, 0]], "row 1 of the labels .*must sum to 1"),
        ([[1, 0, 0], [2, -1, 0]], "no entry below 0"),
        ([[1, 0, 0], [float("nan"), 0, 1]], "row 1"),
        ([[1, 0], [1]], "rows differ in length"),
    ],
)
def test_labels_that_make_no_sense_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        SoftmaxWithLoss().forward(np.zeros((2, 3)), labels)


def test_other_nonsense_is_refused():
    with pytest.raises(ValueError, match=r"logits has shape \(3,\); it must be \(N, C\)"):
        SoftmaxWithLoss().forward([1.0, 2.0, 3.0], [0])
    for junk in (["a"], [None], [1j]):
        with pytest.raises(ValueError, match="made of real numbers"):
            ReLU().forward(junk)
    with pytest.raises(ValueError, match="rows differ in length"):
        ReLU().forward([[1, 2], [3]])
