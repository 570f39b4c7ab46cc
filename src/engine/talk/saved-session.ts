/**
 * Sessions as bytes. A u32 with the length of a JSON header, the header, zeros up to a multiple of 16, and the states one after
 * another in the order of the header, each at a multiple of 16.
 */
import type { Checkpoint } from '../../containers/checkpoint.ts';
import { AtomoeError } from '../../errors.ts';
import { isObject } from '../checks.ts';
import type { Runner, RunnerState, StateBytes, StateCopies } from '../run/runner.ts';
import type { StatePart } from '../run/saved-state.ts';

const FORMAT = 'atomoe-session';
const VERSION = 1; // of what keys and values mean: raised with every change to kernels that changes states
const ALIGNMENT = 16;

/** What a saved session says about itself. */
interface Header {
  readonly format: typeof FORMAT;
  readonly version: number;
  readonly model: string; // hash, `hashOf`
  readonly scalar: string; // type of activations
  readonly hooks: string; // and tensors with which the tokens were computed, as JSON; '' for none
  readonly ids: readonly number[];
  readonly parts: readonly StatePart[];
}

/** A saved session, read. */
export interface SavedSession extends Header {
  readonly bytes: StateBytes;
}

/** What of a session is saved. */
export interface SessionFacts {
  readonly ids: readonly number[];
  readonly hooks: string;
  readonly model: string;
}

/** Reads the states of a session, and packs them. */
export async function packSession(
  runner: Runner,
  state: RunnerState | undefined,
  facts: SessionFacts,
): Promise<Uint8Array<ArrayBuffer>> {
  const copies = await runner.stateCopies();
  const { parts, scalar } = copies.parts(facts.ids.length);
  const states: StateBytes = state ? await copies.read(state, facts.ids.length) : new Map();
  const known = parts.filter(({ name }) => states.has(name));
  const header: Header = { format: FORMAT, version: VERSION, scalar, ...facts, parts: known };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const begin = aligned(4 + text.length);
  const sizeBytes = known.reduce((sum, part) => sum + aligned(part.sizeBytes), begin);
  const packed = new Uint8Array(sizeBytes);
  new DataView(packed.buffer).setUint32(0, text.length, true);
  packed.set(text, 4);
  let at = begin;
  for (const { name, sizeBytes: size } of known) {
    packed.set(states.get(name) ?? new Uint8Array(0), at);
    at += aligned(size);
  }
  return packed;
}

/** @throws {AtomoeError} bad-input - no saved session, or one that is cut */
export function readSaved(given: unknown): SavedSession {
  if (!(given instanceof Uint8Array)) throw notSaved('it is no Uint8Array');
  const packed = Uint8Array.from(given); // the caller's may be a view into anything
  if (packed.length < 4) throw notSaved('it is empty');
  const length = new DataView(packed.buffer).getUint32(0, true);
  const header = parseHeader(packed.subarray(4, 4 + length));
  const bytes = new Map<string, Uint8Array<ArrayBuffer>>();
  let at = aligned(4 + length);
  for (const { name, sizeBytes } of header.parts) {
    if (at + sizeBytes > packed.length) throw notSaved('its end is missing');
    bytes.set(name, packed.slice(at, at + sizeBytes));
    at += aligned(sizeBytes);
  }
  return { ...header, bytes };
}

function parseHeader(text: Uint8Array): Header {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder().decode(text));
  } catch {
    throw notSaved('its header is no JSON');
  }
  if (!isObject(header) || header['format'] !== FORMAT) throw notSaved('its header is of something else');
  const { ids, parts, hooks, model, scalar, version } = header;
  const isPart = (part: unknown) =>
    isObject(part) && typeof part['name'] === 'string' && Number.isSafeInteger(part['sizeBytes']);
  const isWhole =
    Array.isArray(ids) && Array.isArray(parts) && parts.every(isPart) && typeof hooks === 'string';
  if (!isWhole) throw notSaved('its header lacks a part');
  return {
    format: FORMAT,
    version: Number(version),
    model: String(model),
    scalar: String(scalar),
    hooks,
    ids,
    parts,
  };
}

function notSaved(why: string): AtomoeError {
  return new AtomoeError(
    'bad-input',
    `restore was given what is no saved session: ${why}; wanted the bytes that session.save() gave; save again`,
  );
}

/** @returns why the states of a saved session are of no use here; undefined where they are */
export function whyComputed(saved: SavedSession, copies: StateCopies, model: string): string | undefined {
  const { parts, scalar } = copies.parts(saved.ids.length);
  if (saved.version !== VERSION) return 'another version of Atomoe saved it';
  if (saved.model !== model) return 'another model saved it';
  if (saved.scalar !== scalar)
    return `it was saved with activations of ${saved.scalar}, which are ${scalar} now`;
  const own = JSON.stringify(parts);
  return JSON.stringify(saved.parts) === own ? undefined : 'its states have other sizes';
}

/**
 * A hash of a model, to tell models apart and not to prove: FNV-1a of its config, the sizes of its files, the first row of some
 * of its tensors, and the options that change what it computes.
 */
export async function hashOf(checkpoint: Checkpoint, options: readonly unknown[]): Promise<string> {
  const names = [...checkpoint.names()].sort();
  const every = Math.max(1, Math.floor(names.length / MOST_ROWS));
  const facts = [
    checkpoint.config,
    options,
    names.length,
    checkpoint.files.map(({ sizeBytes }) => sizeBytes),
  ];
  const hash = new Fnv();
  hash.add(new TextEncoder().encode(JSON.stringify(facts)));
  for (let at = 0; at < names.length; at += every) {
    const row = await checkpoint.read(names[at] ?? '', { rowCount: 1 }).catch(() => undefined);
    if (row) hash.add(row.bytes);
  }
  return hash.text;
}

const MOST_ROWS = 64;

/** FNV-1a of 32 bits twice, from two beginnings. */
class Fnv {
  #low = 0x811c9dc5;
  #high = 0x2f0b4a27;

  add(bytes: Uint8Array): void {
    for (const byte of bytes) {
      this.#low = Math.imul(this.#low ^ byte, 0x01000193) >>> 0;
      this.#high = Math.imul(this.#high ^ byte, 0x01000193) >>> 0;
    }
  }

  get text(): string {
    return [this.#high, this.#low].map((half) => half.toString(16).padStart(8, '0')).join('');
  }
}

function aligned(sizeBytes: number): number {
  return ALIGNMENT * Math.ceil(sizeBytes / ALIGNMENT);
}
