#!/usr/bin/env bash
# Builds Kubernetes and its companions from Go modules into $CACHE/cluster/bin, one at a time.
#   binaries.sh [NAME…]     all of them, or only the named ones (kind helm kubectl … see the table)
# A binary is built again only when its module's go.mod or go.sum has changed.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

# name  module folder  package
TABLE="
kind                    kind                   sigs.k8s.io/kind
kubectl                 kubernetes             k8s.io/kubernetes/cmd/kubectl
helm                    helm                   helm.sh/helm/v3/cmd/helm
kubeadm                 kubernetes             k8s.io/kubernetes/cmd/kubeadm
kubelet                 kubernetes             k8s.io/kubernetes/cmd/kubelet
kube-apiserver          kubernetes             k8s.io/kubernetes/cmd/kube-apiserver
kube-controller-manager kubernetes             k8s.io/kubernetes/cmd/kube-controller-manager
kube-scheduler          kubernetes             k8s.io/kubernetes/cmd/kube-scheduler
kube-proxy              kubernetes             k8s.io/kubernetes/cmd/kube-proxy
etcd                    etcd                   go.etcd.io/etcd/server/v3
coredns                 coredns                github.com/coredns/coredns
local-path-provisioner  local-path-provisioner github.com/rancher/local-path-provisioner
"

# kubectl and the API server tell their version from link flags; without them they would say v0.0.0.
link_flags() {
  local flags="-s -w"
  if [ "$1" = kubernetes ]; then
    local minor=${KUBERNETES_VERSION#v1.}
    for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
      flags+=" -X $package.gitVersion=$KUBERNETES_VERSION -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}"
      flags+=" -X $package.gitTreeState=clean"
    done
  fi
  echo "$flags"
}

build() {
  local name=$1 module=$2 package=$3
  local stamp=$BIN/.$name.hash wanted
  wanted=$(hash_of "modules/$module" binaries.sh)
  if [ -x "$BIN/$name" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then return; fi
  command -v go >/dev/null || die "Go 1.24 or later is needed to build $name (https://go.dev/doc/install)"
  say "building $name"
  local start=$SECONDS
  (cd "$HERE/modules/$module" &&
    CGO_ENABLED=0 GOWORK=off GOFLAGS="-mod=readonly -trimpath -buildvcs=false" nice -n "${VLTAVA_NICE:-5}" \
      go build -ldflags "$(link_flags "$module")" -o "$BIN/$name.new" "$package")
  mv "$BIN/$name.new" "$BIN/$name"
  echo "$wanted" >"$stamp"
  say "built $name in $((SECONDS - start)) s"
}

mkdir -p "$BIN"
lock binaries
while read -r name module package; do
  [ -n "$name" ] || continue
  if [ $# -eq 0 ] || [[ " $* " == *" $name "* ]]; then build "$name" "$module" "$package"; fi
done <<<"$TABLE"
