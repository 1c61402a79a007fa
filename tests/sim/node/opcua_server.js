"use strict";
// An OPC UA server with narrow operation limits, written on node-opcua.
//
//   node opcua_server.js --home DIR [--port N] [--tags N] [--interval MS] [--max-read N] [--max-monitored N]
//     [--policies P,…] [--modes M,…] [--user NAME:PASSWORD] [--no-anonymous] [--max-sessions N] [--shift N]
//     [--certificate PEM --key PEM] [--strict]
//
// Without --policies and --modes there is no security. --strict: a client's certificate must lie in DIR/pki/trusted/certs.
// Under urn:floorgate:press it has Value0 … ValueN-1 (Double): each grows by one per interval, from its index; --shift
// registers so many namespaces before that one. The nodes of opcua_kinds.js lie beside them; `Kept` counts the intervals and
// keeps its history. Its certificates go into DIR. It says `ready PORT` on its standard output, answers a line `count` with
// `count SESSIONS ITEMS`, and ends when its standard input ends.

const net = require("net");
const path = require("path");
const readline = require("readline");
const { parseArgs } = require("util");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");
const { MessageSecurityMode, SecurityPolicy } = require("node-opcua-secure-channel");
const { OPCUAServer } = require("node-opcua-server");
const { DataType } = require("node-opcua-variant");

const { addKinds } = require("./opcua_kinds");

const NAMESPACE = "urn:floorgate:press";
const APPLICATION = "urn:floorgate:press:server";
const NUMBERS = ["port", "tags", "interval", "max-read", "max-monitored", "max-sessions", "shift"];

function options() {
    const { values } = parseArgs({
        options: {
            home: { type: "string" },
            port: { type: "string", default: "0" },
            tags: { type: "string", default: "50" },
            interval: { type: "string", default: "200" },
            "max-read": { type: "string", default: "20" },
            "max-monitored": { type: "string", default: "10" },
            policies: { type: "string", default: "None" },
            modes: { type: "string", default: "None" },
            user: { type: "string", default: "" },
            "no-anonymous": { type: "boolean", default: false },
            "max-sessions": { type: "string", default: "10" },
            certificate: { type: "string", default: "" },
            key: { type: "string", default: "" },
            strict: { type: "boolean", default: false },
            shift: { type: "string", default: "0" },
        },
    });
    if (!values.home) {
        throw new Error("--home DIR is missing");
    }
    return Object.fromEntries(
        Object.entries(values).map(([name, given]) => [name, NUMBERS.includes(name) ? Number(given) : given]),
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

function addValues(addressSpace, count, interval, shift) {
    for (let before = 0; before < shift; before += 1) {
        addressSpace.registerNamespace(`urn:floorgate:before:${before}`);
    }
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

function certificates(home, name, accept) {
    const rootFolder = path.join(home, name);
    return new OPCUACertificateManager({ rootFolder, automaticallyAcceptUnknownCertificate: accept });
}

// Open sessions, and the monitored items of all their subscriptions.
function counted(engine) {
    const sessions = Object.values(engine._sessions);
    const items = sessions
        .flatMap((session) => session.publishEngine.subscriptions)
        .reduce((sum, subscription) => sum + subscription.monitoredItemCount, 0);
    return `${sessions.length} ${items}`;
}

async function main() {
    const given = options();
    const port = given.port || (await freePort());
    const own = given.certificate ? { certificateFile: given.certificate, privateKeyFile: given.key } : {};
    const server = new OPCUAServer({
        hostname: "127.0.0.1",
        host: "127.0.0.1",
        port,
        ...own,
        serverInfo: { applicationUri: APPLICATION },
        securityModes: given.modes.split(",").map((name) => MessageSecurityMode[name]),
        securityPolicies: given.policies.split(",").map((name) => SecurityPolicy[name]),
        allowAnonymous: !given["no-anonymous"],
        userManager: { isValidUser: (name, password) => given.user === `${name}:${password}` },
        serverCertificateManager: certificates(given.home, "pki", !given.strict),
        userCertificateManager: certificates(given.home, "users", true),
        serverCapabilities: {
            maxSessions: given["max-sessions"],
            operationLimits: {
                maxNodesPerRead: given["max-read"],
                maxMonitoredItemsPerCall: given["max-monitored"],
            },
        },
    });
    await server.initialize();
    const timer = addValues(server.engine.addressSpace, given.tags, given.interval, given.shift);
    await server.start();
    console.log(`ready ${port}`);

    const stop = async () => {
        clearInterval(timer);
        await server.shutdown(0);
        process.exit(0);
    };
    const lines = readline.createInterface({ input: process.stdin });
    lines.on("line", (line) => line === "count" && console.log(`count ${counted(server.engine)}`));
    lines.on("close", stop);
    process.once("SIGTERM", stop);
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
