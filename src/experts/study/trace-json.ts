import type { JsonObject } from '../../io/json-file.ts';
import { badTrace, buildTrace, checkHead, unitsOf, type Prime, type RoutingTrace } from './trace.ts';

/** The engine's own recorded routes. */

const FORMAT = 'atomoe-routes';
const VERSION = 1;

/** @returns what `readTraceJson` reads back to the same trace */
export function traceToJson(trace: RoutingTrace): string {
  const { label, layers, units, topK, unitBytes, prime, warmUp } = trace;
  const isEven = unitBytes.every((bytes) => bytes === unitBytes[0]);
  const steps = Array.from({ length: trace.steps }, (_, step) =>
    Array.from({ length: layers }, (_, layer) => [...unitsOf(trace, step, layer)]),
  );
  return JSON.stringify({
    format: FORMAT,
    version: VERSION,
    label,
    layers,
    units,
    topK,
    unitBytes: isEven ? (unitBytes[0] ?? 0) : unitBytes,
    prime: prime && prime.uses.map((uses) => [...uses]),
    primeTokens: prime?.tokens ?? 0,
    ...(warmUp > 0 ? { warmUp } : {}),
    steps,
  });
}

/**
 * @param name - what errors call the file
 * @throws {AtomoeError} bad-file - not such a trace
 */
export function readTraceJson(json: JsonObject, name: string): RoutingTrace {
  if (json['format'] !== FORMAT || json['version'] !== VERSION) {
    const found = `${JSON.stringify(json['format'])} version ${JSON.stringify(json['version'])}`;
    throw badTrace(name, `its format is ${found}, "${FORMAT}" version ${VERSION} is wanted`);
  }
  const label = typeof json['label'] === 'string' ? json['label'] : name;
  const layers = count(json, 'layers', name, 1);
  const units = count(json, 'units', name, 1);
  const steps = json['steps'];
  if (!isRoutes(steps)) throw badTrace(name, 'its steps are not [steps][layers][ids], numbers are wanted');
  const topK = count(json, 'topK', name, 1);
  const warmUp = json['warmUp'] === undefined ? 0 : count(json, 'warmUp', name);
  checkHead({ label: name, layers, units, topK, warmUp }, steps);
  return buildTrace(
    {
      label,
      layers,
      units,
      topK,
      unitBytes: readBytes(json, layers, name),
      prime: readPrime(json, layers, units, name),
      warmUp,
    },
    steps,
  );
}

function readBytes(json: JsonObject, layers: number, name: string): number[] {
  const bytes = json['unitBytes'];
  if (!Array.isArray(bytes)) return Array<number>(layers).fill(count(json, 'unitBytes', name));
  if (bytes.length === layers && bytes.every(isCount)) return bytes;
  throw badTrace(name, `its unitBytes are no list of ${layers} whole numbers, one for each layer is wanted`);
}

function readPrime(json: JsonObject, layers: number, units: number, name: string): Prime | null {
  const prime = json['prime'];
  if (prime === null || prime === undefined) return null;
  const tokens = count(json, 'primeTokens', name, 1);
  const isRow = (row: unknown) => Array.isArray(row) && row.length === units && row.every(isCount);
  if (!Array.isArray(prime) || prime.length !== layers || !prime.every(isRow)) {
    throw badTrace(name, `its prime is no list of counts, [${layers} layers][${units} experts] are wanted`);
  }
  return { tokens, uses: prime.map((row: number[]) => Uint32Array.from(row)) };
}

function count(json: JsonObject, key: string, name: string, least = 0): number {
  const value = json[key];
  if (isCount(value) && value >= least) return value;
  const found = JSON.stringify(value) ?? 'missing';
  throw badTrace(name, `its ${key} is ${found}, a whole number from ${least} on is wanted`);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isRoutes(value: unknown): value is number[][][] {
  const isListOf = (isItem: (item: unknown) => boolean) => (list: unknown) =>
    Array.isArray(list) && list.every(isItem);
  return isListOf(isListOf(isListOf((id) => typeof id === 'number')))(value);
}
