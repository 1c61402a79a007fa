"use strict";
// Nodes of every kind that is no plain number, and one that keeps its history, for opcua_server.js.

const { coerceLocalizedText, coerceQualifiedName } = require("node-opcua-data-model");
const { resolveNodeId } = require("node-opcua-nodeid");
const { StatusCodes } = require("node-opcua-status-code");
const { DataType, VariantArrayType } = require("node-opcua-variant");

const SCALAR = { arrayType: VariantArrayType.Scalar };
const ARRAY = { arrayType: VariantArrayType.Array };

// name: [data type, variant]
const KINDS = {
    Yes: ["Boolean", { dataType: DataType.Boolean, value: true }],
    Tiny: ["SByte", { dataType: DataType.SByte, value: -128 }],
    Small: ["Int16", { dataType: DataType.Int16, value: -32768 }],
    Whole: ["UInt32", { dataType: DataType.UInt32, value: 4294967295 }],
    Long: ["Int64", { dataType: DataType.Int64, ...SCALAR, value: [0x00200000, 1] }], // 2^53 + 1
    Huge: ["UInt64", { dataType: DataType.UInt64, ...SCALAR, value: [0xffffffff, 0xffffffff] }],
    Half: ["Float", { dataType: DataType.Float, value: 0.5 }],
    Text: ["String", { dataType: DataType.String, value: "压机 3" }],
    Moment: ["DateTime", { dataType: DataType.DateTime, value: new Date("2024-02-29T12:30:00.250Z") }],
    Guid: ["Guid", { dataType: DataType.Guid, value: "09087E75-8E5E-499B-954F-F2A9603DB28A" }],
    Blob: ["ByteString", { dataType: DataType.ByteString, value: Buffer.from("dead", "hex") }],
    Where: ["NodeId", { dataType: DataType.NodeId, value: resolveNodeId("ns=1;s=Value0") }],
    Code: ["StatusCode", { dataType: DataType.StatusCode, value: StatusCodes.BadOutOfRange }],
    Label: ["LocalizedText", { dataType: DataType.LocalizedText, value: coerceLocalizedText("Presse") }],
    Qualified: ["QualifiedName", { dataType: DataType.QualifiedName, value: coerceQualifiedName("2:Temp") }],
    Zones: ["Double", { dataType: DataType.Double, ...ARRAY, value: [10.5, 11.5, 12.5] }],
    "Zones[7]": ["Double", { dataType: DataType.Double, value: 99 }],
    Names: ["String", { dataType: DataType.String, ...ARRAY, value: ["left", "right"] }],
};

function addKinds(addressSpace, namespace, press) {
    for (const [name, [dataType, value]] of Object.entries(KINDS)) {
        const rank = value.arrayType === VariantArrayType.Array ? 1 : -1;
        namespace.addVariable({
            componentOf: press,
            browseName: name,
            nodeId: `s=${name}`,
            dataType,
            valueRank: rank,
            value,
        });
    }
    const mode = namespace.addEnumerationType({ browseName: "Mode", enumeration: ["Off", "Manual", "Automatic"] });
    namespace.addVariable({
        componentOf: press,
        browseName: "Mode",
        nodeId: "s=Mode",
        dataType: mode,
        value: { dataType: DataType.Int32, value: 2 },
    });
    const kept = namespace.addVariable({
        componentOf: press,
        browseName: "Kept",
        nodeId: "s=Kept",
        dataType: "Double",
        value: { dataType: DataType.Double, value: 0 },
    });
    addressSpace.installHistoricalDataNode(kept, { maxOnlineValues: 1000 });
    return kept;
}

module.exports = { addKinds };
