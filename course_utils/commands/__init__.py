"""What ``python -m course_utils`` can do. Standard library only, until ``.venv`` is complete."""
