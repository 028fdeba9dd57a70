"""Tensors of PyTorch: those on the CPU share their memory, and what cannot be shared is refused."""

from __future__ import annotations

import numpy as np
import pytest

from xpfit.backends import as_backend_array, backend_of, describe_array

torch = pytest.importorskip(
    "torch", reason="PyTorch is not installed: tensors cannot be shared", exc_type=ImportError
)


def refusal(tensor) -> str:
    with pytest.raises(TypeError) as raised:
        as_backend_array(tensor)
    return str(raised.value)


@pytest.mark.parametrize(
    "dtype", ["float64", "float32", "float16", "int8", "uint8", "int64", "bool"]
)
def test_a_cpu_tensor_shares_its_memory(dtype: str) -> None:
    tensor = torch.zeros((3, 4), dtype=getattr(torch, dtype))
    array = as_backend_array(tensor)
    assert type(array) is np.ndarray
    assert array.dtype == dtype
    tensor[1, 2] = 1
    assert array[1, 2] == 1
    assert array.ctypes.data == tensor.data_ptr()


def test_a_tensor_that_is_not_contiguous_is_shared_with_its_strides() -> None:
    tensor = torch.arange(12.0).reshape(3, 4)
    for view in (tensor.T, tensor[::2, 1:], tensor[:, 2]):
        array = as_backend_array(view)
        np.testing.assert_array_equal(array, view.numpy())
        assert array.ctypes.data == view.data_ptr()
    assert as_backend_array(tensor.T).flags.f_contiguous
    assert as_backend_array(torch.empty(0, 3)).shape == (0, 3)


def test_a_tensor_that_needs_a_gradient_is_refused() -> None:
    tensor = torch.ones(3, requires_grad=True)
    assert refusal(tensor) == (
        "a torch.Tensor with requires_grad=True was given; xpfit does not take part in PyTorch's "
        "graph. Pass tensor.detach()."
    )
    assert as_backend_array(tensor.detach()).sum() == 3.0


@pytest.mark.parametrize("lazy", ["conjugated", "negated"])
def test_a_lazy_tensor_is_refused(lazy: str) -> None:
    # NumPy reads the memory: the imaginary part of a lazy conjugate would have the wrong sign.
    conjugate = torch.tensor([1 + 2j, 3 + 4j]).conj()
    tensor = conjugate if lazy == "conjugated" else conjugate.imag
    assert tensor.is_conj() if lazy == "conjugated" else tensor.is_neg()
    text = refusal(tensor)
    assert text.endswith("Pass tensor.resolve_conj().resolve_neg().")
    resolved = as_backend_array(tensor.resolve_conj().resolve_neg())
    expected = [1 - 2j, 3 - 4j] if lazy == "conjugated" else [-2.0, -4.0]
    np.testing.assert_array_equal(resolved, expected)


def test_bfloat16_is_refused_with_what_to_do() -> None:
    text = refusal(torch.ones(3, dtype=torch.bfloat16))
    assert text.startswith("a torch.Tensor of torch.bfloat16 was given, which NumPy cannot share (")
    assert text.endswith("Pass tensor.float(), or tensor.half().")


def test_a_sparse_tensor_and_one_without_memory_are_refused() -> None:
    assert refusal(torch.eye(2).to_sparse()) == (
        "a torch.Tensor of layout torch.sparse_coo was given. Pass tensor.to_dense()."
    )
    assert refusal(torch.empty(2, device="meta")) == (
        "a torch.Tensor on device meta was given; only cpu and cuda tensors can be shared. "
        "Pass tensor.cpu()."
    )


def test_a_cpu_tensor_is_host_data() -> None:
    tensor = torch.zeros(2, 2)
    assert backend_of(tensor, np.zeros(2)) is None
    assert describe_array(tensor) == "torch.Tensor of torch.float32 (cpu)"
