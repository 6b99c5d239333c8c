# Two commands do all the set-up: `make lab` opens the course, `make test` runs its tests.
# Beside `make test`: `make check` is for every change, in minutes; `make nightly` for what takes longest.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# See nlkit/__init__.py: it must stand before torch is loaded, and tests may import torch first.
export OMP_WAIT_POLICY ?= PASSIVE
# Some containers set it, and then each of the hundred processes that the tests start compiles the kit anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: lab test check nightly notebooks exercises slides handouts quiz book bench reproduce mutations clean

lab: .venv/lab.installed
	$(BIN)/nlkit lab

# Three processes for two cores: while one waits for a browser, the others work.
test: .venv/test.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=3 --dist=loadfile --no-loadscope-reorder

# Style, types, examples in docstrings, and all tests but those of notebooks, browser, book, classroom and long trainings.
check: .venv/test.installed
	$(BIN)/python -m ruff check . && $(BIN)/python -m ruff format --check . && $(BIN)/python -m mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=2 --dist=worksteal -m "not slow and not nightly" tests

# What `make test` leaves out: trainings on all of MNIST, submissions that mean harm, and planted faults.
nightly: .venv/test.installed
	NLKIT_NIGHTLY=1 $(BIN)/python -m pytest --numprocesses=2 --dist=loadfile -m nightly tests
	NLKIT_NIGHTLY=1 $(BIN)/python -m pytest -m "not nightly" tests/test_book.py tests/test_browser_room.py tests/test_classroom.py tests/test_plots.py tests/test_reproduce.py
	$(BIN)/python tests/mutations.py

# Run the course from top to bottom and keep what it printed. Of the panels, the pictures are kept, not the controls.
notebooks: .venv/test.installed
	NLKIT_PANELS=still $(BIN)/python -m jupyter nbconvert --to notebook --execute --ExecutePreprocessor.store_widget_state=False --inplace notebooks/*.ipynb notebooks/atlas/*.ipynb instructor/*.ipynb

# Of the solved exercises in instructor/: the students' in notebooks/exercises/, and two zips in dist/, with and without solutions.
exercises: .venv/instructor.installed
	$(BIN)/python instructor/build.py

# Three things for whoever teaches, made from the notebooks: slides in build/slides, to be shown without network,
slides: .venv/instructor.installed
	$(BIN)/python -m instructor.slides build/slides

# a page of A4 for each lesson in build/handouts,
handouts: .venv/instructor.installed
	$(BIN)/python -m instructor.handouts build/handouts

# and a bank of questions with common wrong ideas in build/quiz, for Moodle and others that read GIFT.
quiz: .venv/instructor.installed
	$(BIN)/python -m instructor.quiz build/quiz

# The course, the guide and the glossary as a website in build/book, to read without Python and without network.
book: .venv/book.installed
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet book build/book

# Speed, side by side with what people would use instead: a quarter of an hour. It writes what benchmarks/run.py says.
bench: .venv/test.installed
	$(BIN)/python -m benchmarks.run

# Measure every claim over five seeds, and keep what was found. About an hour, with all of MNIST at hand; broken off, it goes on.
reproduce: .venv/test.installed
	$(BIN)/nlkit reproduce; test $$? -eq 0 -o $$? -eq 3
	$(BIN)/python -m benchmarks.claims reproduced

# Does any test notice? Plants known faults one at a time in a copy, and prints which tests catch them: a quarter of an hour.
mutations: .venv/test.installed
	$(BIN)/python tests/mutations.py

.venv/%.installed: pyproject.toml constraints.txt | .venv/python.installed
	$(PIP) -e '.[$*]'
	@touch $@

.venv/python.installed:
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("nlkit needs Python 3.11 or newer, and $(PYTHON) is %d.%d. Name another one: make PYTHON=python3.11 …" % v[:2])'
	@$(PYTHON) -c 'import ensurepip, venv' || { echo 'This Python has no venv module; on Debian or Ubuntu: apt install python3-venv'; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

clean:
	rm -rf .venv
