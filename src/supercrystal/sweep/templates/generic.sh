#!/bin/bash
{% block header %}
#SBATCH --job-name={{ name }}
#SBATCH --output={{ log }}
#SBATCH --time={{ time }}
#SBATCH --signal=B:TERM@{{ notice_s }}
{% block resources %}
#SBATCH --nodes=1
#SBATCH --ntasks={{ lanes | length * ranks }}
#SBATCH --cpus-per-task={{ cores }}
#SBATCH --mem={{ memory_mib }}M
{% endblock %}
{% for option in options %}
#SBATCH {{ option }}
{% endfor %}
{% endblock %}

{% block setup %}
{% for line in setup %}
{{ line }}
{% endfor %}
{% endblock %}
export PATH={{ programs }}:"$PATH"
export OMP_NUM_THREADS={{ cores }}
{% block environment %}
export HYDRA_LAUNCHER=fork  # all ranks are on this node
{% endblock %}

# Before the walltime SLURM sends TERM to this shell. The command then working stops and leaves a checkpoint; none is begun
# after it, and the next submission goes on.
begin() {
  stop= child= failed=0
  trap 'stop=yes; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM
}
ended() {  # waits for a process and sets `code`
  wait "$1"; code=$?
  # A signal ends `wait` too, before the process has ended or its code was told.
  while kill -0 "$1" 2>/dev/null; do wait "$1"; code=$?; done
  if [ "$code" -gt 128 ]; then wait "$1"; told=$?; [ "$told" = 127 ] || code=$told; fi
}
run() {
  [ -z "$stop" ] || return
  "$@" & child=$!
  ended "$child"
  [ "$code" = 0 ] || failed=$code
  child=
}
{% block functions %}{% endblock %}
{% if lanes | length == 1 %}

begin
{% for command in lanes[0] %}
run {{ command }}
{% endfor %}
{% block end %}{% endblock %}
exit "$failed"
{% else %}

# {{ lanes | length }} lanes work at the same time, each on one command after the other.
pids=()
{% for commands in lanes %}
{% set lane = loop.index0 %}
(
  begin
{% block lane scoped %}{% endblock %}
{% for command in commands %}
  run {{ command }}
{% endfor %}
  exit "$failed"
) & pids+=($!)
{% endfor %}
trap 'kill -TERM "${pids[@]}" 2>/dev/null' TERM
failed=0
for pid in "${pids[@]}"; do
  ended "$pid"
  [ "$code" = 0 ] || failed=$code
done
{{ self.end() }}
exit "$failed"
{% endif %}
