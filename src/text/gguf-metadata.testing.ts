/** Reads the key-value pairs of a GGUF, for tests: it believes the file. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

const STRING = 8;
const ARRAY = 9;

/** @param path - a GGUF file that was compressed by gzip */
export function readGgufMetadata(path: string): Map<string, unknown> {
  const bytes = gunzipSync(readFileSync(path));
  let at = 0;
  const skip = (size: number) => (at += size) - size;
  const size = () => Number(bytes.readBigUInt64LE(skip(8)));
  const text = () => {
    const length = size();
    return bytes.toString('utf8', at, (at += length));
  };
  const value = (type: number): unknown => {
    if (type === STRING) return text();
    if (type !== ARRAY) return scalar(type);
    const inner = bytes.readUInt32LE(skip(4));
    return Array.from({ length: size() }, () => value(inner));
  };
  const scalar = (type: number): unknown => {
    const read: Readonly<Record<number, () => unknown>> = {
      0: () => bytes.readUInt8(skip(1)),
      1: () => bytes.readInt8(skip(1)),
      2: () => bytes.readUInt16LE(skip(2)),
      3: () => bytes.readInt16LE(skip(2)),
      4: () => bytes.readUInt32LE(skip(4)),
      5: () => bytes.readInt32LE(skip(4)),
      6: () => bytes.readFloatLE(skip(4)),
      7: () => bytes.readUInt8(skip(1)) !== 0,
      10: () => bytes.readBigUInt64LE(skip(8)),
      11: () => bytes.readBigInt64LE(skip(8)),
      12: () => bytes.readDoubleLE(skip(8)),
    };
    return read[type]?.();
  };
  const [magic, version] = [bytes.toString('latin1', skip(4), at), bytes.readUInt32LE(skip(4))];
  if (magic !== 'GGUF' || version !== 3) throw new Error(`${path}: ${magic}, version ${version}`);
  skip(8); // how many tensors
  return new Map(Array.from({ length: size() }, () => [text(), value(bytes.readUInt32LE(skip(4)))]));
}
