// A Modbus server on modbus-serial, which has nothing in common with the client under test.
//
//   modbus_server.js PORT       TCP on 127.0.0.1; prints "ready PORT"
//   modbus_server.js PATH UNIT  RTU at a serial port, 9600 8N1; prints "ready 0"
//
// Holding register i holds i + 256 * unit, input register i holds i, and coil i is on when 3 divides it. What is written is kept.
"use strict";

const { ServerTCP, ServerSerial } = require("modbus-serial");

const written = { registers: new Map(), coils: new Map() };
const vector = {
    getHoldingRegister: (address, unit) => written.registers.get(address) ?? (address + 256 * unit) & 0xffff,
    getInputRegister: (address) => address,
    getCoil: (address) => written.coils.get(address) ?? address % 3 === 0,
    getDiscreteInput: (address) => address % 5 === 0,
    setRegister: (address, value) => void written.registers.set(address, value),
    setCoil: (address, value) => void written.coils.set(address, value),
};

const [place, unit] = process.argv.slice(2);
if (unit) {
    const server = new ServerSerial(vector, {
        path: place, unitID: Number(unit), baudRate: 9600, parity: "none", dataBits: 8, stopBits: 1, interframedelay: 20,
    });
    server.on("initialized", () => console.log("ready 0"));
    server.on("error", (error) => { console.error(error); process.exit(1); });
} else {
    const server = new ServerTCP(vector, { host: "127.0.0.1", port: Number(place), unitID: 0 });
    server.on("initialized", () => console.log(`ready ${place}`));
}
