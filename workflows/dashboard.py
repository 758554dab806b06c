"""A sweep in a browser: state points and the figure of every job.

pip install "supercrystal[dashboard]"
cd sweeps/NAME && python ../../workflows/dashboard.py run
"""

from __future__ import annotations

from typing import Any

from signac_dashboard import Dashboard
from signac_dashboard.modules import FileList, ImageViewer, StatepointList


class SweepDashboard(Dashboard):
    """Jobs named by what they differ in."""

    def job_title(self, job: Any) -> str:
        """Operation, seed and axes."""
        axes = str(job.statepoint["axes"]).replace("{", "").replace("}", "").replace("'", "")
        return f"{job.statepoint['operation']}, seed {job.statepoint['seed']}: {axes}"


if __name__ == "__main__":
    modules = [
        StatepointList(),
        ImageViewer(name="Figure", img_globs=["figure.png"]),
        ImageViewer(name="Figures of the run", img_globs=["run/figures/*.png"]),
        FileList(),
    ]
    SweepDashboard(modules=modules).main()
