def test_two_models_answer(tiny_comparator, cat):
    comparison = tiny_comparator.compare(cat)
    assert [verdict.model for verdict in comparison.models] == ["scratch_cnn", "xception"]
    assert comparison.prediction in ("Cat", "Dog")
    assert comparison.source == "bundled"
