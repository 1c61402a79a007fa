"""What a validator says, in plain words: what is wrong, what would be right, and where."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.config.explain import validate
from agent.config.problems import Invalid, Mark, Report, Scope
from agent.config.reader import read
from agent.config.words import did_you_mean, shown


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    size: int = Field(gt=0, lt=10, multiple_of=2, description="how large it is")


class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    part: Part | None = None
    parts: Annotated[list[Part], Field(max_length=2)] = []
    by_name: dict[str, Part] = {}
    by_number: dict[int, str] = {}
    text: Annotated[str, Field(min_length=2, max_length=4)] = "abc"
    word: Literal["alpha", "beta"] = "alpha"
    ratio: Annotated[float, Field(ge=0.5, allow_inf_nan=False)] = 1.0
    flag: bool = False
    either: int | str = 0
    amount: int | Annotated[float, Field(allow_inf_nan=False)] = 0
    choice: Literal["a", "b"] | int = "a"
    pair: tuple[int, int] = (0, 0)

    @model_validator(mode="after")
    def _agrees(self) -> "Thing":
        if self.flag and self.word == "beta":
            raise ValueError("a beta has no flag")
        return self


def said(text: str) -> list[str]:
    report = Report()
    raw = read(text.encode(), "f", report)
    validate(Thing, raw, Mark("f", 1, 1), Scope(report).within("thing 'x'"))
    with pytest.raises(Invalid) as caught:
        report.settle()
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "f:1:1: thing 'x': must be a mapping (key: value)"),
        ("part: {}", "f:1:7: thing 'x': part: size is missing (how large it is)"),
        ("part: {size: 2, sise: 3}", "f:1:17: thing 'x': part: unknown key 'sise' (did you mean 'size'?)"),
        ("part: {size: 12}", "f:1:14: thing 'x': part.size: 12 is not less than 10"),
        ("part: {size: 0}", "f:1:14: thing 'x': part.size: 0 is not more than 0"),
        ("part: {size: 3}", "f:1:14: thing 'x': part.size: 3 is not a multiple of 2"),
        ("part: {size: '4'}", "f:1:14: thing 'x': part.size: must be a whole number (leave the quotes away)"),
        ("part: {size: 4.5}", "f:1:14: thing 'x': part.size: must be a whole number (4.5 is not)"),
        ("part: {size: true}", "f:1:14: thing 'x': part.size: must be a whole number (true is not)"),
        ("part: {size: [1]}", "f:1:14: thing 'x': part.size: must be a whole number"),
        ("parts: [{size: 2}, {size: x}]", "f:1:27: thing 'x': parts[1].size: must be a whole number ('x' is not)"),
        ("parts: [{size: 2}, {size: 2}, {size: 2}]", "f:1:8: thing 'x': parts: has more than 2 items"),
        ("by_name: {a: {size: 2}, b: {syze: 2, size: 4}}", "f:1:29: thing 'x': by_name.b: unknown key 'syze' (did you"),
        ("by_number: {on: '1'}", "f:1:13: thing 'x': by_number.on: must be a whole number ('on' is not)"),
        ("by_name: [1]", "f:1:10: thing 'x': by_name: must be a mapping (key: value)"),
        ("text: a", "f:1:7: thing 'x': text: is shorter than 2 characters"),
        ("text: abcde", "f:1:7: thing 'x': text: is longer than 4 characters"),
        ("text: 12", "f:1:7: thing 'x': text: must be text (put it in quotes)"),
        ("text: {a: b}", "f:1:7: thing 'x': text: must be text"),
        ("text:", "f:1:6: thing 'x': text: has no value (write one, or leave the line out)"),
        ("word: Alfa", "f:1:7: thing 'x': word: 'Alfa' is not known here (did you mean 'alpha'?)"),
        ("word: zzz", "f:1:7: thing 'x': word: 'zzz' is not known here (one of: alpha, beta)"),
        ("ratio: 0.25", "f:1:8: thing 'x': ratio: 0.25 is less than 0.5"),
        ("ratio: .nan", "f:1:8: thing 'x': ratio: must be a finite number (nan is not)"),
        ("flag: yes", "f:1:7: thing 'x': flag: must be true or false ('yes' is not)"),
        ("flag: 1", "f:1:7: thing 'x': flag: must be true or false (1 is not)"),
        ("amount: '5'", "f:1:9: thing 'x': amount: must be a number (leave the quotes away)"),
        ("amount: .inf", "f:1:9: thing 'x': amount: must be a finite number (inf is not)"),
        ("either: 1.5", "f:1:9: thing 'x': either: must be a whole number or text (1.5 is not)"),
        ("{flag: true, word: beta}", "f:1:1: thing 'x': a beta has no flag"),
    ],
)
def test_a_mistake_reads(text: str, message: str) -> None:
    (problem,) = said(text)
    assert problem.startswith(message)


def test_every_branch_of_a_union_is_said_at_the_value() -> None:
    assert all(problem.startswith("f:1:9: thing 'x': choice: ") for problem in said("choice: c"))


def test_pydantics_own_words_are_the_last_resort() -> None:
    assert said("pair: [1, 2]")[0].startswith("f:1:7: thing 'x': pair: must be a list")


@pytest.mark.parametrize(
    ("word", "names", "hint"),
    [
        ("intervall", ["interval", "unit"], "did you mean 'interval'?"),
        ("INTERVAL", ["interval"], "did you mean 'interval'?"),
        ("zzz", ["b", "a"], "one of: a, b"),
        ("zzz", [], ""),
        ("zzz", [str(number) for number in range(31)], ""),
        ("a" * 1_000_000, ["a"], "one of: a"),
        (7, ["a"], "one of: a"),
    ],
)
def test_the_nearest_name_is_proposed(word: Any, names: list[str], hint: str) -> None:
    assert did_you_mean(word, names) == hint


def test_a_value_is_quoted_in_short() -> None:
    assert shown("a") == "'a'"
    assert shown(True) == "true"
    assert shown(1.5) == "1.5"
    assert len(shown("a" * 1000)) == 60
