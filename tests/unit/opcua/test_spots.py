"""Where values are, as people write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua.nodes import parse
from drivers.opcua.spots import BrowsePath, Spot, locate, shorter


@pytest.mark.parametrize(
    ("text", "node", "inner"),
    [
        ("i=2258", "i=2258", ()),
        ("i=2255[1]", "i=2255", (1,)),
        ("ns=2;i=7001.position.x", "ns=2;i=7001", ("position", "x")),
        ("nsu=urn:press;i=7[0].x[2]", "nsu=urn:press;i=7", (0, "x", 2)),
        ("ns=2;b=AQID.x", "ns=2;b=AQID", ("x",)),
        ("ns=3;s=Row[2]", "ns=3;s=Row[2]", ()),
        ('ns=3;s="DB"."arr"[3]', 'ns=3;s="DB"."arr"[3]', ()),
    ],
)
def test_a_node_id_may_have_a_place_within(text: str, node: str, inner: tuple[int | str, ...]) -> None:
    assert locate(text) == Spot(parse(node), inner)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("/Objects/2:Press/2:Temp", ((0, "Objects"), (2, "Press"), (2, "Temp"))),
        ("/Objects/nsu=urn:press;Press", ((0, "Objects"), ("urn:press", "Press"))),
        ("/nsu=http://x.org/UA/;A/nsu=http://x.org/UA/;B", (("http://x.org/UA/", "A"), ("http://x.org/UA/", "B"))),
        ("/Objects/2:a&/b&&c", ((0, "Objects"), (2, "a/b&c"))),
        ("/Objects/2:a:b c", ((0, "Objects"), (2, "a:b c"))),
    ],
)
def test_a_browse_path_names_the_way(text: str, names: tuple[tuple[int | str, str], ...]) -> None:
    assert locate(text) == Spot(BrowsePath(names))


@pytest.mark.parametrize("text", ["/", "//", "/Objects/", "/70000:A", "/nsu=;A", "/A&", "Temp", "ns=2;s=", "i=x[1]"])
def test_what_is_neither_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"write|goes up to|stands? "):
        locate(text)


def test_a_name_is_taken_apart_from_its_end() -> None:
    cuts = [locate("ns=3;s=DB.arr[3].x")]
    while (cut := shorter(cuts[-1])) is not None:
        cuts.append(cut)
    assert [(spot.node.identifier, spot.inner) for spot in cuts if not isinstance(spot.node, BrowsePath)] == [
        ("DB.arr[3].x", ()),
        ("DB.arr[3]", ("x",)),
        ("DB.arr", (3, "x")),
        ("DB", ("arr", 3, "x")),
    ]


def test_the_last_name_of_a_path_is_taken_apart_too() -> None:
    assert shorter(locate("/Objects/2:Row[1]")) == Spot(BrowsePath(((0, "Objects"), (2, "Row"))), (1,))
    assert shorter(locate("i=2255[1]")) is None


@given(st.text(max_size=30))
def test_any_text_is_a_spot_or_a_value_error(text: str) -> None:
    for prefix in ("", "/", "ns=2;s=", "i=2["):
        try:
            found = locate(prefix + text)
        except ValueError:
            continue
        cut = shorter(found)
        assert cut is None or len(cut.inner) == len(found.inner) + 1
