/** The few lines of protobuf that writing an ONNX file takes: fields in any order, nested messages, raw bytes. */

/** Bytes in pieces, so that a hundred megabytes of weights are copied once, at the end. */
export interface Message {
  readonly chunks: readonly Uint8Array[];
  readonly sizeBytes: number;
}

/** One field with its value; a message is a list of them. */
export type Field = Message;

const WIRE_VARINT = 0;
const WIRE_BYTES = 2;
const WIRE_FIXED32 = 5;

const utf8 = new TextEncoder();

/** Base-128 digits, low first. Negative numbers are 64-bit two's complement, as protobuf's int64. */
function varint(value: number | bigint): number[] {
  let rest = BigInt.asUintN(64, BigInt(value));
  const digits: number[] = [];
  while (rest >= 128n) {
    digits.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  digits.push(Number(rest));
  return digits;
}

function key(field: number, wire: number): number[] {
  return varint(field * 8 + wire);
}

function join(parts: readonly Message[]): Message {
  const chunks = parts.flatMap((part) => part.chunks);
  return { chunks, sizeBytes: parts.reduce((sum, part) => sum + part.sizeBytes, 0) };
}

function chunk(...bytes: readonly number[][]): Message {
  const all = Uint8Array.from(bytes.flat());
  return { chunks: [all], sizeBytes: all.byteLength };
}

export function integer(field: number, value: number | bigint): Field {
  return chunk(key(field, WIRE_VARINT), varint(value));
}

export function float(field: number, value: number): Field {
  return chunk(key(field, WIRE_FIXED32), [...new Uint8Array(Float32Array.of(value).buffer)]);
}

export function bytes(field: number, value: Uint8Array): Field {
  const head = chunk(key(field, WIRE_BYTES), varint(value.byteLength));
  return join([head, { chunks: [value], sizeBytes: value.byteLength }]);
}

export function text(field: number, value: string): Field {
  return bytes(field, utf8.encode(value));
}

export function message(field: number, fields: readonly Field[]): Field {
  const body = join(fields);
  return join([chunk(key(field, WIRE_BYTES), varint(body.sizeBytes)), body]);
}

/** The finished file. */
export function serialize(fields: readonly Field[]): Uint8Array<ArrayBuffer> {
  const { chunks, sizeBytes } = join(fields);
  const file = new Uint8Array(sizeBytes);
  let at = 0;
  for (const piece of chunks) {
    file.set(piece, at);
    at += piece.byteLength;
  }
  return file;
}
