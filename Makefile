# Everything a newcomer needs. `make help` lists it.
PY := .venv/bin/python
SHELL := /bin/bash
# MONAI asks for the user's name when it is imported; in a container the user may have none.
export USER := $(or $(USER),$(shell id -un 2>/dev/null),uid$(shell id -u))

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

env:  ## build (once per machine) and link the virtual environment .venv
	@bash scripts/make_env.sh

demo: env  ## synthetic cohort, features, training without and with ScanGen, evaluation, table
	@bash scripts/demo.sh

deploy-env:  ## build (once per machine) the deploy app's own environment
	@bash scripts/make_deploy_env.sh

deploy-demo: env  ## after `make demo`: pack the network, run the MONAI Deploy app on a slide, a DICOM and a bag
	@bash scripts/deploy_demo.sh

test: env  ## run the whole test suite
	$(PY) -m pytest -n 2 --dist loadfile --cov --cov-report=term

lint: env  ## ruff, mypy, import contract
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports

docs: env  ## the guide as a site in site/, strictly: links and names are checked
	$(PY) -m mkdocs build --strict

reference: env  ## record what the pipeline gives on a small phantom (this machine), to compare later code with
	$(PY) scripts/reference.py record outputs/reference

reference-check: env  ## run the pipeline again and compare with the record, byte for byte
	$(PY) scripts/reference.py compare outputs/reference

abuse: env  ## 20 minutes of kills, damaged inputs and refusing file systems (SEED=0); exit code 1 for silent faults, tracebacks, orphans, litter
	$(PY) -m abuse --seed $(or $(SEED),0)

bench-readers: env  ## slide readers beside the decoding limit, OpenSlide and MONAI (SLIDE=some.svs adds a real one)
	$(PY) -m speed.readers $(if $(SLIDE),--slide $(SLIDE))

bench-metrics: env  ## metrics: all figures with bootstrap, AUROC beside scikit-learn, neighbours beside the matrix product
	$(PY) -m speed.metrics

bench-features: env  ## speed of feature bags, memory of extraction
	$(PY) -m speed.features

bench-encoder: env  ## the embedded encoder in ONNX Runtime and in torch
	$(PY) -m speed.encoder

bench-training: env  ## speed of training: ScanGen term, network, data, MLflow, start-up
	$(PY) -m speed.training

bench-robustness: env  ## robustness measures at the size of the public benchmarks, beside their products (PLISM=folder: and peer)
	$(PY) -m speed.robustness $(if $(PLISM),--plism-benchmark $(PLISM))

bench-viewer: env  ## the viewer on slides of 100,000 px: time to the first tiles, memory
	$(PY) -m speed.viewer

bench-scale: env  ## extraction at scale: overlap, shards, Ray, up to 10,000 slides, a cohort of 20,000 scans (QUICK=1 for a first look)
	$(PY) -m speed.scale $(if $(QUICK),--quick)

bench-coverage: env  ## do prediction sets, flip rates and warnings hold on unseen patients and scanners (needs the bags of data/phantom)
	$(PY) -m studies.coverage

bench-deploy: env  ## time and memory of the deploy app (after `make deploy-demo`)
	$(PY) -m speed.deploy

EVIDENCE := data/evidence
STUDY := 'configs/study.yaml','configs/studies/evidence.yaml'
evidence: env  ## methods compared by `run studying` on 72 synthetic specimens of their own, eight scanners (resumable)
	$(PY) -m scangen_bundle.cli phantom $(EVIDENCE) --specimens 72 --seed 20261128 --far
	$(PY) -W ignore -m monai.bundle run extracting --config_file configs/extract_features.yaml --dataset_dir $(EVIDENCE)
	grep -E 'slide_id|scanner-[135],' $(EVIDENCE)/manifest.csv > $(EVIDENCE)/training_scanners.csv
	$(PY) -W ignore -m monai.bundle run banking --config_file configs/bank.yaml --dataset_dir $(EVIDENCE) --manifest_path $(EVIDENCE)/training_scanners.csv --scanners 12 --tiles_per_scan 3 --max_scans 108
	$(PY) -W ignore -m monai.bundle run studying --config_file "[$(STUDY)]" --dataset_dir $(EVIDENCE)
	$(PY) -W ignore -m monai.bundle run studying --config_file "[$(STUDY),'configs/studies/evidence_once.yaml']" --dataset_dir $(EVIDENCE)
	$(PY) -m studies.evidence_page

.PHONY: help env docs demo deploy-env deploy-demo test lint reference reference-check abuse bench-readers bench-metrics bench-features bench-encoder bench-robustness bench-training bench-viewer bench-scale bench-coverage bench-deploy evidence
