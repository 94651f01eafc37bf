# Two commands on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
JOBS ?= logical
PIP := $(BIN)/python -m pip install --disable-pip-version-check -q

.PHONY: demo test test-oldest test-pyside test-install test-containers first-variant lint docs fuzz \
	kills fullsize pictures release system clean

demo: .venv/.demo system
	$(BIN)/napari-pixcell demo --out demo-output

# In as many processes as there are cores; those of the window never import torch, so they are apart.
test: .venv/.test system lint
	@failed=0; for part in --ignore=tests/ui tests/ui; do \
		echo "pytest $$part"; \
		PYTEST_QT_API=pyqt6 $(BIN)/python -m pytest \
			-n $(JOBS) --maxprocesses=4 --dist=worksteal $$part || failed=1; \
	done; exit $$failed

# The window with the oldest napari that is supported.
test-oldest: .venv/.test system
	sh tests/other_versions.sh oldest

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/npe2 validate napari.yaml

# The documentation site, for reading without a network: open site/index.html.
docs: .venv/.docs system
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Damaged inputs for every reader, as long as you like: make fuzz SECONDS=3600 [SEED=7].
SECONDS ?= 300
fuzz: .venv/.test
	$(BIN)/python tests/fuzz/run.py --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

# Processes that make datasets, killed at random: make kills KILLS=100 [SEED=7].
KILLS ?= 100
kills: .venv/.test
	$(BIN)/python tests/kills/run.py --kills $(KILLS) $(if $(SEED),--seed $(SEED))

# The window under the other binding of Qt.
test-pyside: .venv/.test system
	sh tests/other_versions.sh pyside

# The wheel with all its dependencies in fresh environments, without and with a window; 10 GB of disk.
test-install: .venv/.test system
	$(BIN)/python tests/packaging/run.py environments

# A new user's way in an environment of its own, timed; make first-variant SLIDE=FILE; 10 GB of disk.
first-variant: .venv/.test system
	$(BIN)/python benchmarks/first_variant.py $(SLIDE)

# The images of container/, with the first of docker, podman and buildah; make test-containers BASE=IMAGE.
test-containers: .venv/.test
	$(BIN)/python tests/packaging/run.py containers $(if $(BASE),--base $(BASE))

# A release: make release VERSION=1.2.3, and with DRY=1 only its checks. Nothing is pushed.
release: .venv/.test
	$(BIN)/python tools/release.py "$(VERSION)" $(if $(DRY),--dry-run)

# Full-size networks with random weights, through the command line; 12 GB of memory, 8 of disk.
fullsize: .venv/.demo
	$(BIN)/python benchmarks/fullsize.py

# The pictures of docs/pictures, from the real window; with PICTURES="queue moving" only these.
DRAWN := xvfb-run -a -s "-screen 0 1600x1000x24" $(BIN)/python docs/pictures
pictures: .venv/.demo system
	$(DRAWN)/make.py $(PICTURES)
	$(if $(PICTURES),$(if $(filter moving,$(PICTURES)),$(DRAWN)/moving.py),$(DRAWN)/moving.py)

# Qt and a display without a screen; installed as root on Debian, named elsewhere.
system:
	@sh .ci/system-packages

.venv/.demo: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) -e ".[all]"
	touch $@

.venv/.test: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) -e ".[all,test]"
	touch $@ .venv/.demo

.venv/.docs: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) -e ".[all,docs]"
	touch $@ .venv/.demo

clean:
	rm -rf .venv .venv-oldest .venv-pyside demo-output build dist site
