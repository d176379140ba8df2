"""The configuration of a service, as people write it, without detectors: eight lines, to which tests add."""

from __future__ import annotations

SHOP = """\
app: shop
topics: {events: e, labels: l, predictions: p, alerts: a, dead_letters: d}
events:
  features:
    amount: {type: number}
    age: {type: number}
    country: {type: category}
model: {name: m, problem: binary, learner: {kind: logistic}}
"""
