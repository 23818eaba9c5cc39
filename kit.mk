# What `ecluse init --kit ci` adds to the Makefile beside it, which includes this file.
# REPORTS=1 leaves results (JUnit) and coverage in reports/, as the workflows do.
PYTHON ?= python3

.PHONY: test-all test-e2e test-ecluse-unit test-ecluse-integration test-ecluse-e2e

# Services that integration tests need: started when they are declared and can be, else the reason is said.
define start_services
	@echo "services not started: no compose file declares any"
endef

test-ecluse-unit:
	cd . && . .venv/bin/activate && python -m pytest -q tests/unit $(if $(REPORTS),--junitxml=reports/unit.xml --cov=. --cov-report=xml:reports/coverage-unit.xml)

test-ecluse-integration:
	$(start_services)
	cd . && . .venv/bin/activate && python -m pytest -q tests/integration $(if $(REPORTS),--junitxml=reports/integration.xml --cov=. --cov-report=xml:reports/coverage-integration.xml)

test-ecluse-e2e:
	cd . && . .venv/bin/activate && python -m pytest -q tests/e2e $(if $(REPORTS),--junitxml=reports/e2e.xml --cov=. --cov-report=xml:reports/coverage-e2e.xml)

test-all: test-ecluse-unit test-ecluse-integration test-ecluse-e2e

test-e2e:
	$(start_services)
	. ./.venv/bin/activate && python -m pytest -q tests/e2e
# ecluse init --kit 6357bb00ae9e6e85: renewed until it is edited
