"""What libyaml complains about, in the words of somebody who looks at the file."""

from yaml.error import MarkedYAMLError

_WORDS = {
    "mapping values are not allowed in this context": (
        "a ':' that cannot stand here",
        "is the line indented like its neighbours? text that holds ': ' needs quotes",
    ),
    "could not find expected ':'": ("a key without ':'", "write `key: value`, with a space after the colon"),
    "did not find expected ',' or '}'": ("the { } opened on line {line} is not closed here", "a ',' or '}' is missing"),
    "did not find expected ',' or ']'": ("the [ ] opened on line {line} is not closed here", "a ',' or ']' is missing"),
    "did not find expected '-' indicator": (
        "this does not fit the list that starts on line {line}",
        "start each item with '- ', all at the same indentation",
    ),
    "did not find expected key": (
        "this does not fit the mapping that starts on line {line}",
        "is the line indented like its neighbours, and are all quotes and brackets closed?",
    ),
    "did not find expected node content": ("a value is missing before this", "check the brackets and commas"),
    "found unexpected end of stream": ("the quotes opened on line {line} are never closed", "add the closing quote"),
    "block sequence entries are not allowed in this context": (
        "a list cannot start here",
        "put the first '- ' on a line of its own",
    ),
    "found unknown escape character": (
        "this backslash escape is not known",
        "use single quotes, where a backslash is only a backslash",
    ),
    "did not find expected <document start>": ("something stands before or after the document", "remove it"),
}
_TAB = ("a tab cannot indent YAML", "use spaces")
_SPECIAL = ("a value cannot start with {char!r}", "put it in quotes")
_REFERENCE = 'put "${NAME}" in quotes: inside { } a bare ${ opens a mapping'


def plain_words(error: MarkedYAMLError, text: str) -> tuple[tuple[int, int], str, str]:
    """((line, column), message, hint) of a syntax error in `text`."""
    at = error.problem_mark or error.context_mark
    if at is None:
        return (1, 1), f"this is not YAML: {error.problem}", ""
    message, hint = _explained(error, _line(text, at.line), at.column)
    return (at.line + 1, at.column + 1), message, hint


def _explained(error: MarkedYAMLError, line: str, column: int) -> tuple[str, str]:
    problem = error.problem or ""
    if line[column : column + 1] == "\t" or "tab character" in problem:
        return _TAB
    if problem == "found character that cannot start any token":
        return _SPECIAL[0].format(char=line[column : column + 1]), _SPECIAL[1]
    message, hint = _WORDS.get(problem, (f"this is not YAML: {problem}", ""))
    if problem.startswith("did not find expected ','") and "${" in line[: column + 1]:
        hint = _REFERENCE
    opened = error.context_mark.line + 1 if error.context_mark else 1
    return message.replace("{line}", str(opened)), hint


def _line(text: str, number: int) -> str:
    lines = text.split("\n", number + 1)
    return lines[number] if number < len(lines) else ""
