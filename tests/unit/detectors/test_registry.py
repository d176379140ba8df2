"""Building detectors from configuration, inside a larger model as the service does."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from detectors.concept.ddm import Ddm, DdmConfig
from detectors.data.ks import KolmogorovSmirnov, KsConfig
from detectors.data.missing_rate import MissingRateConfig
from detectors.registry import CONCEPT, DATA, ConceptConfig, DataConfig, build_concept, build_data


class Service(BaseModel):
    concept: list[ConceptConfig] = []
    data: list[DataConfig] = []


def test_the_kind_chooses_the_configuration_and_the_detector() -> None:
    service = Service.model_validate({"concept": [{"kind": "ddm", "warmup": 50}], "data": [{"kind": "ks"}]})
    assert service.concept == [DdmConfig(warmup=50)]
    assert isinstance(build_concept(service.concept[0]), Ddm)
    assert isinstance(build_data(service.data[0], ["x"], []), KolmogorovSmirnov)


def test_an_unknown_kind_is_refused_with_all_that_exist() -> None:
    with pytest.raises(ValidationError) as refusal:
        Service.model_validate({"concept": [{"kind": "adwim"}]})
    for kind in CONCEPT:
        assert f"'{kind}'" in str(refusal.value)


@pytest.mark.parametrize("kind", [*CONCEPT, *DATA])
def test_every_option_has_a_description_for_the_reference(kind: str) -> None:
    union = "concept" if kind in CONCEPT else "data"
    config = getattr(Service.model_validate({union: [{"kind": kind}]}), union)[0]
    assert type(config).__doc__
    assert [name for name, field in type(config).model_fields.items() if not field.description] == ["kind"]


def test_a_configuration_survives_a_round_trip_through_json() -> None:
    service = Service.model_validate({"concept": [{"kind": kind} for kind in CONCEPT], "data": [{"kind": "ks"}]})
    assert Service.model_validate_json(service.model_dump_json()) == service


def test_a_data_detector_watches_all_features_of_its_type_unless_some_are_named() -> None:
    everything = build_data(KsConfig(), ["x", "y"], ["c"])
    named = build_data(KsConfig(features=("y",)), ["x", "y"], ["c"])
    assert everything is not None
    assert named is not None
    assert (everything.features, named.features) == (("x", "y"), ("y",))


def test_there_is_no_data_detector_without_features_of_its_type() -> None:
    assert build_data(KsConfig(), [], ["c"]) is None


@pytest.mark.parametrize(
    ("feature", "words"),
    [("c", "'c' is not numeric; ks can watch x, y"), ("z", "'z' does not exist; ks can watch x, y")],
)
def test_a_named_feature_that_does_not_fit_is_refused_with_those_that_do(feature: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build_data(KsConfig(features=(feature,)), ["x", "y"], ["c"])


def test_a_detector_for_either_type_watches_features_of_both() -> None:
    everything = build_data(MissingRateConfig(), ["x", "y"], ["c"])
    named = build_data(MissingRateConfig(features=("c",)), ["x", "y"], ["c"])
    assert everything is not None
    assert named is not None
    assert (everything.features, named.features) == (("x", "y", "c"), ("c",))
    with pytest.raises(ValueError, match="'z' does not exist; missing_rate can watch x, y, c"):
        build_data(MissingRateConfig(features=("z",)), ["x", "y"], ["c"])
