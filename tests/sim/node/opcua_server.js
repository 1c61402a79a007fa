"use strict";
// An OPC UA server with narrow operation limits, written on node-opcua.
//
//   node server.js --home DIR [--port N] [--tags N] [--interval MS] [--max-read N] [--max-monitored N]
//
// Under urn:floorgate:press it has Value0 … ValueN-1 (Double): each grows by one per interval, from its index.
// The nodes of opcua_kinds.js lie beside them; `Kept` counts the intervals and keeps its history.
// Its certificates go into DIR. It says `ready PORT` on its standard output, and ends when its standard input ends.

const net = require("net");
const path = require("path");
const { parseArgs } = require("util");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");
const { MessageSecurityMode, SecurityPolicy } = require("node-opcua-secure-channel");
const { OPCUAServer } = require("node-opcua-server");
const { DataType } = require("node-opcua-variant");

const { addKinds } = require("./opcua_kinds");

const NAMESPACE = "urn:floorgate:press";

function options() {
    const { values } = parseArgs({
        options: {
            home: { type: "string" },
            port: { type: "string", default: "0" },
            tags: { type: "string", default: "50" },
            interval: { type: "string", default: "200" },
            "max-read": { type: "string", default: "20" },
            "max-monitored": { type: "string", default: "10" },
        },
    });
    if (!values.home) {
        throw new Error("--home DIR is missing");
    }
    return Object.fromEntries(
        Object.entries(values).map(([name, text]) => [name, name === "home" ? text : Number(text)]),
    );
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

function addValues(addressSpace, count, interval) {
    const namespace = addressSpace.registerNamespace(NAMESPACE);
    const press = namespace.addObject({ organizedBy: addressSpace.rootFolder.objects, browseName: "Press" });
    const variables = Array.from({ length: count }, (_, index) =>
        namespace.addVariable({
            componentOf: press,
            browseName: `Value${index}`,
            nodeId: `s=Value${index}`,
            dataType: "Double",
            value: { dataType: DataType.Double, value: index },
        }),
    );
    const kept = addKinds(addressSpace, namespace, press);
    let tick = 0;
    return setInterval(() => {
        tick += 1;
        kept.setValueFromSource({ dataType: DataType.Double, value: tick });
        variables.forEach((variable, index) =>
            variable.setValueFromSource({ dataType: DataType.Double, value: index + tick }),
        );
    }, interval);
}

async function main() {
    const given = options();
    const port = given.port || (await freePort());
    const server = new OPCUAServer({
        hostname: "127.0.0.1",
        host: "127.0.0.1",
        port,
        securityModes: [MessageSecurityMode.None],
        securityPolicies: [SecurityPolicy.None],
        serverCertificateManager: new OPCUACertificateManager({ rootFolder: path.join(given.home, "pki") }),
        userCertificateManager: new OPCUACertificateManager({ rootFolder: path.join(given.home, "users") }),
        serverCapabilities: {
            operationLimits: {
                maxNodesPerRead: given["max-read"],
                maxMonitoredItemsPerCall: given["max-monitored"],
            },
        },
    });
    await server.initialize();
    const timer = addValues(server.engine.addressSpace, given.tags, given.interval);
    await server.start();
    console.log(`ready ${port}`);

    const stop = async () => {
        clearInterval(timer);
        await server.shutdown(0);
        process.exit(0);
    };
    process.stdin.on("end", stop).resume();
    process.once("SIGTERM", stop);
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
