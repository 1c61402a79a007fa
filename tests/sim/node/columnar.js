// Reads columnar messages in JavaScript, as a platform would; written from the table in agent/northbound/shapes/README.md.
// 64-bit integers come as BigInt. As a program: JSON lines {"learn": hex} or {"read": hex} in, the answers out.
'use strict';
const { createHash } = require('node:crypto');

const MAGIC = '46474301';
const [HISTORY, UNSYNCED, CORRECTED, SPARSE, QUALITY, STAMPS, TYPES, PART] = [1, 2, 4, 8, 16, 32, 64, 128];
const CODES = {
  bool: '?', int8: 'b', uint8: 'B', int16: 'h', uint16: 'H', int32: 'i', uint32: 'I',
  int64: 'q', uint64: 'Q', float32: 'f', float64: 'f', str: 's',
};
const QUALITIES = {
  1: 'clamped', 2: 'estimated', 3: 'stale', 4: 'clock_unsynced', 5: 'substituted', 64: 'bad_decode',
  65: 'bad_device', 66: 'bad_comm', 67: 'bad_range', 68: 'bad_stuck', 69: 'bad_jump', 70: 'bad_config',
};
const FIRST_BAD = 64;
const READ = {
  '?': [1, (data, at) => data.readUInt8(at) !== 0],
  b: [1, (data, at) => data.readInt8(at)],
  B: [1, (data, at) => data.readUInt8(at)],
  h: [2, (data, at) => data.readInt16LE(at)],
  H: [2, (data, at) => data.readUInt16LE(at)],
  i: [4, (data, at) => data.readInt32LE(at)],
  I: [4, (data, at) => data.readUInt32LE(at)],
  q: [8, (data, at) => data.readBigInt64LE(at)],
  Q: [8, (data, at) => data.readBigUInt64LE(at)],
  f: [4, (data, at) => data.readFloatLE(at)],
  d: [8, (data, at) => data.readDoubleLE(at)],
};

class Cursor {
  constructor(data) {
    this.data = data;
    this.at = 0;
  }

  get left() {
    return this.data.length - this.at;
  }

  take(size) {
    if (size > this.left) throw new RangeError(`cut short: ${size} bytes are announced, ${this.left} are there`);
    this.at += size;
    return this.data.subarray(this.at - size, this.at);
  }

  big() {
    let number = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.take(1)[0];
      number |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return number;
    }
    throw new RangeError('a number of more than ten bytes');
  }

  varint() {
    return Number(this.big());
  }

  zigzag() {
    const number = this.big();
    return Number(number & 1n ? -((number + 1n) >> 1n) : number >> 1n);
  }

  count(least) {
    const number = this.varint();
    if (number * least > this.left) throw new RangeError(`${number} things are announced, ${this.left} bytes are left`);
    return number;
  }

  text() {
    return new TextDecoder('utf-8', { fatal: true }).decode(this.take(this.count(1)));
  }
}

const many = (count, make) => Array.from({ length: count }, (_, index) => make(index));

function pick(things, number) {
  if (number >= things.length) throw new RangeError(`number ${number} of ${things.length} is named`);
  return things[number];
}

class Reader {
  constructor() {
    this.schemas = new Map();
  }

  learn(description) {
    const told = JSON.parse(description.toString('utf-8'));
    const id = createHash('sha256').update(description).digest('hex').slice(0, 16);
    this.schemas.set(id, {
      device: told.device,
      group: told.group,
      names: told.tags.map((tag) => tag.name),
      codes: told.tags.map((tag) => CODES[tag.type]),
    });
    return id;
  }

  read(message) {
    const cursor = new Cursor(message);
    if (cursor.take(4).toString('hex') !== MAGIC) throw new RangeError('no columnar message');
    const gateway = cursor.text();
    const epochs = many(cursor.count(8), () => cursor.take(8).toString('hex'));
    const schemas = many(cursor.count(9), () => this.named(cursor));
    const frames = [];
    for (let [seq, ts] = [0, 0]; cursor.left; ) {
      for (const frame of block(cursor, gateway, epochs, schemas, seq, ts)) {
        frames.push(frame);
        [seq, ts] = [frame.seq, frame.ts];
      }
    }
    return frames;
  }

  named(cursor) {
    const id = cursor.take(8).toString('hex');
    const description = cursor.take(cursor.count(1));
    if (description.length && this.learn(description) !== id) throw new RangeError(`${id} is described as another one`);
    if (!this.schemas.has(id)) throw new RangeError(`schema ${id} is not known yet`);
    return this.schemas.get(id);
  }
}

function block(cursor, gateway, epochs, schemas, seq, ts) {
  const schema = pick(schemas, cursor.varint());
  const epoch = pick(epochs, cursor.varint());
  const flags = cursor.take(1)[0];
  const count = cursor.count(2);
  if (!count) throw new RangeError('a block without a frame');
  const part = flags & PART ? [cursor.varint(), cursor.varint()] : null;
  const seqs = many(count, () => (seq += cursor.zigzag()));
  const times = many(count, () => (ts += cursor.zigzag()));
  const columns = flags & SPARSE ? bitmap(cursor, schema.names.length) : [...schema.names.keys()];
  const size = count * columns.length;
  const quality = flags & QUALITY ? cursor.take(size) : Buffer.alloc(size);
  const stamps = flags & STAMPS ? many(size, () => cursor.zigzag()) : null;
  const codes = flags & TYPES ? [...cursor.take(columns.length).toString('latin1')] : columns.map((c) => schema.codes[c]);
  const values = columnsOf(cursor, codes, count);
  return many(count, (row) => {
    const frame = { gateway, epoch, seq: seqs[row], device: schema.device, group: schema.group, ts: times[row] };
    frame.values = {};
    frame.quality = {};
    frame.history = Boolean(flags & HISTORY);
    const late = {};
    columns.forEach((column, place) => {
      const [name, doubt] = [schema.names[column], quality[place * count + row]];
      if (doubt < FIRST_BAD) frame.values[name] = values[place][row];
      if (doubt) frame.quality[name] = QUALITIES[doubt] || `${doubt < FIRST_BAD ? 'doubt' : 'bad'}_${doubt}`;
      if (stamps && stamps[place * count + row]) late[name] = times[row] + stamps[place * count + row];
    });
    if (stamps) frame.stamps = late;
    if (flags & (UNSYNCED | CORRECTED)) frame.clock = flags & UNSYNCED ? 'unsynced' : 'corrected';
    if (part) frame.part = part;
    return frame;
  });
}

function bitmap(cursor, size) {
  const bits = cursor.take(Math.ceil(size / 8));
  return many(size, (column) => column).filter((column) => bits[column >> 3] & (1 << (column & 7)));
}

function columnsOf(cursor, codes, count) {
  const found = codes.map((code) => (code === 's' ? null : fixed(cursor, code, count)));
  return found.map((column) => column || many(count, () => cursor.text()));
}

function fixed(cursor, code, count) {
  const [size, read] = READ[code];
  const bytes = cursor.take(size * count);
  return many(count, (index) => read(bytes, index * size));
}

module.exports = { Reader };

if (require.main === module) {
  const reader = new Reader();
  const plain = (_, value) => (typeof value === 'bigint' ? { big: value.toString() } : value);
  const lines = require('node:readline').createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const asked = JSON.parse(line);
    try {
      const answer = asked.learn ? reader.learn(Buffer.from(asked.learn, 'hex')) : reader.read(Buffer.from(asked.read, 'hex'));
      console.log(JSON.stringify(answer, plain));
    } catch (error) {
      console.log(JSON.stringify({ error: error.message }));
    }
  });
}
