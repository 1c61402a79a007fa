"use strict";
// An OPC UA server with narrow operation limits, written on node-opcua.
//
//   node opcua_server.js --home DIR [--port N] [--tags N] [--interval MS] [--max-read N] [--max-monitored N]
//     [--policies P,…] [--modes M,…] [--user NAME:PASSWORD] [--no-anonymous] [--max-sessions N] [--shift N]
//     [--max-items N] [--certificate PEM --key PEM] [--strict] [--plain-users] [--small]
//
// Without --policies and --modes there is no security. --strict: a client's certificate must lie in DIR/pki/trusted/certs.
// --plain-users: without encryption it takes passwords in the clear. --small: of the standard's own nodes it has only those
// that it cannot do without, and starts in half the time.
// Under urn:floorgate:press it has Value0 … ValueN-1 (Double): each grows by one per interval, from its index; --shift
// registers so many namespaces before that one. The nodes of opcua_kinds.js lie beside them; `Kept` counts the intervals and
// keeps its history. Its certificates go into DIR. It says `ready PORT` on its standard output and ends when its standard
// input ends. A line `count` is answered with `count SESSIONS SUBSCRIPTIONS ITEMS NODES MADE`: what there is, how many nodes
// the items watch, and how many sessions there have been. `lose N` takes N items away without telling anybody (`lost N`).
// `channels` is answered with how many secure channels are open. `trust FILE` has it trust the certificate in that file (DER)
// from now on (`trusted`).

const fs = require("fs");
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
const SMALL = path.join(__dirname, "node_modules/node-opcua-address-space/nodesets/mini.Nodeset2.xml");
const USER_NAME = 1; // UserTokenType
const APPLICATION = "urn:floorgate:press:server";
const NUMBERS = ["port", "tags", "interval", "max-read", "max-monitored", "max-sessions", "max-items", "shift"];

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
            "max-items": { type: "string", default: "100000" },
            certificate: { type: "string", default: "" },
            key: { type: "string", default: "" },
            strict: { type: "boolean", default: false },
            "plain-users": { type: "boolean", default: false },
            small: { type: "boolean", default: false },
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

// Its endpoints without encryption take passwords as they are.
function takePlainUsers(server) {
    for (const listed of server.endpoints.flatMap((endpoint) => endpoint.endpointDescriptions())) {
        if (listed.securityMode === MessageSecurityMode.None) {
            const [{ constructor: Token }] = listed.userIdentityTokens;
            listed.userIdentityTokens.unshift(new Token({ policyId: "plain", tokenType: USER_NAME, securityPolicyUri: null }));
        }
    }
}

function certificates(home, name, accept) {
    const rootFolder = path.join(home, name);
    return new OPCUACertificateManager({ rootFolder, automaticallyAcceptUnknownCertificate: accept });
}

function subscriptions(engine) {
    return Object.values(engine._sessions).flatMap((session) => session.publishEngine.subscriptions);
}

function items(engine) {
    return subscriptions(engine).flatMap((subscription) => Object.values(subscription.monitoredItems));
}

// Open sessions, subscriptions (those that have lost their session, too), monitored items, the nodes that these watch, and
// sessions since the start.
function counted(engine) {
    const all = items(engine);
    const nodes = new Set(all.map((item) => item.node.nodeId.toString()));
    const sessions = Object.keys(engine._sessions).length;
    return [sessions, engine.currentSubscriptionCount, all.length, nodes.size, engine.cumulatedSessionCount].join(" ");
}

function lose(engine, count) {
    let left = count;
    for (const subscription of subscriptions(engine)) {
        for (const item of Object.values(subscription.monitoredItems).slice(0, left)) {
            subscription.removeMonitoredItem(item.monitoredItemId);
            left -= 1;
        }
    }
    return count - left;
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
        ...(given.small ? { nodeset_filename: [SMALL] } : {}),
        defaultSecureTokenLifetime: 3600_000, // it dies of a token that runs out by its own clock, which tests set
        serverInfo: { applicationUri: APPLICATION },
        securityModes: given.modes.split(",").map((name) => MessageSecurityMode[name]),
        securityPolicies: given.policies.split(",").map((name) => SecurityPolicy[name]),
        allowAnonymous: !given["no-anonymous"],
        userManager: { isValidUser: (name, password) => given.user === `${name}:${password}` },
        serverCertificateManager: certificates(given.home, "pki", !given.strict),
        userCertificateManager: certificates(given.home, "users", true),
        serverCapabilities: {
            maxSessions: given["max-sessions"],
            maxMonitoredItemsPerSubscription: given["max-items"],
            operationLimits: {
                maxNodesPerRead: given["max-read"],
                maxMonitoredItemsPerCall: given["max-monitored"],
            },
        },
    });
    await server.initialize();
    const timer = addValues(server.engine.addressSpace, given.tags, given.interval, given.shift);
    if (given["plain-users"]) {
        takePlainUsers(server);
    }
    await server.start();
    console.log(`ready ${port}`);

    const stop = async () => {
        clearInterval(timer);
        await server.shutdown(0);
        process.exit(0);
    };
    const lines = readline.createInterface({ input: process.stdin });
    lines.on("line", (line) => {
        const [order, count] = line.split(" ");
        if (order === "count") {
            console.log(`count ${counted(server.engine)}`);
        } else if (order === "lose") {
            console.log(`lost ${lose(server.engine, Number(count))}`);
        } else if (order === "channels") {
            console.log(`channels ${server.endpoints.reduce((sum, each) => sum + each.currentChannelCount, 0)}`);
        } else if (order === "trust") {
            server.serverCertificateManager.trustCertificate(fs.readFileSync(count)).then(() => console.log("trusted"));
        }
    });
    lines.on("close", stop);
    process.once("SIGTERM", stop);
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
