{% extends "generic.sh" %}
{% block resources %}
{% if lanes | length > 1 %}
#SBATCH --nodes=1
{% endif %}
#SBATCH --ntasks={{ lanes | length * ranks }}
#SBATCH --cpus-per-task={{ cores }}
#SBATCH --mem-per-cpu={{ memory_per_cpu_mib }}M
{% endblock %}
{% block environment %}
{% if lanes | length > 1 %}
{{ super() }}
{%- endif %}
{% endblock %}
