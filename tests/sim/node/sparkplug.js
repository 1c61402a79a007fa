// Payloads of Sparkplug B in and out by the JavaScript library of the Eclipse Tahu project. As a program: JSON lines
// {"read": hex} or {"write": payload} in, the payload or {"hex": …} out. Long integers come as texts.
'use strict';
const { encodePayload, decodePayload } = require('sparkplug-payload').get('spBv1.0');

const plain = (key, value) => (value !== null && typeof value === 'object' && 'low' in value && 'high' in value
  ? require('long').fromValue(value).toString()
  : value);

function answer({ read, write }) {
  if (write !== undefined) return { hex: Buffer.from(encodePayload(write)).toString('hex') };
  return decodePayload(Buffer.from(read, 'hex'));
}

for (const line of require('node:fs').readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  console.log(JSON.stringify(answer(JSON.parse(line)), plain));
}
