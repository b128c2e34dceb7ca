"""How the training went."""

from __future__ import annotations

import pandas as pd

from scangen_bundle.report.figures import history_figure
from scangen_bundle.report.page import Group, Panel, Section, drawn, undefined

# One panel per family: losses are of one size, AUROCs lie between 0 and 1, the rest each has its own.
FAMILIES = (
    ("Losses", lambda name: "loss" in name),
    ("AUROC on the validation patients", lambda name: name.startswith("val/auroc")),
    ("Agreement on the validation patients", lambda name: name in ("val/cov", "val/flip_rate")),
)


def training_section(history: pd.DataFrame) -> Section:
    """Curves of losses and validation metrics.

    Args:
        history: a column per metric under its MLflow name (`train/loss`, `val/auroc/mean`, ...), indexed by epoch or with
            a column `epoch`.
    """
    history = history.set_index("epoch") if "epoch" in history else history
    panels: list[Panel] = []
    for title, belongs in FAMILIES:
        columns = [name for name in map(str, history.columns) if belongs(name) and history[name].notna().any()]
        if columns:
            key = f"training-{len(panels)}"
            panels.append(drawn(key, title, f"{title} over the epochs", history_figure(history, columns, title)))
    if not panels:
        panels = [undefined("training-0", "Training curves", "No loss and no validation metric was logged.")]
    return Section("training", "Training", [Group("Training curves", panels)], folded=True)
