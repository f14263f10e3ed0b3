"""Whatever is passed to the functions of the subject matter: a value, or an error that helps."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import course_utils
from tests.unit.hostile_table import TABLE, TAKES_ALL
from tests.unit.hostile_values import NONSENSE, outcome

EXAMPLES = 40  # for each function; none is made smaller, a slow one would take minutes

DRAWN = "draws what a chapter gives it; what it refuses stands in test_diagrams.py"
MADE_HERE = "made by the package, not by its users"
# Modules whose functions are not called with learners' values, and where they are tested instead.
ELSEWHERE = {
    "commands": "the command line: test_bootstrap, test_doctor, test_notebook_pipeline",
    "distributed.train": "the script itself: test_distributed",
    "distributed.torchrun": "takes torchrun's command line: test_distributed_launch",
    "exercises": "answers of every kind: test_exercises, test_hostile_answers",
    "live": "the engine of the playgrounds: test_live*, test_drawing, random moves",
    "memory": "takes nothing: test_memory",
    "mnist_files": "called by data.digits, with a path: test_mnist_files",
    "playgrounds": "every control and random moves: test_every_playground, test_random_moves",
    "quizzes": "names, letters and messages of every kind: test_quizzes",
    "reals": "the checks themselves, in every row of the table",
    "schedule_training": "rates of the designer or an exercise: test_playground_schedules",
    "training_checks": "the checks themselves, in the rows of `training`",
}
# Public names without a row in the table, each with the reason.
WITHOUT_A_ROW = {
    "checks.CheckResult": MADE_HERE,
    "checks.Note": MADE_HERE,
    "convolution.Field": MADE_HERE,
    "data.Digits": MADE_HERE,
    "distributed.checkpoint.check_settings": "compares two dicts that the script has made",
    "distributed.checkpoint.load": "damaged files of every kind: test_distributed",
    "distributed.launch.Launch": MADE_HERE,
    "distributed.launch.marked": "takes an id that the launch has made",
    "distributed.launch.run_here": "the checks of run_python, then the script in this process",
    "gradients.GradientCheck": MADE_HERE,
    "gradients.GradientReport": MADE_HERE,
    "layers.Layer": "what the layers share",
    "models.Residual": "takes the channels that digit_resnet has checked",
    "models.Residual.forward": "PyTorch checks its maps",
    "models.seeded_network": "takes the package's own functions",
    "names.chapter_module": "takes what a folder of chapters passes",
    "names.chapters_in": "takes the path of a folder of chapters",
    "names.look_up_entry": "names of every kind: test_checks, test_quizzes",
    "optimizers.Optimizer": "what the optimizers share",
    "optimizers.Optimizer.step": "the bare rule, without the checks of `update`, as it says",
    "optimizers.Optimizer.update": "in the rows of the seven rules",
    "optimizers.Optimizer.to_torch": "PyTorch checks its parameters",
    "paths.Path": MADE_HERE,
    "diagrams.Node": DRAWN,
    "diagrams.Node.edge": DRAWN,
    "diagrams.arrow": DRAWN,
    "diagrams.box": DRAWN,
    "diagrams.chain": DRAWN,
    "diagrams.circle": DRAWN,
    "diagrams.network": DRAWN,
    "diagrams.neuron": DRAWN,
    "diagrams.sheet": DRAWN,
    "diagrams.stack": DRAWN,
    "diagrams.words": DRAWN,
    "plotting.Screen": MADE_HERE,
    "plotting.Screen.ask": "takes the notebook's own shell",
    "plotting.Screen.show": "takes the figure that `show` was given",
    "plotting.bare_figure": "takes the sizes that `figure` has checked, and those of a playground",
    "plotting.close": "does nothing for what is no figure",
    "plotting.course_style": "takes nothing",
    "plotting.inch_axes": "takes the figure of `sheet` or of a playground",
    "plotting.picture_bundle": "takes the PNG that `show` has made",
    "plotting.portrait": "takes the figure that `show` was given",
    "plotting.smaller": "takes the PNG that `show` has made",
    "plotting.use_course_style": "takes nothing",
    "printing.inline_html": "takes the course's own texts",
    "printing.note_html": "takes the course's own texts",
    "range_test.RangeTest": MADE_HERE,
    "scalar_autograd.Scalar": "the class of chapter 04 in 100 lines: plain Python floats",
    "scalar_autograd.as_scalar": "makes a Scalar",
    "surfaces.Surface": MADE_HERE,
    "sweeps.Sweep": MADE_HERE,
    "training.Evaluation": MADE_HERE,
    "training.History": MADE_HERE,
    "training.TrainingState": MADE_HERE,
}


def public_names() -> Iterator[str]:
    """Functions, classes, and the methods of classes that take something, by module and name."""
    for module in pkgutil.walk_packages(course_utils.__path__, "course_utils."):
        short = module.name.removeprefix("course_utils.")
        if short.split(".")[0] in ELSEWHERE or short in ELSEWHERE or module.ispkg:
            continue
        if short == "__main__":
            continue
        loaded = importlib.import_module(module.name)
        for name, value in vars(loaded).items():
            own = getattr(value, "__module__", "") == module.name and callable(value)
            if name.startswith("_") or not own:
                continue
            if inspect.isclass(value) and issubclass(value, BaseException):
                continue
            yield f"{short}.{name}"
            if inspect.isclass(value):
                yield from (f"{short}.{name}.{method}" for method in asking_methods(value))


def asking_methods(kind: type) -> list[str]:
    return [
        name
        for name, method in vars(kind).items()
        if inspect.isfunction(method)
        and not name.startswith("_")
        and len(inspect.signature(method).parameters) > 1
    ]


def test_every_public_function_has_a_row_or_a_reason():
    names = set(public_names())
    assert len(names) > 100
    rows = {name.partition(" ")[0] for name in TABLE}
    # The row of a class goes through its methods.
    covered = {name for name in names if any(name.startswith(f"{row}.") for row in rows)}
    assert sorted(names - rows - covered - WITHOUT_A_ROW.keys()) == []
    assert sorted(rows - names) == [], "rows of what is no longer there"
    assert sorted(WITHOUT_A_ROW.keys() - names) == [], "reasons for what is no longer there"
    assert sorted(WITHOUT_A_ROW.keys() & rows) == [], "both a row and a reason for none"


@pytest.mark.parametrize("name", TABLE)
def test_the_good_arguments_are_good(name):
    """Otherwise the other tests would only ever see one error."""
    function, good = TABLE[name]
    function(**good)


@pytest.mark.parametrize("name", TABLE)
def test_one_wrong_argument(name):
    """Every nonsense in the place of every argument."""
    function, good = TABLE[name]
    wrong = {
        f"{argument}={nonsense!r:.80}": outcome(
            function,
            {**good, argument: nonsense},
            {argument: nonsense},
            takes_all=name in TAKES_ALL,
        )
        for argument in good
        for nonsense in NONSENSE
    }
    assert {what: problem for what, problem in wrong.items() if problem} == {}


@pytest.mark.parametrize("name", TABLE)
@settings(max_examples=EXAMPLES, phases=[Phase.explicit, Phase.generate])
@given(choice=st.data())
def test_several_wrong_arguments(name, choice):
    function, good = TABLE[name]
    numbers = st.floats(allow_subnormal=True) | st.integers(-3, 3) | st.text(max_size=3)
    values = st.sampled_from(NONSENSE) | numbers
    each = {argument: st.just(value) | values for argument, value in good.items()}
    arguments = choice.draw(st.fixed_dictionaries(each))
    assert outcome(function, arguments, takes_all=name in TAKES_ALL) == ""
