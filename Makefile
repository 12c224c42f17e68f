# Every target does all it needs on a fresh machine: `make install`, `make run` and `make test` are enough.
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: install run test lint types contracts tests tests-on-ray tests-without-ray bench node aws gcp test-faults test-gpu test-cluster test-bucket clean

install: .venv/run.stamp

run: .venv/run.stamp
	$(BIN)/python -m study.run

test: lint types contracts tests

lint: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/test.stamp
	$(BIN)/mypy

contracts: .venv/test.stamp
	$(BIN)/lint-imports

# Side by side, as what starts Ray waits much of the time; each is printed when it has ended.
tests: .venv/test.stamp
	$(MAKE) --no-print-directory --jobs 2 --output-sync=target tests-on-ray tests-without-ray

tests-on-ray: .venv/test.stamp
	$(BIN)/python -m pytest -m ray --durations 15

tests-without-ray: .venv/test.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not ray" --durations 15

# A node of a cluster: the environment of `make run`, found by every shell, with the studies' storage (STORAGE) and, where
# that is a bucket, the database of their trials (RECORD); every call to Ray carries the token. The
# database's URL may hold a password and signs of the shell.
node: export NODE_STORAGE = $(STORAGE)
node: export NODE_RECORD = $(RECORD)
node: .venv/run.stamp
	umask 077; printf 'export %s\n' 'PATH=$(CURDIR)/.venv/bin:$$PATH' "STUDY_STORAGE='$$NODE_STORAGE'" \
		"STUDY_RECORD='$$NODE_RECORD'" RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 > ~/.study_environment
	chmod 600 ~/.study_environment
	grep -qs study_environment ~/.bashrc || echo '. ~/.study_environment' >> ~/.bashrc

# What `ray up` needs to start machines of a cloud, on the laptop and on the head.
aws gcp: .venv/run.stamp
	$(BIN)/pip install --quiet --constraint constraints.txt --group $@

# `ray up` to `ray down` on this machine, for real; needs root on Linux, and no network but for packages.
test-cluster: .venv/run.stamp
	tests/cluster/rehearse.sh

# A study in an S3 bucket, on a server of this machine, which gets an environment of its own.
test-bucket: .venv/test.stamp
	$(PYTHON) -m venv .venv/bucket
	.venv/bucket/bin/pip install --quiet "moto[server]"
	$(BIN)/python -m pytest tests/bucket

# Where there is a GPU: what it computes against the CPU, and the commands with trials that share it.
test-gpu: .venv/test.stamp
	$(BIN)/python -m pytest tests/gpu --durations 0

# Half an hour on two idle cores: disturbs a study 20 times over, in 15 ways, and compares what comes out.
test-faults: .venv/test.stamp
	$(BIN)/python -m tests.study.fault_table

# CHECKPOINT: a sentence-transformers folder or hub id; DATA: the folder of XQuAD-R, downloaded without; BENCH=--quick to
# see whether it runs.
CHECKPOINT ?= intfloat/multilingual-e5-small
bench: .venv/bench.stamp
	$(BIN)/python -m bench.report --checkpoint $(CHECKPOINT) $(if $(DATA),--data $(DATA)) $(BENCH)

clean:
	rm -rf .venv

.venv/bin/python:
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade "pip>=25.1"

# constraints.txt pins what was tested; without it every machine of a cluster could get other versions.
.venv/run.stamp: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/test.stamp: .venv/run.stamp
	$(BIN)/pip install --quiet --constraint constraints.txt --group test
	touch $@

# sentence-transformers' other backends need versions of transformers of their own, so each gets an environment.
.venv/bench.stamp: .venv/test.stamp
	$(BIN)/pip install --quiet --constraint constraints.txt --group bench
	$(PYTHON) -m venv .venv/onnx
	.venv/onnx/bin/pip install --quiet "sentence-transformers[onnx]>=5.0" "torch>=2.11,<2.14"
	$(PYTHON) -m venv .venv/openvino
	.venv/openvino/bin/pip install --quiet "sentence-transformers>=5.0" "optimum-intel[openvino]" "torch>=2.11,<2.14"
	.venv/openvino/bin/pip uninstall --quiet --yes torchvision # may be of another build than torch, and is not needed
	touch $@
