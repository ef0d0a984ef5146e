# Each target works on a fresh clone that has nothing but make and Python 3.11 or later.
#
#   make audit                     measure the embedded endpoint; ARGS="--quick", or a URL
#   make record                    record an example agent on it, and print where its wall clock went; into build/record.db
#   make serve                     the embedded endpoint; ARGS="--port 9000"
#   make test                      the tests; ARGS="tests/wire -k sse"
#   make check                     everything that CI runs
#   make bench                     the benchmarks
#   make train                     make the bundled model again, in its place (an hour or two)
#   make models                    make a model with random weights, of the size of Qwen3-0.6B, for benchmarks
#   make peers                     install other clients and another server, for benchmarks/peers/
#   make evaluate                  the bundled model on held-out tasks; ARGS="--quick"
#   make lock                      resolve the dependencies anew, within pyproject.toml
#
# requirements/*.lock hold every version with its hashes and no address: packages come from wherever
# pip and uv are told to look.

PYTHON ?= python3
ARGS ?=

UV := .venv-uv/bin/uv
VENV_PYTHON := .venv/bin/python
MODELS_PYTHON := .venv-models/bin/python
PEERS_PYTHON := .venv-peers/bin/python
INSTALL := $(UV) pip install --quiet --python

.PHONY: audit record serve test check bench peers train models evaluate lock
.DELETE_ON_ERROR:

audit: .venv/engine.stamp
	.venv/bin/tithe audit $(ARGS)

record: .venv/dev.stamp
	.venv/bin/tithe record --db build/record.db --upstream embedded -- $(VENV_PYTHON) examples/agent.py $(ARGS)

serve: .venv/engine.stamp
	.venv/bin/tithe serve $(ARGS)

test: .venv/dev.stamp
	$(VENV_PYTHON) -m pytest $(ARGS)

# The locks' agreement with pyproject.toml and the docs' truth are tests too: tests/test_locks.py, tests/test_tour.py.
check: .venv/dev.stamp
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/basedpyright
	$(VENV_PYTHON) -m pytest

bench: .venv/dev.stamp
	$(VENV_PYTHON) benchmarks/run.py $(ARGS)

peers: .venv/dev.stamp .venv-peers/stamp

train: .venv-models/stamp
	PYTHONPATH=src $(MODELS_PYTHON) models/train.py $(if $(ARGS),$(ARGS),--out src/tithe/engine/nano)

models: .venv-models/stamp
	PYTHONPATH=src $(MODELS_PYTHON) models/make.py $(if $(ARGS),$(ARGS),--shape qwen3-0.6b --out models/out/qwen3-0.6b)

evaluate: .venv/engine.stamp
	$(VENV_PYTHON) models/evaluate.py $(ARGS)

# uv, from a lock of its own, is all that pip installs.
.venv-uv/stamp: requirements/installer.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tithe needs Python 3.11 or later; name one with PYTHON=...")'
	$(PYTHON) -m venv .venv-uv
	.venv-uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/installer.lock
	touch $@

.venv/made.stamp: .venv-uv/stamp
	$(PYTHON) -m venv --without-pip .venv
	touch $@

# What `tithe audit` and `tithe serve` need. The editable install is built by the locked hatchling.
.venv/engine.stamp: .venv/made.stamp requirements/engine.lock requirements/build.lock pyproject.toml
	$(INSTALL) $(VENV_PYTHON) --require-hashes -r requirements/engine.lock -r requirements/build.lock
	$(INSTALL) $(VENV_PYTHON) --no-deps --no-build-isolation --editable .
	touch $@

# And what `make check` needs on top.
.venv/dev.stamp: .venv/engine.stamp requirements/dev.lock
	$(INSTALL) $(VENV_PYTHON) --require-hashes -r requirements/dev.lock
	touch $@

# torch first and by pip, so that a CPU build of it can be chosen; the rest as locked, and without the
# torchvision that optimum-intel asks for.
.venv-models/stamp: requirements/models.lock
	$(PYTHON) -m venv .venv-models
	$(MODELS_PYTHON) -m pip install --quiet torch==$$(sed -n 's/.*"torch==\(.*\)".*/\1/p' pyproject.toml)
	$(MODELS_PYTHON) -m pip install --quiet --no-deps --require-hashes -r requirements/models.lock
	touch $@

# torch first, as above: guidellm imports it.
.venv-peers/stamp: requirements/peers.lock
	$(PYTHON) -m venv .venv-peers
	$(PEERS_PYTHON) -m pip install --quiet torch==$$(sed -n 's/.*"torch==\(.*\)".*/\1/p' pyproject.toml)
	$(PEERS_PYTHON) -m pip install --quiet --no-deps --require-hashes -r requirements/peers.lock
	touch $@

# torch, what its CUDA build brings, and torchvision: see .venv-models above.
APART := torch torchvision triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cupti \
	nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand \
	nvidia-cusolver nvidia-cusparse nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink \
	nvidia-nvshmem-cu13 nvidia-nvtx

# From the largest to the smallest, each held to the one before, so that they agree.
COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --custom-compile-command "make lock"
lock: .venv-uv/stamp
	$(COMPILE) pyproject.toml --extra engine --extra parquet --extra browser --extra mcp --group dev -o requirements/dev.lock
	$(COMPILE) pyproject.toml --extra engine -c requirements/dev.lock -o requirements/engine.lock
	$(COMPILE) pyproject.toml -c requirements/dev.lock -o requirements/base.lock
	$(COMPILE) --group build -c requirements/dev.lock -o requirements/build.lock
	$(COMPILE) pyproject.toml --extra engine --group models $(APART:%=--no-emit-package %) -o requirements/models.lock
	$(COMPILE) --group peers $(APART:%=--no-emit-package %) -o requirements/peers.lock
	$(COMPILE) --group installer -o requirements/installer.lock
