from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from study.model.cpu import multiply_through_onednn

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this PyTorch has no oneDNN")


@pytest.mark.parametrize("shape", [(7, 5, 48), (1, 1, 48), (3, 48)])
@pytest.mark.parametrize("bias", [False, True])
def test_output_and_gradients_are_those_of_a_linear_layer_in_double_precision(
    shape: tuple[int, ...], bias: bool
) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(48, 20, bias=bias)
    exact = nn.Linear(48, 20, bias=bias).double()
    exact.load_state_dict(layer.state_dict())
    x = torch.randn(shape, requires_grad=True)
    twin = x.detach().double().requires_grad_()
    multiply_through_onednn(layer)
    weight = torch.randn((*shape[:-1], 20))
    (layer(x) * weight).sum().backward()
    (exact(twin) * weight.double()).sum().backward()
    torch.testing.assert_close(layer(x), exact(twin).float())
    assert x.grad is not None
    assert twin.grad is not None
    torch.testing.assert_close(x.grad, twin.grad.float())
    for ours, theirs in zip(layer.parameters(), exact.parameters(), strict=True):
        assert theirs.grad is not None
        torch.testing.assert_close(ours.grad, theirs.grad.float())


def test_every_linear_layer_is_reached_and_frozen_weights_get_no_gradient() -> None:
    frozen, trained = nn.Linear(8, 8).requires_grad_(requires_grad=False), nn.Linear(8, 4)
    model = nn.Sequential(frozen, nn.Sequential(nn.GELU(), trained))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    multiply_through_onednn(model)
    assert all(type(layer) is not nn.Linear for layer in model.modules())
    model(torch.randn(3, 8)).sum().backward()
    assert frozen.weight.grad is None
    assert trained.weight.grad is not None
    after = model.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize("bias", [False, True])
def test_a_batch_without_rows_gives_no_outputs_and_gradients_of_zero(bias: bool) -> None:
    """As an expert to which no token was sent."""
    layer = nn.Linear(4, 3, bias=bias)
    multiply_through_onednn(layer)
    x = torch.zeros(0, 4, requires_grad=True)
    output = layer(x)
    assert output.shape == (0, 3)
    output.sum().backward()
    assert x.grad is not None
    assert x.grad.shape == (0, 4)
    for parameter in layer.parameters():
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, torch.zeros_like(parameter))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("bf16", [False, True])
def test_without_gradients_the_output_is_the_same_after_eval_and_follows_every_step(bf16: bool, bias: bool) -> None:
    if bf16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("oneDNN has no bfloat16 on this processor")
    torch.manual_seed(0)
    plain = nn.Linear(48, 20, bias=bias)
    layer = nn.Linear(48, 20, bias=bias)
    layer.load_state_dict(plain.state_dict())
    multiply_through_onednn(layer)
    x = torch.randn(7, 5, 48)
    for _ in range(3):
        layer.eval()
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            for _ in range(2):
                output = layer(x)
                assert output.dtype == (torch.bfloat16 if bf16 else torch.float32)
                torch.testing.assert_close(output, plain(x))
            assert layer(x[:0]).shape == (0, 5, 20)
        for trained in (layer, plain):
            trained.train()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
                trained(x).float().square().sum().backward()
            optimizer = torch.optim.SGD(trained.parameters(), lr=0.01)
            optimizer.step()
            optimizer.zero_grad()
    assert layer.state_dict().keys() == plain.state_dict().keys()


def test_a_layer_that_has_encoded_can_be_copied_and_given_other_weights() -> None:
    torch.manual_seed(0)
    layer, other, x = nn.Linear(48, 20), nn.Linear(48, 20), torch.randn(7, 48)
    multiply_through_onednn(layer)
    layer.eval()
    with torch.no_grad():
        expected = layer(x)
        torch.testing.assert_close(copy.deepcopy(layer)(x), expected)
        layer.load_state_dict(other.state_dict())  # without a change of mode
        torch.testing.assert_close(layer(x), other(x))
