# Everything a newcomer needs: `make run` and `make test` set themselves up.
UV := .tools/bin/uv
VENV := .venv

.PHONY: run demo test check format docs bench clean
.DEFAULT_GOAL := run
# Every start would compile everything anew: that takes longer than the start.
unexport PYTHONDONTWRITEBYTECODE

$(UV):
	python3 -m venv .tools || { echo "python3-venv is missing: apt-get install python3-venv"; exit 1; }
	.tools/bin/pip install -q 'uv~=0.13'

$(VENV)/.locked: uv.lock pyproject.toml | $(UV)
	$(UV) sync --frozen -q --compile-bytecode
	@touch $@

run: $(VENV)/.locked        ## start the server (embedded PostgreSQL included)
	@exec $(VENV)/bin/guildhouse up

demo: $(VENV)/.locked       ## fill the running server's database with a believable community
	@$(VENV)/bin/guildhouse demo

check: $(VENV)/.locked      ## lint, types, import direction
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

test: check                 ## everything: checks, then the whole suite with coverage
	$(VENV)/bin/pytest --cov --cov-report=term

format: $(VENV)/.locked
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

docs: $(VENV)/.locked       ## write the generated documentation anew
	$(VENV)/bin/python docs/generate.py

bench: $(VENV)/.locked      ## ratios against the limit, in one run
	$(VENV)/bin/python -m bench

clean:
	rm -rf $(VENV) .tools .mypy_cache .ruff_cache .pytest_cache
