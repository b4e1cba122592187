#!/usr/bin/env bash
# Removes the cluster $CLUSTER_NAME, and ends our own Docker daemon when it was the last one.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
choose_docker

if docker info >/dev/null 2>&1; then
  kind delete cluster --name "$CLUSTER_NAME" --kubeconfig "$KUBECONFIG_FILE"
  remove_images localhost/vltava
fi
rm -f "$KUBECONFIG_FILE"
if own_docker && [ -z "$(docker ps --all --quiet 2>/dev/null)" ]; then
  docker network rm kind >/dev/null 2>&1 || true
  "$HERE/daemon.sh" stop
fi
