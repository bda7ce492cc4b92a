# Everything starts here. Each target sets up what it needs.
PYTHON ?= python3
VENV := .venv
# Whatever pip should install as PyTorch; on x86-64, PyPI's wheel is the CUDA build. What was asked for stays,
# until something else is.
HAS_TORCH := $(shell cat $(VENV)/.ready 2>/dev/null)
TORCH ?= $(or $(HAS_TORCH),torch)
BIN := $(VENV)/bin
PACKAGES := src/planar_arm src/ibc_contract src/implicit_bc src/ibc_studies src/xarm_twin src/xarm_planar_driver \
            src/realsense_capture src/teleop_mouse src/demo_recorder src/ibc_policy_node models launch
ROS := ros-jazzy-rclpy ros-jazzy-rmw-fastrtps-cpp ros-jazzy-common-interfaces

export PYTHONUNBUFFERED := 1
# setuptools warns about every package that is installed for development.
export PYTHONWARNINGS := ignore:Editable installation
# Where PyBullet has no wheel (Python 3.12 and newer), pip compiles it; for GCC 14 its C is an error otherwise.
export CFLAGS += -Wno-error=incompatible-pointer-types

.DEFAULT_GOAL := help
.PHONY: help setup demo loop test lint clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

ifneq ($(TORCH),$(HAS_TORCH))
.PHONY: $(VENV)/.ready
OTHER_TORCH := $(HAS_TORCH)
endif

setup: $(VENV)/.ready ## Create .venv with ROS 2 Jazzy wheels, PyTorch and every package of this repository

$(VENV)/.ready: constraints.txt $(wildcard docker/*.py src/*/setup.py) launch/setup.py models/setup.py
	$(PYTHON) docker/check_system.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip 'setuptools<80' wheel
# To pip, one wheel of a version is as good as another.
	$(if $(OTHER_TORCH),$(BIN)/python -m pip uninstall --quiet --yes torch)
	$(BIN)/python -m pip install --quiet -c constraints.txt $(TORCH)
	$(BIN)/python -m pip install --quiet -c constraints.txt $(ROS) pytest hypothesis ruff 'pyright[nodejs]'
	$(BIN)/python -m pip install --quiet -c constraints.txt --no-build-isolation $(foreach p,$(PACKAGES),-e ./$(p))
	@echo '$(TORCH)' > $@

demo: setup ## Run the insertion policy on the twin through the full ROS graph (writes a video and a report)
	$(BIN)/ibc demo --model insert_blue

loop: setup ## Record, generate, train and evaluate a small policy from scratch in under 15 minutes
	$(BIN)/ibc loop

test: setup ## Run every test
	$(BIN)/python -m pytest

lint: setup ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

clean: ## Remove the virtual environment and build leftovers
	rm -rf $(VENV) build install log
	find . -name '*.egg-info' -prune -exec rm -rf {} +
