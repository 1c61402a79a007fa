"""Values keep their places when a map's defaults and a device's own words are laid over one another."""

from agent.config.defaults import TagDefaults
from agent.config.problems import Mark, Report
from agent.config.reader import read
from agent.config.tags import overlay, with_defaults
from agent.config.tree import Mapping, Sequence, leaves, merge


def mapping(text: str, file: str = "f") -> Mapping:
    found = read(text.encode(), file, Report())
    assert isinstance(found, Mapping)
    return found


def tags(text: str, file: str = "f") -> Sequence:
    found = read(text.encode(), file, Report())
    assert isinstance(found, Sequence)
    return found


def test_the_upper_layer_wins_and_each_value_keeps_its_place() -> None:
    merged = merge(mapping("{a: 1, b: 2}", "map"), mapping("b: 3\nc: 4", "site"), origin="quirks")
    assert merged == {"a": 1, "b": 3, "c": 4}
    assert merged.value_marks["a"] == Mark("map", 1, 5)
    assert merged.value_marks["b"] == Mark("site", 1, 4)
    assert merged.key_marks["c"] == Mark("site", 2, 1)
    assert merged.mark.file == "site"


def test_a_merged_value_says_which_section_of_a_map_it_came_from() -> None:
    merged = merge(mapping("{a: 1, b: 2}"), mapping("{b: 3}"), origin="quirks")
    assert merged.origin == {"a": "quirks", "b": ""}
    again = merge(merged, mapping("{c: 1}"), origin="other")
    assert again.origin == {"a": "quirks", "b": "other", "c": ""}


def test_merging_changes_neither_layer() -> None:
    base, over = mapping("{a: 1}"), mapping("{a: 2}")
    merge(base, over)
    assert (base, over) == ({"a": 1}, {"a": 2})


def test_without_leaves_the_rest_with_its_places() -> None:
    rest = mapping("{a: 1, b: 2}").without("a")
    assert rest == {"b": 2}
    assert rest.value_marks == {"b": Mark("f", 1, 11)}


def test_defaults_lie_below_every_tag() -> None:
    defaults = TagDefaults(mapping("{type: bool}", "defaults"), None)
    filled = with_defaults(tags("[{name: a}, {name: b, type: int8}, 7]"), defaults)
    assert filled == [{"type": "bool", "name": "a"}, {"type": "int8", "name": "b"}, 7]
    assert filled[0].origin["type"] == "defaults"
    assert filled[1].origin["type"] == ""


def test_an_overlay_keeps_the_order_of_the_map_and_says_what_changed() -> None:
    base = tags("[{name: a, unit: V}, {name: b}, {name: c}]")
    defaults = TagDefaults(mapping("{type: bool}"), None)
    laid, changed = overlay(base, base, tags("[{name: c, unit: A}, {name: new}, x]"), defaults, ())
    assert laid == [
        {"name": "a", "unit": "V"},
        {"name": "b"},
        {"type": "bool", "name": "c", "unit": "A"},
        {"type": "bool", "name": "new"},
        "x",
    ]
    assert changed == [2, 3, 4]
    assert laid[0] is base[0]
    assert len(base) == 3


def test_leaves_are_all_scalars_below() -> None:
    assert list(leaves(mapping("{a: [1, {b: x}], c: }"))) == [1, "x", None]
    assert list(leaves("alone")) == ["alone"]
