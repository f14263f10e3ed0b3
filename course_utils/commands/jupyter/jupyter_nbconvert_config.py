# What `jupyter nbconvert` and `make html` make of a notebook has the pictures' alternative texts.
try:
    from course_utils.commands.described import Described
except ImportError:
    pass
else:
    get_config().HTMLExporter.preprocessors = [Described]  # noqa: F821
