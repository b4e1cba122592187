#!/usr/bin/env bash
# An OCI runtime for machines that lack CAP_SYS_RESOURCE: `docker run --privileged` asks for all
# capabilities, and runc fails if one cannot be given. This takes that one out of what is asked for,
# raises a negative oom_score_adj (which needs it) to 0, and runs runc.
set -euo pipefail

without_sys_resource() {
  local file=$1 path=$2 changed
  [ -f "$file" ] || return 0
  changed=$(jq "
    def trimmed: if . == null then . else map_values(map(select(. != \"CAP_SYS_RESOURCE\"))) end;
    ($path.capabilities |= trimmed)
    | if (($path.oomScoreAdj // 0) < 0) then $path.oomScoreAdj = 0 else . end" "$file")
  printf '%s' "$changed" >"$file"
}

previous=
for word in "$@"; do
  case $previous in
    --bundle | -b) without_sys_resource "$word/config.json" .process ;;
    --process | -p) without_sys_resource "$word" "" ;;
  esac
  case $word in
    --bundle=*) without_sys_resource "${word#*=}/config.json" .process ;;
    --process=*) without_sys_resource "${word#*=}" "" ;;
  esac
  previous=$word
done
exec runc "$@"
