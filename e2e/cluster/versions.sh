# shellcheck shell=bash disable=SC2034
# Versions that must agree with each other. Go modules are pinned in modules/*/go.mod; what kubeadm
# looks for under which tag is fixed by the Kubernetes version, so the tags stand here beside it.
KUBERNETES_VERSION=v1.34.4
ETCD_TAG=3.6.5-0
COREDNS_TAG=v1.12.1
PAUSE_TAG=3.10.1
LOCAL_PATH_TAG=v0.0.30
# The suite of Debian from which node and images are made when no registry can be reached.
DEBIAN_SUITE=bookworm
# kind's own node image for the same Kubernetes, for machines that reach a registry.
KIND_NODE_IMAGE=kindest/node:v1.34.3
