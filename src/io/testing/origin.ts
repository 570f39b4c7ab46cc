/** A source for the disk cache's tests, in Node and in workers: it counts, fails and changes on demand. */
import { AtomoeError } from '../../errors.ts';
import { memoryFile } from '../memory.ts';
import type { FileSource, FolderSource, OpenFileOptions } from '../source.ts';

/** Uniform 32-bit numbers (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** Bytes that depend on the seed only. */
export function randomBytes(sizeBytes: number, seed: number): Uint8Array<ArrayBuffer> {
  const next = randomNumbers(seed);
  const words = new Uint32Array(Math.ceil(sizeBytes / 4));
  for (let i = 0; i < words.length; i++) words[i] = next();
  return new Uint8Array(words.buffer, 0, sizeBytes);
}

/** A folder whose files tests change. */
export interface Origin extends FolderSource {
  /** What is served; the version is the validator, if there is one. */
  readonly files: Map<string, { bytes: Uint8Array; validator?: string | undefined }>;
  /** Every read that reached the source: name, offset, size. */
  readonly reads: [name: string, offsetBytes: number, sizeBytes: number][];
  opens: number;
  /** The patience that the last open asked for. */
  patience: OpenFileOptions['patience'];
  isOffline: boolean;
  /** Awaited by each read before it answers. */
  gate: ((signal: AbortSignal | undefined) => Promise<void>) | undefined;
}

/** A folder of files in memory that counts its reads. */
export function origin(
  files: Readonly<Record<string, Uint8Array>>,
  label = 'https://models.example/toy/',
): Origin {
  const self: Origin = {
    label,
    files: new Map(Object.entries(files).map(([name, bytes]) => [name, { bytes, validator: '"1"' }])),
    reads: [],
    opens: 0,
    patience: undefined,
    isOffline: false,
    gate: undefined,
    async open(name, options) {
      self.opens++;
      self.patience = options?.patience;
      if (self.isOffline) throw unreachable(label);
      const found = self.files.get(name);
      return found && originFile(self, name, found.bytes, found.validator);
    },
  };
  return self;
}

function originFile(
  self: Origin,
  name: string,
  bytes: Uint8Array,
  validator: string | undefined,
): FileSource {
  const inner = memoryFile(name, bytes);
  return {
    name,
    sizeBytes: inner.sizeBytes,
    validator,
    async read(offsetBytes, sizeBytes, options) {
      if (self.isOffline) throw unreachable(self.label);
      self.reads.push([name, offsetBytes, sizeBytes]);
      await self.gate?.(options?.signal);
      return inner.read(offsetBytes, sizeBytes, options);
    },
  };
}

function unreachable(label: string): AtomoeError {
  return new AtomoeError('network', `${label} could not be read; an answer was wanted; check the connection`);
}
