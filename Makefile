# What a newcomer needs: `make demo`, `make test`, `make lab-down`. `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The kgateway CustomResourceDefinitions, as a folder of YAML; without it the tests that need them say that they were skipped.
export OCTROI_KGATEWAY_CRDS ?=
GATEWAY_CLASS ?= octroi-envoy-gateway

.PHONY: help demo test check unit light lab-tests e2e attacks bench bench-admission bench-edge bench-waf crs conformance lab-up lab-down lab-env generate

help: ## What there is to make
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | column -t -s "$$(printf '\t')"

demo: ## Build and start a real cluster, install everything, run two tenants on it
	@lab/octroi.sh install
	@cargo run -q -p octroi-tests --bin demo

test: ## Set up what is needed, and run every test
	@lab/test.sh

check: ## Format, lints, dependencies
	@lab/test.sh check

unit: ## Tests that need nothing
	@lab/test.sh unit

light: ## Tests on an API server without pods; no root
	@lab/test.sh light

lab-tests: ## Tests on the real cluster
	@lab/test.sh lab

e2e: ## The end-to-end suite on the cluster of KUBECONFIG: make e2e GATEWAY_CLASS=kgateway
	@OCTROI_E2E_KUBECONFIG="$${KUBECONFIG:?set KUBECONFIG to the cluster to test}" \
	  OCTROI_E2E_GATEWAY_CLASS=$(GATEWAY_CLASS) cargo test -p octroi-tests --test e2e -- --test-threads=2

attacks: ## Every attack on the running lab, the operator up, stopped and failing over, and the matrix of guards
	@OCTROI_E2E_GATEWAY_CLASS=$(GATEWAY_CLASS) cargo run -q -p octroi-tests --bin attacks

bench: ## Measure Octroi beside kubectl on the running lab
	@cargo run -q --release -p octroi-tests --bin bench

bench-admission: ## Measure what the admission policies add to the write of a route; no root
	@lab/lab.sh build kubernetes etcd helm gateway-api
	@cargo run -q --release -p octroi-tests --bin admission-cost

bench-edge: ## Measure the rate limiter's cost and the noisy neighbour, on the cluster of KUBECONFIG or the running lab: make bench-edge ARGS="--only noisy"
	@ulimit -n $$(ulimit -Hn); [ -z "$${KUBECONFIG:-}" ] || export OCTROI_E2E_KUBECONFIG="$$KUBECONFIG"; \
	  OCTROI_E2E_GATEWAY_CLASS=$(GATEWAY_CLASS) cargo run -q --release -p octroi-tests --bin edge-load -- $(ARGS)

crs: ## The OWASP Core Rule Set's regression tests, by the engine and through a real Envoy, and ordinary requests; needs Go, no cluster
	@lab/lab.sh build coreruleset envoy
	@cargo run -q -p octroi-crs --bin crs -- --coreruleset "$$(lab/lab.sh dir coreruleset)" --envoy "$$(lab/lab.sh bin envoy)"

bench-waf: ## Measure what the firewall costs a request, by the engine alone, through the service and through Envoy; needs Go, no cluster
	@lab/lab.sh build coreruleset envoy
	@cargo run -q --release -p octroi-crs --bin waf-latency -- --coreruleset "$$(lab/lab.sh dir coreruleset)"
	@cargo run -q --release -p octroi-crs --bin waf-load -- --coreruleset "$$(lab/lab.sh dir coreruleset)" --envoy "$$(lab/lab.sh bin envoy)"

conformance: ## The Gateway API's tests of isolation, in namespaces that Octroi makes on the running lab
	@lab/conformance.sh

lab-up: ## Start the cluster
	@lab/lab.sh up

lab-down: ## Stop the cluster, and leave nothing behind
	@lab/lab.sh down

lab-env: ## Print the line that sets KUBECONFIG: eval "$(make -s lab-env)"
	@lab/lab.sh env

generate: ## Write every generated file: CRDs and golden files
	@cargo run -q -p octroi -- crds --output crds
	@cargo run -q -p octroi -- crds --output charts/octroi/crds
	@UPDATE_GOLDEN=1 cargo test -q -p octroi-tests --test golden
	@UPDATE_DOCS=1 cargo test -q -p octroi-tests --test docs
