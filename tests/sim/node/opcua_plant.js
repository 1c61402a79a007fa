"use strict";
// A machine with all that can be browsed, written, called and told by events, written on node-opcua.
//
//   node opcua_plant.js --home DIR [--port N] [--max-browse N] [--children N]
//
// Its nodes lie under urn:floorgate:machine. It says `ready PORT` on its standard output, and ends when its standard
// input ends. A line of JSON there changes something, and is answered with `ok`: {"node": "Temp", "value": 95},
// {"event": "text", "severity": 700}, {"add": "Press1/Oil/Temp", "type": "Float", "value": 41.5} below the machine, with
// the objects on the way, {"remove": "Press1.Oil.Temp"}. The line `writes` is answered with `writes N`: how many values
// it was sent.

const net = require("net");
const path = require("path");
const readline = require("readline");
const { parseArgs } = require("util");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");
const { MessageSecurityMode, SecurityPolicy } = require("node-opcua-secure-channel");
const { OPCUAServer } = require("node-opcua-server");
const { StatusCodes } = require("node-opcua-status-code");
const { DataType, Variant, VariantArrayType } = require("node-opcua-variant");
const { standardUnits } = require("node-opcua-data-access");

const NAMESPACE = "urn:floorgate:machine";
const READ = { accessLevel: "CurrentRead", userAccessLevel: "CurrentRead" };
const WRITE = { accessLevel: "CurrentRead | CurrentWrite", userAccessLevel: "CurrentRead | CurrentWrite" };

function options() {
    const { values } = parseArgs({
        options: {
            home: { type: "string" },
            port: { type: "string", default: "0" },
            "max-browse": { type: "string", default: "5" },
            children: { type: "string", default: "300" },
        },
    });
    return values;
}

function freePort() {
    return new Promise((resolve, reject) => {
        const probe = net.createServer().once("error", reject);
        probe.listen(0, "127.0.0.1", () => {
            const { port } = probe.address();
            probe.close(() => resolve(port));
        });
    });
}

function build(addressSpace, children) {
    const namespace = addressSpace.registerNamespace(NAMESPACE);
    const objects = addressSpace.rootFolder.objects;
    const machine = namespace.addObject({
        organizedBy: objects,
        browseName: "Machine",
        nodeId: "s=Machine",
        eventNotifier: 1,
        notifierOf: addressSpace.rootFolder.objects.server,
    });
    const held = {};
    const add = (name, dataType, value, more = {}) => {
        held[name] = namespace.addVariable({
            componentOf: machine,
            browseName: name,
            nodeId: `s=${name}`,
            dataType,
            minimumSamplingInterval: 0,
            value: new Variant({ dataType: DataType[dataType], value, ...more.variant }),
            ...more.options,
        });
        return held[name];
    };
    add("Speed", "Float", 1.5, { options: WRITE });
    add("Limit", "Int16", 7, { options: WRITE });
    add("Total", "UInt64", [1, 2], { variant: { arrayType: VariantArrayType.Scalar }, options: WRITE });
    add("Recipe", "String", "tea", { options: WRITE });
    add("Running", "Boolean", false, { options: WRITE });
    add("Fixed", "Double", 2.5, { options: READ });
    add("Row", "Double", [1, 2, 3], { variant: { arrayType: VariantArrayType.Array }, options: { valueRank: 1, arrayDimensions: [3] } });
    add("Zones", "Int32", [1, 2, 3], { variant: { arrayType: VariantArrayType.Array }, options: { ...WRITE, valueRank: 1, arrayDimensions: [3] } });
    add("Grid", "Double", [0, 1, 2, 3, 4, 5], {
        variant: { arrayType: VariantArrayType.Matrix, dimensions: [2, 3] },
        options: { ...WRITE, valueRank: 2, arrayDimensions: [2, 3] },
    });
    held.Mode = namespace.addMultiStateDiscrete({
        componentOf: machine,
        browseName: "Mode",
        nodeId: "s=Mode",
        enumStrings: ["Off", "Manual", "Automatic", "Manual again", "Off"],
        value: 1,
        ...WRITE,
    });
    add("\u001b[31mRed\u202e name", "Double", 0);
    held.Temp = namespace.addAnalogDataItem({
        componentOf: machine,
        browseName: "Temp",
        nodeId: "s=Temp",
        dataType: "Double",
        engineeringUnitsRange: { low: 0, high: 200 },
        engineeringUnits: standardUnits.degree_celsius,
        minimumSamplingInterval: 0,
        value: new Variant({ dataType: DataType.Double, value: 20 }),
    });
    const many = namespace.addObject({ componentOf: machine, browseName: "Many", nodeId: "s=Many" });
    for (let index = 0; index < children; index += 1) {
        namespace.addVariable({ componentOf: many, browseName: `Value${index}`, nodeId: `s=Many.${index}`, dataType: "Int32", value: { dataType: DataType.Int32, value: index } });
    }
    many.addReference({ referenceType: "Organizes", nodeId: machine.nodeId });
    addMethods(namespace, machine);
    const heater = namespace.addObject({ componentOf: machine, browseName: "Heater", nodeId: "s=Heater", eventSourceOf: machine });
    const alarm = namespace.instantiateExclusiveLimitAlarm("ExclusiveLimitAlarmType", {
        namespace,
        browseName: "TempAlarm",
        componentOf: machine,
        conditionSource: heater,
        conditionName: "TempAlarm",
        inputNode: held.Temp,
        lowLowLimit: -10,
        lowLimit: 1,
        highLimit: 80,
        highHighLimit: 150,
    });
    return { namespace, machine, held, alarm };
}

function addMethods(namespace, machine) {
    const add = namespace.addMethod(machine, {
        browseName: "Add",
        nodeId: "s=Add",
        inputArguments: [
            { name: "a", dataType: DataType.Float, description: { text: "first" } },
            { name: "b", dataType: DataType.Int16, description: { text: "second" } },
        ],
        outputArguments: [{ name: "sum", dataType: DataType.Double }],
    });
    add.bindMethod((inputs, context, callback) => {
        const [a, b] = inputs.map((each) => each.value);
        if (a < 0) {
            callback(null, { statusCode: StatusCodes.BadOutOfRange });
            return;
        }
        callback(null, {
            statusCode: StatusCodes.Good,
            outputArguments: [{ dataType: DataType.Double, value: a + b }],
        });
    });
}

function add(plant, order) {
    const names = order.add.split("/");
    let parent = plant.machine;
    names.forEach((browseName, depth) => {
        const nodeId = `s=${names.slice(0, depth + 1).join(".")}`;
        const where = { componentOf: parent, browseName, nodeId };
        const known = plant.namespace.findNode(nodeId);
        if (known || depth + 1 < names.length) {
            parent = known || plant.namespace.addObject(where);
            return;
        }
        const value = { dataType: DataType[order.type], value: order.value };
        plant.held[names.join(".")] = plant.namespace.addVariable({ ...where, dataType: order.type, minimumSamplingInterval: 0, value });
    });
}

function obey(plant, line) {
    const order = JSON.parse(line);
    if (order.add !== undefined) {
        add(plant, order);
    } else if (order.remove !== undefined) {
        plant.namespace.deleteNode(plant.namespace.findNode(`s=${order.remove}`));
    } else if (order.event !== undefined) {
        plant.machine.raiseEvent("BaseEventType", {
            message: { dataType: DataType.LocalizedText, value: { text: order.event } },
            severity: { dataType: DataType.UInt16, value: order.severity || 100 },
        });
    } else {
        const node = plant.held[order.node];
        const { dataType, arrayType } = node.readValue().value;
        node.setValueFromSource({ dataType, arrayType, value: order.value });
    }
}

async function main() {
    const given = options();
    const port = Number(given.port) || (await freePort());
    const server = new OPCUAServer({
        hostname: "127.0.0.1",
        host: "127.0.0.1",
        port,
        securityModes: [MessageSecurityMode.None],
        securityPolicies: [SecurityPolicy.None],
        serverCertificateManager: new OPCUACertificateManager({ rootFolder: path.join(given.home, "pki") }),
        userCertificateManager: new OPCUACertificateManager({ rootFolder: path.join(given.home, "users") }),
        serverCapabilities: {
            maxBrowseContinuationPoints: 3,
            operationLimits: { maxNodesPerBrowse: Number(given["max-browse"]), maxNodesPerRead: 30 },
        },
    });
    await server.initialize();
    const { addressSpace } = server.engine;
    addressSpace.installAlarmsAndConditionsService();
    const plant = build(addressSpace, Number(given.children));
    await server.start();
    console.log(`ready ${port}`);

    let writes = 0;
    server.on("request", (request) => {
        writes += request.schema.name === "WriteRequest" ? request.nodesToWrite.length : 0;
    });
    const orders = readline.createInterface({ input: process.stdin });
    orders.on("line", (line) => {
        if (line === "writes") {
            console.log(`writes ${writes}`);
            return;
        }
        obey(plant, line);
        console.log("ok");
    });
    const stop = async () => {
        await server.shutdown(0);
        process.exit(0);
    };
    orders.on("close", stop);
    process.once("SIGTERM", stop);
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
