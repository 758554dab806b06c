{% extends "generic.sh" %}
{% block resources %}
{{ super() -}}
#SBATCH --gres=gpu:{{ gpus }}
{% endblock %}
{% block functions %}
{% if gpus > 1 %}

# Each lane sees its own GPUs of those that SLURM gave.
IFS=, read -ra given <<< "${CUDA_VISIBLE_DEVICES:-$(seq -s, 0 {{ gpus - 1 }})}"
see() {
  local mine=()
  for number in "$@"; do mine+=("${given[$number]}"); done
  CUDA_VISIBLE_DEVICES=$(IFS=,; echo "${mine[*]}")
  export CUDA_VISIBLE_DEVICES
}
{% endif %}
{% endblock %}
{% block lane %}
{% if gpus > 1 %}
  see {{ seen[lane] | join(" ") }}
{% endif %}
{% endblock %}
