"""Structures as servers before OPC UA 1.04 have them: no definitions, but dictionaries in XML.

asyncua's builder makes the nodes and the references; what it cannot write (optional fields, unions, enumerations,
types of another dictionary) is XML by hand, and values are bytes by hand: nothing here shares code with the reader.
"""

import struct

from asyncua import Server, ua
from asyncua.common.node import Node
from asyncua.common.type_dictionary_builder import DataTypeDictionaryBuilder

TOOLS = "urn:floorgate:tools"  # the namespace of the other dictionary
_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n<opc:TypeDictionary xmlns:opc="http://opcfoundation.org/BinarySchema/"'
    ' xmlns:ua="http://opcfoundation.org/UA/" xmlns:tns="{space}" xmlns:n1="' + TOOLS + '" TargetNamespace="{space}"'
    ' DefaultByteOrder="LittleEndian">\n'
)
TOOL = """
<opc:StructuredType Name="Tool" BaseType="ua:ExtensionObject">
  <opc:Field Name="number" TypeName="opc:UInt16"/>
  <opc:Field Name="wear" TypeName="ua:Range"/>
</opc:StructuredType>
"""
DRIVE = """
<opc:Import Namespace="http://opcfoundation.org/UA/"/>
<opc:EnumeratedType Name="Mode" LengthInBits="32"><opc:EnumeratedValue Name="Off" Value="0"/></opc:EnumeratedType>
<opc:StructuredType Name="&quot;type&quot; Drive" BaseType="ua:ExtensionObject">
  <opc:Documentation>What <opc:Field Name="wrong" TypeName="opc:Byte"/> is not.</opc:Documentation>
  <opc:Field Name="noteSpecified" TypeName="opc:Bit"/>
  <opc:Field Name="loadSpecified" TypeName="opc:Bit"/>
  <opc:Field Name="Reserved1" TypeName="opc:Bit" Length="30"/>
  <opc:Field Name="mode" TypeName="tns:Mode"/>
  <opc:Field Name="note" TypeName="opc:CharArray" SwitchField="noteSpecified"/>
  <opc:Field Name="load" TypeName="opc:Float" SwitchField="loadSpecified"/>
  <opc:Field Name="NoOftools" TypeName="opc:Int32"/>
  <opc:Field Name="tools" TypeName="n1:Tool" LengthField="NoOftools"/>
  <opc:Field Name="target" TypeName="tns:Target"/>
  <opc:Field Name="ready" TypeName="opc:Bit"/>
  <opc:Field Name="step" TypeName="opc:Bit" Length="7"/>
</opc:StructuredType>
<opc:StructuredType Name="Target" BaseType="ua:Union">
  <opc:Field Name="SwitchField" TypeName="opc:UInt32"/>
  <opc:Field Name="speed" TypeName="opc:Double" SwitchField="SwitchField" SwitchValue="1"/>
  <opc:Field Name="at" TypeName="opc:Int32" SwitchField="SwitchField" SwitchValue="2"/>
</opc:StructuredType>
"""


async def add(server: Server, index: int, plant: Node) -> None:
    """`Axis`, whose dictionary the builder wrote, `Drive`, and `Torn`, whose dictionary is none."""
    axes = await _builder(server, index, "Axes")
    axis = await axes.create_data_type("Axis")
    axis.add_field("position", ua.VariantType.Double)
    axis.add_field("name", ua.VariantType.String)
    axis.add_field("limits", ua.VariantType.Int16, is_array=True)
    await axes.set_dict_byte_string()
    body = struct.pack("<d", 12.5) + _text("left") + struct.pack("<ihh", 2, -7, 7)
    await _variable(plant, index, "Axis", axis, body)

    tools_at = await server.register_namespace(TOOLS)
    tools = await _builder(server, tools_at, "Tools")
    await tools.create_data_type("Tool")
    await _write(server, tools, TOOLS, TOOL)
    drives = await _builder(server, index, "Drives")
    drive = await drives.create_data_type('"type" Drive')
    await _write(server, drives, "urn:floorgate:drives", DRIVE)
    tool = struct.pack("<Hdd", 7, 0.25, 0.75)
    body = struct.pack("<Iif", 0b10, 2, 0.5) + struct.pack("<i", 2) + tool * 2 + struct.pack("<Ii", 2, -40) + b"\x0b"
    await _variable(plant, index, "Drive", drive, body)

    torn = await _builder(server, index, "Torn")
    kind = await torn.create_data_type("Torn")
    await server.get_node(torn.dict_id).write_value(b"<opc:TypeDictionary", ua.VariantType.ByteString)
    await _variable(plant, index, "Torn", kind, b"\x01")


async def _builder(server: Server, index: int, name: str) -> DataTypeDictionaryBuilder:
    builder = DataTypeDictionaryBuilder(server, index, f"urn:floorgate:{name.lower()}", name)
    await builder.init()
    return builder


async def _write(server: Server, builder: DataTypeDictionaryBuilder, space: str, types: str) -> None:
    """The dictionary by hand, and its namespace beside it, as the standard has it."""
    text = _HEAD.format(space=space) + types + "</opc:TypeDictionary>\n"
    node = server.get_node(builder.dict_id)
    await node.write_value(text.encode(), ua.VariantType.ByteString)
    await node.add_property(0, "NamespaceUri", space)


async def _variable(plant: Node, index: int, name: str, kind: object, body: bytes) -> None:
    """`kind` is what the builder made: its nodes are the data type, the description and the encoding."""
    data_type, _, encoding = kind.node_ids  # type: ignore[attr-defined]  # asyncua's class has no public name
    held = ua.ExtensionObject(encoding, body)
    variant = ua.Variant(held, ua.VariantType.ExtensionObject)
    await plant.add_variable(ua.NodeId(name, index), name, variant, datatype=data_type)


def _text(text: str) -> bytes:
    return struct.pack("<i", len(text)) + text.encode()
