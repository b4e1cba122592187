#!/usr/bin/env bash
# Creates the cluster $CLUSTER_NAME (a cluster of that name that runs already is left as it is) and
# writes its kubeconfig.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

"$HERE/prepare.sh"
choose_docker
"$HERE/daemon.sh" start

# A node image of ours: imported once into the daemon, under a tag that names its content.
image=()
if own_docker; then
  tag=localhost/vltava-node:$(cat "$CLUSTER_CACHE/node.hash")
  if ! docker image inspect "$tag" >/dev/null 2>&1; then
    say "importing the node image"
    docker import "$CLUSTER_CACHE/node.tar" "$tag-files" >/dev/null
    # `docker import` cannot set the signal.
    printf '%s\n' "FROM $tag-files" 'ENV container=docker' 'STOPSIGNAL SIGRTMIN+3' \
      'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' |
      DOCKER_BUILDKIT=0 docker build --quiet --tag "$tag" - >/dev/null
    remove_images localhost/vltava-node "$tag"
  fi
  image=(--image "$tag")
fi

if kind get clusters 2>/dev/null | grep -qx "$CLUSTER_NAME"; then
  say "the cluster $CLUSTER_NAME is up already"
  kind export kubeconfig --name "$CLUSTER_NAME" --kubeconfig "$KUBECONFIG_FILE" --quiet
else
  say "creating the cluster $CLUSTER_NAME"
  kind create cluster --name "$CLUSTER_NAME" --config "$HERE/kind.yaml" --kubeconfig "$KUBECONFIG_FILE" \
    --wait 180s "${image[@]}"
fi
# kind waits for nodes only; a Service without its DNS or a claim without its provisioner is not up.
export KUBECONFIG=$KUBECONFIG_FILE
for deployment in kube-system/coredns local-path-storage/local-path-provisioner; do
  kubectl --namespace "${deployment%/*}" rollout status --timeout=180s "deployment/${deployment#*/}" >/dev/null
done
say "the cluster $CLUSTER_NAME is ready"
