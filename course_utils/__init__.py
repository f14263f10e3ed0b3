"""Helpers for the course notebooks: optimizers, surfaces, data, training, live figures, exercises.

Importing this package costs next to nothing; every module is imported where it is needed, for
example ``from course_utils.surfaces import get_surface``.
"""

__version__ = "0.1.0"
