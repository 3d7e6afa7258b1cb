"""SOAP (Vyas et al., arXiv 2409.11321): Adam in the eigenbasis of the gradients' covariances.

A kernel is a matrix with taps x inputs rows and outputs columns. The covariances of the gradient
over rows and over columns are averaged over the steps. Gradient and momentum are rotated into the
eigenbases of these covariances. There Adam divides by the root of the second moment, and the
result is rotated back.
"""

from typing import Any

import keras
from keras import ops


class SOAP(keras.optimizers.Optimizer):
    """Adam in the slowly changing eigenbases of each kernel's gradients.

    Vectors, and sides of a kernel above ``largest_side``, are not rotated: there it is plain Adam.
    It uses only Keras's operations, so it runs on every backend and within a larger program.
    """

    def __init__(
        self,
        learning_rate: float = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.95,
        covariance_decay: float = 0.95,
        refresh: int = 20,
        largest_side: int = 400,
        epsilon: float = 1e-8,
        **options: Any,
    ) -> None:
        """Set up the optimizer.

        Args:
            learning_rate: as in Adam.
            beta_1, beta_2: decay per step of the momentum and of the second moment.
            covariance_decay: decay per step of the covariances.
            refresh: steps between updates of the bases; the first step updates them.
            largest_side: the greatest side of a kernel that is rotated.
            epsilon: as in Adam.
            options: options of every Keras optimizer.
        """
        super().__init__(learning_rate=learning_rate, **options)
        self.beta_1, self.beta_2, self.covariance_decay = beta_1, beta_2, covariance_decay
        self.refresh, self.largest_side, self.epsilon = refresh, largest_side, epsilon

    def build(self, variables: list[keras.Variable]) -> None:
        """Create the state: moments of each variable, covariance and basis of each rotated side."""
        if self.built:
            return
        super().build(variables)
        self._moments = [self._pair(variable, "moment", "square") for variable in variables]
        self._sides = [
            [self._side(variable, side) for side in _matrix(variable.shape)]
            for variable in variables
        ]

    def _pair(self, variable: keras.Variable, *names: str) -> list[keras.Variable]:
        shape = _matrix(variable.shape)
        return [self._add(shape, "zeros", f"{variable.name}_{name}") for name in names]

    def _side(self, variable: keras.Variable, side: int) -> list[keras.Variable]:
        """Covariance and basis (side, side); an empty list if this side is not rotated."""
        if len(variable.shape) < 2 or not 1 < side <= self.largest_side:
            return []
        covariance = self._add((side, side), "zeros", f"{variable.name}_covariance")
        return [covariance, self._add((side, side), "identity", f"{variable.name}_basis")]

    def _add(self, shape: tuple[int, ...], start: str, name: str) -> keras.Variable:
        return self.add_variable(shape=shape, initializer=start, dtype="float32", name=name)

    def update_step(
        self, gradient: keras.KerasTensor, variable: keras.Variable, learning_rate: Any
    ) -> None:
        """Update one variable in place, given its gradient of the same shape."""
        index = self._get_variable_index(variable)
        moment, square = self._moments[index]
        rows, columns = self._sides[index] if len(moment.shape) == 2 else ([], [])
        slope = ops.cast(ops.reshape(gradient, moment.shape), "float32")
        left = self._basis(rows, slope)
        right = self._basis(columns, ops.transpose(slope)) if columns else None
        step = ops.cast(self.iterations + 1, "float32")
        self.assign(moment, self.beta_1 * moment + (1 - self.beta_1) * slope)
        turned = _turned(slope, left, right)
        self.assign(square, self.beta_2 * square + (1 - self.beta_2) * ops.square(turned))
        # Both averages start at zero; the divisions correct this bias, as in Adam.
        mean = _turned(moment, left, right) / (1 - ops.power(self.beta_1, step))
        deviation = ops.sqrt(square / (1 - ops.power(self.beta_2, step)))
        way = _turned_back(mean / (deviation + self.epsilon), left, right)
        change = ops.cast(learning_rate, "float32") * ops.reshape(way, variable.shape)
        self.assign_sub(variable, ops.cast(change, variable.dtype))

    def _basis(self, side: list[keras.Variable], slope: keras.KerasTensor) -> Any:
        """Update a side's covariance with the slope (side, other); return its basis, or None."""
        if not side:
            return None
        covariance, basis = side
        seen = ops.matmul(slope, ops.transpose(slope))
        seen = self.covariance_decay * covariance + (1 - self.covariance_decay) * seen
        self.assign(covariance, seen)
        due = ops.equal(self.iterations % self.refresh, 0)
        fresh = ops.cond(due, lambda: _power_step(seen, basis), lambda: ops.copy(basis))
        self.assign(basis, fresh)
        return fresh

    def get_config(self) -> dict[str, Any]:
        """The settings, for Keras's serialisation."""
        own = ("beta_1", "beta_2", "covariance_decay", "refresh", "largest_side", "epsilon")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def _matrix(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A kernel's shape as a matrix (taps x inputs, outputs); vectors and scalars keep theirs."""
    if len(shape) < 2:
        return tuple(shape)
    rows = 1
    for side in shape[:-1]:
        rows *= side
    return rows, shape[-1]


def _power_step(covariance: keras.KerasTensor, basis: keras.KerasTensor) -> keras.KerasTensor:
    """One step of orthogonal iteration towards the eigenvectors, largest eigenvalue first."""
    # Scaling keeps the directions of the columns even if the covariance is near zero. A millionth
    # of the basis is added, so that directions without a gradient stay as they are.
    scale = ops.trace(covariance) / covariance.shape[0] + 1e-30
    moved = ops.matmul(covariance / scale, basis) + 1e-6 * basis
    return ops.qr(moved)[0]


def _turned(x: keras.KerasTensor, left: Any, right: Any) -> keras.KerasTensor:
    """Matrix ``x`` rotated into the bases of its sides; None: a side that is not rotated."""
    if left is not None:
        x = ops.matmul(ops.transpose(left), x)
    return x if right is None else ops.matmul(x, right)


def _turned_back(x: keras.KerasTensor, left: Any, right: Any) -> keras.KerasTensor:
    """Inverse of ``_turned``."""
    if left is not None:
        x = ops.matmul(left, x)
    return x if right is None else ops.matmul(x, ops.transpose(right))
