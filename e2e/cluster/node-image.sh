#!/usr/bin/env bash
# Puts images and manifests into the node's file system ($ROOTFS): images are unpacked now, once, and
# not when each node starts. Needs rootfs.sh and images.sh before it.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

STATE=$(mktemp -d /tmp/vltava-preload.XXXXXX)
DEADLINE_S=30

manifests() {
  local kind
  mkdir -p "$ROOTFS/kind/manifests"
  cp "$HERE/node/default-cni.yaml" "$ROOTFS/kind/manifests/"
  # kind's own storage manifest lies in its source as a Go string around the names of its images.
  kind=$(cd "$HERE/modules/kind" && GOFLAGS=-mod=readonly go list -m -f '{{.Dir}}' sigs.k8s.io/kind)
  sed -n '/^const defaultStorageManifest = `/,/^`$/p' "$kind/pkg/build/nodeimage/const_storage.go" |
    sed -e '1d;$d' -e "s|\` + storageProvisionerImage + \`|localhost/local-path-provisioner:$LOCAL_PATH_TAG|" \
      -e 's|` + storageHelperImage + `|localhost/busybox:1|' >"$ROOTFS/kind/manifests/default-storage.yaml"
  grep -q localhost/busybox "$ROOTFS/kind/manifests/default-storage.yaml" || die "kind's storage manifest has moved"
}

stop_containerd() {
  if [ -n "${CONTAINERD_PID:-}" ]; then
    kill "$CONTAINERD_PID" 2>/dev/null || true
    wait "$CONTAINERD_PID" 2>/dev/null || true
  fi
  rm -rf "$STATE"
}

start_containerd() {
  rm -rf "$ROOTFS/var/lib/containerd"
  cat >"$STATE/config.toml" <<TOML
version = 2
root = "$ROOTFS/var/lib/containerd"
state = "$STATE/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$STATE/containerd.sock"
TOML
  "$ROOTFS/usr/bin/containerd" --config "$STATE/config.toml" >"$CLUSTER_CACHE/preload.log" 2>&1 &
  CONTAINERD_PID=$!
  local deadline=$((SECONDS + DEADLINE_S))
  until ctr_images ls >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || die "containerd did not start: $(tail -n 5 "$CLUSTER_CACHE/preload.log")"
    sleep 0.2
  done
}

ctr_images() { "$ROOTFS/usr/bin/ctr" --address "$STATE/containerd.sock" --namespace k8s.io images "$@"; }
ctr_content() { "$ROOTFS/usr/bin/ctr" --address "$STATE/containerd.sock" --namespace k8s.io content "$@"; }

preload() {
  local archive layer
  for archive in "$IMAGES"/*.tar; do
    ctr_images import --snapshotter overlayfs "$archive" >/dev/null
    # Unpacked, the layer itself is dead weight: half of the node image.
    for layer in $(tar --extract --to-stdout --file "$archive" config.json | jq -r '.rootfs.diff_ids[]'); do
      ctr_content rm "$layer" >/dev/null 2>&1 || true
    done
  done
  ctr_images ls -q >&2
}

say "putting the images into the node's file system"
trap stop_containerd EXIT
manifests
start_containerd
preload
