PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
TORCH := $(shell grep '^torch==' constraints.txt)

.PHONY: setup quickstart test lint bench bench-all bench-theory bench-peers faults fuzz mutants nightly clean

setup: $(VENV)/installed

# torch first and pinned: the extension is compiled against it, and a looser request may fetch a far larger build
$(VENV)/installed: constraints.txt setup.cfg setup.py pyproject.toml $(shell find cpp_ext -name '*.cpp' -o -name '*.h' -o -name '*.cu')
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q $(TORCH) -c constraints.txt
	$(BIN)/pip install -q numpy setuptools wheel ninja -c constraints.txt
	$(BIN)/pip install -q --no-build-isolation -c constraints.txt -e '.[dev]'
	touch $@

quickstart: setup
	$(BIN)/mlp-gibbs run runs/quickstart.toml --out results/quickstart-sin
	$(BIN)/mlp-gibbs run runs/quickstart.toml --out results/quickstart-tanh --set model.activation=tanh
	$(BIN)/mlp-gibbs health results/quickstart-sin
	$(BIN)/mlp-gibbs compare results/quickstart-tanh
	$(BIN)/mlp-gibbs compare results/quickstart-sin
	$(BIN)/mlp-gibbs plot results/quickstart-sin

test: setup
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# hundreds of kills, every system call refused, power losses: half an hour; the table is kept in docs/reliability.md
faults: setup
	MLP_GIBBS_FAULTS=full $(BIN)/python -m pytest tests/faults

# ten thousand of each kind of input; the table is kept in docs/reliability.md
fuzz: setup
	MLP_GIBBS_FUZZ=full $(BIN)/python -m pytest tests/fuzz

# fresh seeds, printed; MLP_GIBBS_NIGHTLY_SEED=N repeats a night. Half an hour, and the faults in full after it
nightly: setup
	MLP_GIBBS_NIGHTLY=full $(BIN)/python -m pytest tests/nightly
	$(MAKE) faults

# every mutant, those in C++ in one extension that is built for them; the table goes into docs/reliability.md
mutants: setup
	MLP_GIBBS_MUTANTS=full $(BIN)/python -m pytest tests/mutants

bench: setup
	$(BIN)/python benchmarks/exchange.py
	$(BIN)/python benchmarks/sweep.py --n-inputs 128
	$(BIN)/python benchmarks/sweep.py --n-inputs 256
	$(BIN)/python benchmarks/theory.py --short
	$(BIN)/python benchmarks/ceiling.py
	$(BIN)/python benchmarks/gradient_table.py --short
	$(BIN)/python benchmarks/layers.py

bench-all: setup $(PEERS)/installed
	PYTHON=$(BIN)/python PEER_PYTHON=$(PEERS)/bin/python benchmarks/all.sh

bench-theory: setup
	$(BIN)/python benchmarks/theory.py

bench-peers: setup $(PEERS)/installed
	$(BIN)/python benchmarks/peers.py --peer-python $(PEERS)/bin/python --activation tanh --depth 2 --n-inputs 256
	$(BIN)/python benchmarks/peers.py --peer-python $(PEERS)/bin/python --activation sin --depth 2 --n-inputs 128
	$(BIN)/python benchmarks/ess.py --peer-python $(PEERS)/bin/python --activation tanh --depth 2 --n-inputs 256 --beta 2
	$(BIN)/python benchmarks/ess.py --peer-python $(PEERS)/bin/python --activation sin --depth 2 --n-inputs 128 --beta 4

$(PEERS)/installed: benchmarks/peers-requirements.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install -q -r benchmarks/peers-requirements.txt
	touch $@

clean:
	rm -rf build mcmc/_C*.so $(VENV) $(PEERS)
