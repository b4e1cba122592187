#!/usr/bin/env bash
# Makes archives of the images that kubeadm and kind expect on a node, each from nothing but the
# binary it runs, in $IMAGES. Needs binaries.sh and rootfs.sh before it.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=archive.sh
source "$HERE/archive.sh"

WORK=$(mktemp -d "$CLUSTER_CACHE/images.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
SEARCH_PATH='"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"'

folder() {
  rm -rf "${WORK:?}/image"
  mkdir -p "$WORK"/image/{etc,tmp,usr/local/bin,usr/bin,usr/sbin,bin,var,run}
  chmod 1777 "$WORK/image/tmp"
  echo "$WORK/image"
}

busybox_into() {
  local applet
  cp "$ROOTFS/bin/busybox" "$1/bin/busybox"
  for applet in $("$ROOTFS/bin/busybox" --list); do
    [ -e "$1/bin/$applet" ] || ln -s busybox "$1/bin/$applet"
  done
}

# kubeadm's manifests name these programs without a folder.
control_plane() {
  local name root
  for name in kube-apiserver kube-controller-manager kube-scheduler; do
    root=$(folder)
    cp "$BIN/$name" "$root/usr/local/bin/"
    image_archive "$IMAGES/$name.tar" "registry.k8s.io/$name:$KUBERNETES_VERSION" "$root" "{\"Env\": [$SEARCH_PATH]}"
  done
  root=$(folder)
  cp "$BIN/etcd" "$root/usr/local/bin/"
  image_archive "$IMAGES/etcd.tar" "registry.k8s.io/etcd:$ETCD_TAG" "$root" "{\"Env\": [$SEARCH_PATH]}"
  root=$(folder)
  cp "$BIN/coredns" "$root/coredns"
  image_archive "$IMAGES/coredns.tar" "registry.k8s.io/coredns/coredns:$COREDNS_TAG" "$root" '{"Entrypoint": ["/coredns"]}'
}

# Without the libraries of iptables' plug-ins (libm for `statistic`) all looks well, and every Service
# with two endpoints is broken: hence the ldd over the plug-ins as well.
kube_proxy() {
  local root plugins
  root=$(folder)
  rm -rf "${root:?}"/{bin,run}
  ln -s usr/bin "$root/bin"
  ln -s usr/sbin "$root/sbin"
  ln -s usr/lib "$root/lib"
  ln -s usr/lib64 "$root/lib64"
  mkdir -p "$root"/{usr/lib,usr/lib64,run}
  cp "$BIN/kube-proxy" "$root/usr/local/bin/"
  plugins=$(cd "$ROOTFS" && find usr/lib/*/xtables -name '*.so' -printf '/%p\n')
  # shellcheck disable=SC2086
  copy_programs "$ROOTFS" "$root" /usr/sbin/xtables-nft-multi /usr/sbin/nft /usr/sbin/ipset /usr/sbin/conntrack \
    /usr/bin/kmod $plugins
  local name
  for name in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
    ln -s xtables-nft-multi "$root/usr/sbin/$name"
  done
  ln -s ../bin/kmod "$root/usr/sbin/modprobe"
  image_archive "$IMAGES/kube-proxy.tar" "registry.k8s.io/kube-proxy:$KUBERNETES_VERSION" "$root" "{\"Env\": [$SEARCH_PATH]}"
}

pause() {
  local root source
  root=$(folder)
  source=$(cd "$HERE/modules/kubernetes" && GOFLAGS=-mod=readonly go list -m -f '{{.Dir}}' k8s.io/kubernetes)
  cc -Os -Wall -static -DVERSION="$PAUSE_TAG" -o "$root/pause" "$source/build/pause/linux/pause.c"
  image_archive "$IMAGES/pause.tar" "registry.k8s.io/pause:$PAUSE_TAG" "$root" \
    '{"Entrypoint": ["/pause"], "User": "65535:65535"}'
}

storage() {
  local root
  root=$(folder)
  cp "$BIN/local-path-provisioner" "$root/usr/local/bin/"
  image_archive "$IMAGES/local-path-provisioner.tar" "localhost/local-path-provisioner:$LOCAL_PATH_TAG" "$root" \
    "{\"Env\": [$SEARCH_PATH]}"
  root=$(folder)
  busybox_into "$root"
  image_archive "$IMAGES/busybox.tar" localhost/busybox:1 "$root" "{\"Env\": [$SEARCH_PATH], \"Cmd\": [\"sh\"]}"
}

network() {
  local root
  root=$(folder)
  busybox_into "$root"
  cp "$BIN/kubectl" "$root/usr/local/bin/"
  install -m 0755 "$HERE/node/pod-routes.sh" "$root/pod-routes.sh"
  image_archive "$IMAGES/pod-routes.tar" localhost/pod-routes:1 "$root" \
    "{\"Env\": [$SEARCH_PATH], \"Entrypoint\": [\"/bin/sh\", \"/pod-routes.sh\"]}"
}

say "making the images of a node"
rm -rf "$IMAGES"
mkdir -p "$IMAGES"
control_plane
kube_proxy
pause
storage
network
