"""Loop twins of the vectorization patterns: the first rung of the ladder, and the tests' oracle.

Each function touches one number at a time and uses nothing but arithmetic and `math`, so that
Numba compiles it unchanged.
"""

from __future__ import annotations

import math

import numpy as np


def affine(x):
    """out[i] = 2 x[i] + 3."""
    out = np.empty(x.shape[0])
    for i in range(x.shape[0]):
        out[i] = x[i] * 2.0 + 3.0
    return out


def sigmoid(x):
    """out[i] = 1 / (1 + exp(-x[i]))."""
    out = np.empty(x.shape[0])
    for i in range(x.shape[0]):
        out[i] = 1.0 / (1.0 + math.exp(-x[i]))
    return out


def sum_of_squares(x):
    """The sum of x[i]**2."""
    total = 0.0
    for i in range(x.shape[0]):
        total += x[i] * x[i]
    return total


def dot(x, y):
    """The sum of x[i] y[i]."""
    total = 0.0
    for i in range(x.shape[0]):
        total += x[i] * y[i]
    return total


def matrix_product(A, B):
    """out[i, k] = sum_j A[i, j] B[j, k]."""
    out = np.zeros((A.shape[0], B.shape[1]))
    for i in range(A.shape[0]):
        for j in range(A.shape[1]):
            for k in range(B.shape[1]):
                out[i, k] += A[i, j] * B[j, k]
    return out


def masked_sum(x):
    """The sum of the positive x[i]."""
    total = 0.0
    for i in range(x.shape[0]):
        if x[i] > 0.0:
            total += x[i]
    return total


def where(x):
    """out[i] = x[i] where it is positive, 0.1 x[i] elsewhere."""
    out = np.empty(x.shape[0])
    for i in range(x.shape[0]):
        if x[i] > 0.0:
            out[i] = x[i]
        else:
            out[i] = 0.1 * x[i]
    return out


def fancy_indexing(table, index):
    """out[i] = table[index[i]]."""
    out = np.empty(index.shape[0])
    for i in range(index.shape[0]):
        out[i] = table[index[i]]
    return out


def one_hot(labels):
    """out[i, labels[i]] = 1, out of ten classes."""
    out = np.zeros((labels.shape[0], 10))
    for i in range(labels.shape[0]):
        out[i, labels[i]] = 1.0
    return out


def pairwise_differences(X):
    """out[i, j] = sum_k (X[i, k] - X[j, k])**2."""
    n, d = X.shape
    out = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            total = 0.0
            for k in range(d):
                difference = X[i, k] - X[j, k]
                total += difference * difference
            out[i, j] = total
    return out


def standardize(X):
    """out[i, j] = (X[i, j] - mean_j) / deviation_j."""
    n, d = X.shape
    out = np.empty((n, d))
    mean, variance = np.zeros(d), np.zeros(d)
    for i in range(n):
        for j in range(d):
            mean[j] += X[i, j]
    for j in range(d):
        mean[j] /= n
    for i in range(n):
        for j in range(d):
            variance[j] += (X[i, j] - mean[j]) ** 2
    for i in range(n):
        for j in range(d):
            out[i, j] = (X[i, j] - mean[j]) / math.sqrt(variance[j] / n)
    return out


def add_bias(Z, b):
    """out[i, k] = Z[i, k] + b[k]."""
    out = np.empty(Z.shape)
    for i in range(Z.shape[0]):
        for k in range(Z.shape[1]):
            out[i, k] = Z[i, k] + b[k]
    return out


def logistic_pass(X, y, w, b):
    """Logistic loss and its gradients, forward and backward, summed over the rows."""
    n, d = X.shape
    loss, grad_b = 0.0, 0.0
    grad_w = np.zeros(d)
    for i in range(n):
        z = b[0]
        for j in range(d):
            z += X[i, j] * w[j]
        loss += math.log1p(math.exp(-abs(z))) + max(z, 0.0) - y[i] * z
        a = 1.0 / (1.0 + math.exp(-z)) if z >= 0.0 else math.exp(z) / (1.0 + math.exp(z))
        dz = a - y[i]
        for j in range(d):
            grad_w[j] += dz * X[i, j]
        grad_b += dz
    return loss, grad_w, grad_b


def squared_error_pass(X, y, w, b):
    """Half the squared error and its gradients, summed over the rows."""
    n, d = X.shape
    loss, grad_b = 0.0, 0.0
    grad_w = np.zeros(d)
    for i in range(n):
        z = b[0]
        for j in range(d):
            z += X[i, j] * w[j]
        dz = z - y[i]
        loss += 0.5 * dz * dz
        for j in range(d):
            grad_w[j] += dz * X[i, j]
        grad_b += dz
    return loss, grad_w, grad_b


def softmax_pass(X, labels, W, b):
    """Multinomial loss and its gradients, summed over the rows."""
    n, d = X.shape
    n_classes = W.shape[1]
    loss = 0.0
    grad_W, grad_b = np.zeros((d, n_classes)), np.zeros(n_classes)
    z = np.empty(n_classes)
    for i in range(n):
        largest = -math.inf
        for k in range(n_classes):
            z[k] = b[k]
            for j in range(d):
                z[k] += X[i, j] * W[j, k]
            largest = max(largest, z[k])
        total = 0.0
        for k in range(n_classes):
            total += math.exp(z[k] - largest)
        loss += math.log(total) + largest - z[labels[i]]
        for k in range(n_classes):
            dz = math.exp(z[k] - largest) / total
            if k == labels[i]:
                dz -= 1.0
            for j in range(d):
                grad_W[j, k] += dz * X[i, j]
            grad_b[k] += dz
    return loss, grad_W, grad_b


def gradient_descent_step(X, y, w, b):
    """One step of batch gradient descent on the mean logistic loss, learning rate 0.1."""
    _, grad_w, grad_b = logistic_pass(X, y, w, b)
    new_w = np.empty(w.shape[0])
    for j in range(w.shape[0]):
        new_w[j] = w[j] - 0.1 * grad_w[j] / X.shape[0]
    return new_w, b[0] - 0.1 * grad_b / X.shape[0]
