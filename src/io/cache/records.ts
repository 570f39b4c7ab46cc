/**
 * The lines of a cache's journal: a checksum, a space, JSON. Together they say what of a model is in its directory.
 */
import { checksum } from '../hash.ts';

/** First line of a journal. A newer journal has the greater generation, and is good once `count` lines follow. */
export interface HeadRecord {
  readonly kind: 'model';
  readonly version: 1;
  readonly generation: number;
  readonly count: number; // lines that were written together with this one
  readonly label: string;
}

/** A file's facts. Bytes that were stored of that name before are no longer its own. */
export interface FileRecord {
  readonly kind: 'file';
  readonly file: string;
  readonly id: number; // its bytes are in `<id>.bin`; never used twice
  readonly sizeBytes: number;
  readonly validator: string;
}

/** The source has no such file. */
export interface AbsentRecord {
  readonly kind: 'absent';
  readonly file: string;
}

/** Bytes of a file that are stored, all of them flushed before this is written. */
export interface ExtentRecord {
  readonly kind: 'extent';
  readonly id: number;
  readonly offsetBytes: number; // in the source's file
  readonly sizeBytes: number;
  readonly at: number; // in `<id>.bin`
  readonly hash: string;
}

/** An extent turned out damaged. */
export interface DropRecord {
  readonly kind: 'drop';
  readonly id: number;
  readonly offsetBytes: number;
}

/** When the model was last used. */
export interface UsedRecord {
  readonly kind: 'used';
  readonly atMs: number; // since 1970
}

/** A line of the journal. */
export type CacheRecord = FileRecord | AbsentRecord | ExtentRecord | DropRecord | UsedRecord;

/** A record as its line, line end included. */
export function encodeRecord(record: HeadRecord | CacheRecord): string {
  const json = JSON.stringify(record);
  return `${checksum(json)} ${json}\n`;
}

/** The valid lines of a journal. */
export interface ParsedJournal {
  readonly head: HeadRecord;
  readonly records: readonly CacheRecord[];
  readonly sizeBytes: number; // of the lines that are whole; what follows them is torn or damaged
}

/** Reads lines up to the first that is not whole. @returns undefined when that is the first line */
export function parseJournal(bytes: Uint8Array): ParsedJournal | undefined {
  const records: CacheRecord[] = [];
  let head: HeadRecord | undefined;
  let begin = 0;
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, begin)) {
    const value = parseLine(bytes.subarray(begin, end));
    if (head) {
      const record = asRecord(value);
      if (!record) break;
      records.push(record);
    } else {
      head = asHead(value);
      if (!head) return undefined;
    }
    begin = end + 1;
  }
  return head && { head, records, sizeBytes: begin };
}

function parseLine(bytes: Uint8Array): unknown {
  try {
    const line = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const json = line.slice(9);
    return line === `${checksum(json)} ${json}` ? JSON.parse(json) : undefined;
  } catch {
    return undefined;
  }
}

type Field = 'text' | 'count';
const FIELDS = {
  file: { file: 'text', id: 'count', sizeBytes: 'count', validator: 'text' },
  absent: { file: 'text' },
  extent: { id: 'count', offsetBytes: 'count', sizeBytes: 'count', at: 'count', hash: 'text' },
  drop: { id: 'count', offsetBytes: 'count' },
  used: { atMs: 'count' },
} as const satisfies { [Kind in CacheRecord['kind']]: Readonly<Record<string, Field>> };
const HEAD_FIELDS = { version: 'count', generation: 'count', count: 'count', label: 'text' } as const;

function asHead(value: unknown): HeadRecord | undefined {
  const isHead = isObject(value) && value['kind'] === 'model' && value['version'] === 1;
  return isHead && hasFields(value, HEAD_FIELDS) ? (value as unknown as HeadRecord) : undefined;
}

function asRecord(value: unknown): CacheRecord | undefined {
  if (!isObject(value)) return undefined;
  const kind = value['kind'];
  if (typeof kind !== 'string' || !Object.hasOwn(FIELDS, kind)) return undefined;
  const fields = FIELDS[kind as CacheRecord['kind']];
  return hasFields(value, fields) ? (value as unknown as CacheRecord) : undefined;
}

function hasFields(value: Record<string, unknown>, fields: Readonly<Record<string, Field>>): boolean {
  return Object.entries(fields).every(([name, field]) => {
    const found = value[name];
    return field === 'text' ? typeof found === 'string' : Number.isSafeInteger(found) && Number(found) >= 0;
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
