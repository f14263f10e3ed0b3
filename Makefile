# Thin on purpose: everything is done by `python -m course_utils`, which also works without make.
# Pass more with LAB_ARGS="..." (JupyterLab), TEST_ARGS="..." (pytest), CH=09 (notebooks).

ifeq ($(OS),Windows_NT)
PYTHON ?= python
else
PYTHON ?= python3
endif
# A Python named on the command line or in the environment is meant: .venv is rebuilt with it.
ifneq ($(origin PYTHON),file)
export COURSE_PYTHON_CHOSEN := 1
endif
export LAB_ARGS TEST_ARGS CH

COMMANDS := lab test notebooks html check bench doctor setup clean help
.PHONY: $(COMMANDS)
.DEFAULT_GOAL := help

$(COMMANDS):
	@command -v "$(PYTHON)" > /dev/null 2>&1 && "$(PYTHON)" -m course_utils $@ || { status=$$?; "$(PYTHON)" -c "" 2> /dev/null || echo "course: $(PYTHON) is no Python that runs here. Install Python 3.11 or newer, or name one: make PYTHON=python3.12 $@" >&2; exit $$status; }
