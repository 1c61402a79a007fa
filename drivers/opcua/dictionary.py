"""OPC Binary type dictionaries: XML in which servers before OPC UA 1.04 describe their structures (part 5, annex C).

The XML comes from the wire: it may have no DTD, so it has no entities that grow or lead elsewhere, and what is kept of
it is bounded. What a dictionary says of itself may be wrong; then it is Malformed, or a type is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from drivers.opcua.binary import Malformed
from drivers.opcua.layouts import CHAR, OPERANDS, Layout, Part

SCHEMA, STANDARD = "http://opcfoundation.org/BinarySchema/", "http://opcfoundation.org/UA/"
MOST = 200_000  # types and fields of a dictionary, inherited ones too; the standard's own has 2,000
SPACES = 256  # prefixes of namespaces at one place
WIDEST = 4096  # bits of one bit field
DEEPEST = 64  # elements within elements: documentation may hold any
_PRIMITIVE = {"Boolean": 1, "SByte": 2, "Byte": 3, "Int16": 4, "UInt16": 5, "Int32": 6, "UInt32": 7, "Int64": 8}
_PRIMITIVE |= {"UInt64": 9, "Float": 10, "Double": 11, "String": 12, "CharArray": 12, "DateTime": 13, "Guid": 14}
_PRIMITIVE |= {"ByteString": 15}
_BUILTIN = {"XmlElement": 16, "NodeId": 17, "ExpandedNodeId": 18, "StatusCode": 19, "QualifiedName": 20}
_BUILTIN |= {"LocalizedText": 21, "ExtensionObject": 22, "DataValue": 23, "Variant": 24, "DiagnosticInfo": 25}
BY_NAME = {**_PRIMITIVE, **_BUILTIN}
_ENUMERATION = {8: 3, 16: 5, 32: 6, 64: 8}  # bits of an enumeration: the built-in type that they are read as


@dataclass(frozen=True, slots=True)
class Dictionary:
    """`types` by `key`: a structure, or the built-in type as which an enumeration is read."""

    namespace: str
    types: Mapping[str, Layout | int]


def key(namespace: str, name: str) -> str:
    """How a type of a dictionary is called here; no node id looks like that."""
    return f"{{{namespace}}}{name}"


def parse(text: bytes) -> Dictionary:
    """Raises Malformed."""
    reading = _Reading()
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = reading.start, reading.end
    parser.StartDoctypeDeclHandler = _refuse
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    try:
        parser.Parse(text.rstrip(b"\0"), True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise error if isinstance(error, Malformed) else Malformed(f"no XML: {error}") from None
    return reading.dictionary()


def _refuse(*_: object) -> None:
    raise Malformed("a dictionary with a DTD, which it must not have")


@dataclass(slots=True)
class _Type:
    name: str
    base: str = ""
    parts: list[Part] | None = field(default_factory=list)  # None: it cannot be read
    repeats: bool = False  # the fields of its base stand among its own


@dataclass(slots=True)
class _Reading:
    """What has been read of a dictionary so far: types on the second level of its elements, fields on the third."""

    target: str = ""
    types: dict[str, Layout | int] = field(default_factory=dict)
    structures: dict[str, _Type] = field(default_factory=dict)
    within: _Type | None = None
    held: int = 0  # types and fields
    spaces: list[dict[str, str]] = field(default_factory=lambda: [{}])

    def start(self, element: str, said: dict[str, str]) -> None:
        declared = {name.partition(":")[2]: uri for name, uri in said.items() if name.partition(":")[0] == "xmlns"}
        self.spaces.append(self.spaces[-1] | declared if declared else self.spaces[-1])
        depth, local = len(self.spaces) - 1, element.rpartition(":")[2]
        if depth > DEEPEST or len(self.spaces[-1]) > SPACES:
            raise Malformed("a dictionary of too many elements within elements, or too many namespaces")
        if depth == 1:
            self._root(local, said)
        elif depth == 2:
            self._type(local, said)
        elif depth == 3 and local == "Field" and self.within is not None:
            self._field(self.within, said)

    def end(self, element: str) -> None:
        self.spaces.pop()
        if len(self.spaces) == 2:
            self.within = None

    def dictionary(self) -> Dictionary:
        for name, each in self.structures.items():
            parts = self._whole(each, 0)
            if parts is not None:
                self.types[name] = Layout(tuple(parts))
        return Dictionary(self.target, self.types)

    def _root(self, local: str, said: dict[str, str]) -> None:
        if local != "TypeDictionary":
            raise Malformed(f"no dictionary of types, but a {local[:64]}")
        self.target = said.get("TargetNamespace", "")

    def _count(self, more: int) -> None:
        self.held += more
        if self.held > MOST:
            raise Malformed(f"a dictionary of more than {MOST:,} types and fields")

    def _type(self, local: str, said: dict[str, str]) -> None:
        self._count(1)
        name = key(self.target, said.get("Name", ""))
        if local == "EnumeratedType":
            kind = _ENUMERATION.get(_number(said.get("LengthInBits", "32")))
            if kind is not None:
                self.types[name] = kind
        elif local == "StructuredType":
            base = self._named(said["BaseType"]) if "BaseType" in said else ""
            self.within = self.structures[name] = _Type(name, base)

    def _field(self, of: _Type, said: dict[str, str]) -> None:
        self._count(1)
        of.repeats = of.repeats or "SourceType" in said
        part = self._part(said)
        if part is None:
            of.parts = None
        elif of.parts is not None:
            of.parts.append(part)

    def _part(self, said: dict[str, str]) -> Part | None:
        """None for a field that cannot be read: what comes behind it could not be found."""
        name, kind = said.get("Name", ""), self._named(said.get("TypeName", ""))
        length = _number(said["Length"]) if "Length" in said else None
        operand = said.get("SwitchOperand", "Equals")
        if "Terminator" in said or operand not in OPERANDS:
            return None
        switch = said.get("SwitchField", "")
        compare = (operand, _number(said["SwitchValue"])) if "SwitchValue" in said else ("NotEqual", 0)
        if kind == key(SCHEMA, "Bit"):
            width = 1 if length is None else length
            return Part(name, kind, width, None, False, switch, compare) if 0 < width <= WIDEST else None
        count = said.get("LengthField", length)
        in_bytes = said.get("IsLengthInBytes") in ("true", "1")
        return Part(name, kind, 0, count, in_bytes, switch, compare)

    def _named(self, text: str) -> str:
        """The type that a qualified name means: `opc:Int32`, `tns:Point`; one without a prefix is of this dictionary,
        unless only the standard has it."""
        prefix, colon, local = text.partition(":")
        if not colon:
            return f"i={BY_NAME[text]}" if text in BY_NAME else key(self.target, text)
        space = self.spaces[-1].get(prefix, self.target)
        if space == SCHEMA and local == "Char":
            return CHAR
        known = _PRIMITIVE if space == SCHEMA else BY_NAME if space == STANDARD else {}
        return f"i={known[local]}" if local in known else key(space, local)

    def _whole(self, each: _Type, depth: int) -> list[Part] | None:
        """The fields of a type behind those of its base, where the dictionary does not repeat them itself."""
        base = self.structures.get(each.base)
        if each.parts is None or base is None or each.repeats:
            return each.parts
        above = self._whole(base, depth + 1) if depth < DEEPEST else None
        if above is None:
            return None
        self._count(len(above) + len(each.parts))
        begins = [part.name for part in each.parts[: len(above)]] == [part.name for part in above]
        return each.parts if begins else above + each.parts


def _number(text: str) -> int:
    if not text.strip().lstrip("-").isdecimal() or len(text) > 20:
        raise Malformed(f"{text[:32]!r} is no number")
    return int(text)
