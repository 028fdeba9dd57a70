"""The ``xpfit`` command.

Functions here are long because each option of a command is a parameter with its help text; what
a command does is elsewhere. Modules that load slowly are imported inside the commands, so that
``xpfit --help`` answers at once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from .. import __version__
from .models import ActivationName, ClassWeight, ModelName, OptimizerName
from .wording import PlainCommand

app = typer.Typer(
    name="xpfit",
    help="Fit linear models and small networks on NumPy, Numba, CuPy or JAX.",
    epilog="Examples:  xpfit train adult.csv.gz --target income   |   "
    "xpfit predict xpfit-out new.csv --out predicted.csv   |   xpfit backends",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

_TRAIN_EXAMPLES = """Examples:

xpfit train adult.csv.gz --target income --split-column split

xpfit train bike.csv --target cnt --drop instant --drop casual --model poisson

xpfit train digits.npz --out digits-model --C 0.1 --backend numba

xpfit train bike.csv --target cnt --model lasso --alpha 2

xpfit train adult.csv.gz --target income --model sgd --optimizer adam --batch-size 64

xpfit train digits.npz --model mlp --hidden-layer-sizes 64,32 --max-iter 50
"""

_PREDICT_EXAMPLES = """Examples:

xpfit predict xpfit-out new.csv --out predicted.csv

xpfit predict xpfit-out new.parquet --proba --out predicted.parquet

xpfit predict xpfit-out/model.safetensors new.csv | head
"""

_BENCH_EXAMPLES = """Examples:

xpfit bench --budget 120

xpfit bench --backends numpy,numba --cases affine,logistic_pass --out my-machine

xpfit bench --cases kernels --sizes 1000,1000000
"""


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"xpfit {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Options of the command itself."""


@app.command(cls=PlainCommand, epilog=_TRAIN_EXAMPLES)
def train(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="CSV, CSV.gz, Parquet, npz (X, y) or LIBSVM (.svm, .svm.gz); "
            "the extension says which.",
        ),
    ],
    target: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="Column to predict; npz and LIBSVM files name their own."
        ),
    ] = None,
    model: Annotated[
        ModelName, typer.Option(help="'auto' takes logistic for classes and ridge for numbers.")
    ] = ModelName.AUTO,
    backend: Annotated[
        str, typer.Option(metavar="NAME", help="As listed by 'xpfit backends', or 'auto'.")
    ] = "auto",
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the model and the report go.")
    ] = Path("xpfit-out"),
    split_column: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column that says train or test.")
    ] = None,
    test_size: Annotated[
        float, typer.Option(min=0.0, max=0.95, help="Share of rows held out; 0 holds out none.")
    ] = 0.25,
    seed: Annotated[int, typer.Option(min=0, help="Of the random split, and of sgd and mlp.")] = 0,
    c: Annotated[
        float | None, typer.Option("--C", min=1e-12, help="Inverse penalty of logistic.")
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(min=0.0, help="Penalty of all but logistic and linear.")
    ] = None,
    l1_ratio: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Share of the L1 penalty: elastic-net, sgd, mlp."),
    ] = None,
    optimizer: Annotated[OptimizerName | None, typer.Option(help="Of sgd and mlp.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Rows in a step of sgd and mlp.")
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(min=1e-12, help="First one of sgd and mlp; falls where cost does not."),
    ] = None,
    hidden_layer_sizes: Annotated[
        str | None,
        typer.Option(metavar="NUMBERS", help="Units of mlp's hidden layers, as in 64,32; 100."),
    ] = None,
    activation: Annotated[
        ActivationName | None, typer.Option(help="Of mlp's hidden layers; relu.")
    ] = None,
    max_iter: Annotated[
        int | None, typer.Option(min=1, help="At most so many iterations; epochs of sgd and mlp.")
    ] = None,
    tol: Annotated[
        float | None,
        typer.Option(min=0.0, help="Stop at this gradient norm; of sgd and mlp, gain of an epoch."),
    ] = None,
    class_weight: Annotated[
        ClassWeight | None, typer.Option(help="'balanced' gives each class the same weight.")
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Leave a column out; repeatable.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace earlier results in FOLDER.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    report: Annotated[bool, typer.Option(help="Write report.html.")] = True,
) -> None:
    """Fit a model to a file, score it on held-out rows, and write the model and a report."""
    from .console import plain_errors
    from .models import ModelOptions
    from .output import check_folder
    from .preparing import DataOptions
    from .training import run_train

    check_folder(out, overwrite)
    weight = class_weight.value if class_weight else None
    model_options = ModelOptions(
        model.value, backend, c, alpha, max_iter, tol, weight, l1_ratio,
        optimizer.value if optimizer else None, batch_size, learning_rate, seed,
        _units(hidden_layer_sizes), activation.value if activation else None,
    )  # fmt: skip
    data_options = DataOptions(data, target, tuple(drop or ()), split_column, test_size, seed)
    with plain_errors():
        run_train(data_options, model_options, out, quiet=quiet, report=report)


@app.command(cls=PlainCommand, epilog=_PREDICT_EXAMPLES)
def predict(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="What 'xpfit train' wrote: folder or file.")
    ],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Rows with the same columns.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=".csv or .parquet; without it, CSV on standard output."),
    ] = None,
    proba: Annotated[bool, typer.Option("--proba", help="Add the classes' probabilities.")] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace FILE.")] = False,
) -> None:
    """Predict the rows of a file; prints scores too where the file has the target column."""
    from .console import plain_errors
    from .predicting import check_file, run_predict

    check_file(out, overwrite)
    with plain_errors():
        run_predict(model, data, out, proba=proba)


@app.command(cls=PlainCommand, epilog=_BENCH_EXAMPLES)
def bench(
    backends: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Separated by commas; all that can be used here."),
    ] = None,
    cases: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Cases or groups, separated by commas; all."),
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option(metavar="NUMBERS", help="Values of n, separated by commas; each case's."),
    ] = None,
    budget: Annotated[
        float, typer.Option(min=1.0, metavar="SECONDS", help="Small sizes of all cases go first.")
    ] = 300.0,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where tables, charts and the page go.")
    ] = Path("xpfit-bench"),
    overwrite: Annotated[
        bool, typer.Option(help="Forget earlier results in FOLDER instead of adding to them.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Time loops, NumPy, Numba, fused kernels, JAX and GPU on this machine, side by side.

    NumPy is always there: the others must agree with it. A run of all cases also measures from
    which size on --backend auto takes Numba here.
    """
    from .benching import BenchOptions, as_sizes, check_place, run_bench
    from .console import plain_errors

    check_place(out)
    options = BenchOptions(
        _listed("--backends", backends), _listed("--cases", cases),
        as_sizes(_listed("--sizes", sizes)), budget, out, overwrite, quiet,
    )  # fmt: skip
    with plain_errors(f"interrupted; what was measured before that is in {out}"):
        run_bench(options)


def _listed(option: str, text: str | None) -> tuple[str, ...]:
    parts = [] if text is None else [part.strip() for part in text.split(",")]
    if not all(parts):
        # An empty variable of a script must not mean everything.
        message = f"{text!r} has an empty name in it; leave {option} out for all"
        raise typer.BadParameter(message, param_hint=option)
    return tuple(parts)


def _units(text: str | None) -> tuple[int, ...] | None:
    option = "--hidden-layer-sizes"
    parts = _listed(option, text)
    for part in parts:
        if not (part.isascii() and part.isdigit() and int(part) >= 1):
            message = f"{part!r} is no whole number of at least 1."
            raise typer.BadParameter(message, param_hint=option)
    return tuple(map(int, parts)) or None


@app.command(cls=PlainCommand)
def backends() -> None:
    """List the array libraries: version and devices, or why one cannot be used."""
    from .console import plain_errors
    from .listing import run_backends

    with plain_errors():
        run_backends()


def main() -> None:
    """Run the command; the entry point of ``xpfit``."""
    # Matrices of the command line are float64, which JAX only computes with when told before its
    # import. The process is ours, so it may be told; whoever set the variable keeps their choice.
    os.environ.setdefault("JAX_ENABLE_X64", "1")
    app(prog_name="xpfit")


if __name__ == "__main__":
    main()
