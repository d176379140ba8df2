"""How good the models are, how they fit, and who competes."""

from __future__ import annotations

from boards.panels import BARS, Dashboard, Panel, Row, table
from boards.shared import SCORES, TOLD

MODELS = Dashboard(
    "driftline-models",
    "Driftline: models and scores",
    (
        Row("Scores", (SCORES, TOLD)),
        Row(
            "The champion",
            (
                table(
                    "Serving",
                    "By worker.",
                    "max by (instance, model, version, recipe, digest) (driftline_model_info)",
                    10,
                ),
                Panel(
                    "Size",
                    "Of the signed artifact.",
                    {"{{model}}": "max by (model) (driftline_model_bytes)"},
                    "bytes",
                    4,
                ),
                Panel(
                    "Threshold",
                    "Probability from which a prediction is true.",
                    {"{{partition}}": "max by (partition) (driftline_decision_threshold)"},
                    width=5,
                ),
                Panel(
                    "Rows it could not take",
                    "That it could neither predict nor learn from.",
                    {"{{partition}}": "max by (partition) (driftline_learner_faults)"},
                    width=5,
                ),
            ),
        ),
        Row(
            "By class",
            tuple(
                Panel(title, text, {"{{class}}": f'avg by (class) (driftline_class_score{{metric="{name}"}})'})
                for name, title, text in (
                    ("recall", "Recall", "Of those that are of the class, the share that was found."),
                    ("precision", "Precision", "Of those that were said to be of the class, the share that are."),
                    ("support", "Support", "Labels of the class that these are reckoned from."),
                )
            ),
        ),
        Row(
            "How they fit",
            (
                Panel(
                    "Gap",
                    "Share of the loss that is gone once events are learned: 0 is best, 1 is learned by heart.",
                    {"{{source}}": "avg by (source) (driftline_fit_gap)"},
                    "percentunit",
                ),
                Panel(
                    "Loss",
                    "Over the newest stretch of the learning curve, before it is learned.",
                    {"{{source}}": "avg by (source) (driftline_fit_loss)"},
                ),
                table(
                    "Settings that decide how closely",
                    "Regularization of each model.",
                    "max by (source, setting) (driftline_regularization)",
                    8,
                ),
            ),
        ),
        Row(
            "Who competes",
            (
                Panel(
                    "Challengers",
                    "Models in the champion's shadow, by how far they have come.",
                    {"{{stage}}": "sum by (stage) (driftline_challengers)"},
                ),
                Panel(
                    "Library",
                    "Retired champions that may come back.",
                    {"{{partition}}": "sum by (partition) (driftline_library_models)"},
                ),
                Panel(
                    "Refused",
                    "Models in the store that were not loaded: untrusted or unusable.",
                    {"{{instance}}": "sum by (instance) (increase(driftline_models_refused_total[$__rate_interval]))"},
                    look=BARS,
                ),
            ),
        ),
    ),
)
