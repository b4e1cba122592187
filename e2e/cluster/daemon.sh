#!/usr/bin/env bash
# A Docker daemon of our own, for machines where none runs: own data, own socket, own addresses.
#   daemon.sh start | stop
# It is ended by its pid file only, and does nothing where somebody else's daemon answers.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
choose_docker
own_docker || exit 0

DATA=$CACHE/docker
PID_FILE=$DOCKER_RUN/docker.pid
# Addresses reserved for tests of network devices (RFC 2544): they exist on this machine alone.
BRIDGE=198.18.0.1/24
POOL=base=198.18.128.0/17,size=24
CAP_SYS_RESOURCE_BIT=24
DEADLINE_S=60

running() { [ -f "$PID_FILE" ] && kill -0 "$(cat "$PID_FILE")" 2>/dev/null && docker info >/dev/null 2>&1; }

lacks_sys_resource() {
  local effective
  effective=$(awk '/^CapEff/ {print $2}' /proc/self/status)
  [ $((0x$effective >> CAP_SYS_RESOURCE_BIT & 1)) -eq 0 ]
}

start() {
  running && return
  command -v dockerd >/dev/null || die "dockerd is missing (Debian's package docker.io), and no Docker daemon answers"
  mkdir -p "$DATA" "$DOCKER_RUN"
  rm -f "$PID_FILE"
  local runtime=()
  if lacks_sys_resource; then
    runtime=(--add-runtime "vltava-runc=$HERE/runc-without-sys-resource.sh" --default-runtime vltava-runc)
  fi
  say "starting a Docker daemon of our own"
  setsid dockerd --data-root "$DATA" --exec-root "$DOCKER_RUN/exec" --pidfile "$PID_FILE" --host "$DOCKER_HOST" \
    --ip-forward=false --bip "$BRIDGE" --default-address-pool "$POOL" "${runtime[@]}" \
    >"$CACHE/dockerd.log" 2>&1 </dev/null {LOCK_FD}>&- &
  local deadline=$((SECONDS + DEADLINE_S))
  until running; do
    [ $SECONDS -lt $deadline ] || die "dockerd did not start within $DEADLINE_S s; end of its log:
$(tail -n 20 "$CACHE/dockerd.log")"
    sleep 0.2
  done
}

stop() {
  [ -f "$PID_FILE" ] || return 0
  local pid deadline=$((SECONDS + DEADLINE_S))
  pid=$(cat "$PID_FILE")
  kill "$pid" 2>/dev/null || return 0
  while kill -0 "$pid" 2>/dev/null; do
    [ $SECONDS -lt $deadline ] || die "dockerd ($pid) did not end within $DEADLINE_S s"
    sleep 0.2
  done
  ip link delete docker0 2>/dev/null || true
}

lock daemon
case ${1:-} in
  start) start ;;
  stop) stop ;;
  *) die "usage: daemon.sh start | stop" ;;
esac
