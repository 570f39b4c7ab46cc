/** The manifest of a packed model, read and written. `pack.ts` has the whole format. */
import { AtomoeError } from '../../errors.ts';
import { isJsonObject, type JsonObject } from '../../io/json-file.ts';
import { formatNames, loadFormats, type FormatName } from '../../weights/formats/index.ts';
import { holdsRows } from '../../weights/matrix.ts';
import { recordLayout, scalesOffsetBytes, type RecordLayout, type RecordPart } from '../../weights/record.ts';
import { HASH_BYTES, type BlockHashes } from './block-hashes.ts';
import { expertFiles, recordStride, type PackFile } from './files.ts';
import { isPermutation, type RecordPlaces } from './places.ts';

const FORMAT = 'atomoe-pack';
const VERSION = 2; // what is written
const OLDEST = 1; // of those that open

const LEAST_BLOCK_BYTES = 4096;
const MOST_BLOCK_BYTES = 16 * 2 ** 20;

const SECTIONS = ['denseHashes', 'levels', 'places'];

/** All are opened together. A pack of 1 TiB has a tenth of this many. */
const MOST_FILES = 10_000;

const ADVICE = 'the pack is damaged; download it again, or pack the model again';

/** What a packed model consists of (`atomoe-pack.json`). */
export interface PackManifest {
  readonly source: { readonly label: string; readonly totalBytes: number }; // what was packed
  readonly denseBytes: number; // size of dense.safetensors
  readonly layout: RecordLayout;
  readonly layers: number; // that have experts
  readonly unitsPerLayer: number;
  readonly files: readonly PackFile[]; // of records; all but the last hold equally many
  readonly hashes: readonly Uint8Array<ArrayBuffer>[]; // [layers] of 16 bytes for each unit
  /** Where records have levels (`RecordLayout`): [level][layer], as `hashes`, of the bytes that each adds. */
  readonly levels?: readonly (readonly Uint8Array<ArrayBuffer>[])[] | undefined;
  readonly denseHashes: BlockHashes | undefined; // packs of before have none
  readonly places: RecordPlaces;
}

/** The text of atomoe.json. */
export function formatManifest(manifest: PackManifest): string {
  const { source, denseBytes, layout, layers, unitsPerLayer, files, hashes } = manifest;
  const { levels, denseHashes, places } = manifest;
  const sections = {
    ...(denseHashes && { denseHashes: formatBlocks(denseHashes) }),
    ...(levels && { levels: levels.map((each) => each.map(encodeBase64)) }),
    ...(places && { places: places.map(({ buffer }) => encodeBase64(new Uint8Array(buffer))) }),
  };
  const json = {
    format: FORMAT,
    version: VERSION,
    source,
    denseBytes,
    record: layout,
    layers,
    unitsPerLayer,
    recordStrideBytes: recordStride(layout.sizeBytes),
    files,
    hashes: hashes.map(encodeBase64),
    ...(Object.keys(sections).length > 0 && { sections }),
    // Who does not know the places would read the records of other units.
    ...(places && { required: ['places'] }),
  };
  return `${JSON.stringify(json, undefined, 1)}\n`;
}

function formatBlocks({ blockBytes, hashes }: BlockHashes): JsonObject {
  return { blockBytes, hashes: encodeBase64(hashes) };
}

/** What a record's description gives as formats: of all parts in version 1, later of each. */
function formatsNamed(record: unknown): unknown[] {
  if (!isJsonObject(record)) return [];
  const parts = isJsonObject(record['parts']) ? Object.values(record['parts']) : [];
  return [record['format'], ...parts.map((part) => (isJsonObject(part) ? part['format'] : undefined))];
}

/**
 * Checks a manifest whole: what it says of files and records agrees with itself. Loads the formats that it names.
 *
 * @param where - what errors call it
 * @throws {AtomoeError} unsupported-model - of a newer version; bad-file - anything wrong
 */
export async function parseManifest(json: JsonObject, where: string): Promise<PackManifest> {
  await loadFormats(formatsNamed(json['record']));
  const parser = new ManifestParser(where);
  const version = parser.version(json);
  const layout = parser.layout(json['record'], version);
  const layers = parser.count(json, 'layers');
  const unitsPerLayer = parser.count(json, 'unitsPerLayer');
  const strideBytes = recordStride(layout.sizeBytes);
  parser.expect('recordStrideBytes', json['recordStrideBytes'], strideBytes);
  const denseBytes = parser.count(json, 'denseBytes');
  const sections = parser.sections(json);
  const levels = parser.list('sections.levels', sections.get('levels') ?? []);
  return {
    source: parser.source(json['source']),
    denseBytes,
    layout,
    layers,
    unitsPerLayer,
    files: parser.files(json['files'], layers * unitsPerLayer, strideBytes),
    hashes: parser.hashes('hashes', json['hashes'], layers, unitsPerLayer),
    ...(layout.levels && {
      levels: layout.levels.map((_, level) =>
        parser.hashes(`sections.levels[${level}]`, levels[level], layers, unitsPerLayer),
      ),
    }),
    denseHashes: parser.blocks('sections.denseHashes', sections.get('denseHashes'), denseBytes),
    places: parser.places('sections.places', sections.get('places'), layers, unitsPerLayer),
  };
}

class ManifestParser {
  readonly #where: string;

  constructor(where: string) {
    this.#where = where;
  }

  version({ format, version }: JsonObject): number {
    this.expect('format', format, FORMAT);
    const found = this.#whole('version', version, OLDEST);
    if (found <= VERSION) return found;
    throw new AtomoeError(
      'unsupported-model',
      `${this.#where} is of version ${found}, this Atomoe reads versions ${OLDEST} to ${VERSION}; use a newer Atomoe, ` +
        `or pack the model again with this one`,
    );
  }

  /** The sections by name; refuses a pack that cannot do without one that is not known here. */
  sections({ sections = {}, required = [] }: JsonObject): ReadonlyMap<string, unknown> {
    const named = new Map(Object.entries(this.#object('sections', sections)));
    for (const [index, name] of this.list('required', required).entries()) {
      if (typeof name !== 'string' || !named.has(name)) {
        throw this.#wrong(`required[${index}]`, name, 'the name of a section');
      }
      if (SECTIONS.includes(name)) continue;
      throw new AtomoeError(
        'unsupported-model',
        `${this.#where} cannot be read without its section ${JSON.stringify(name.slice(0, 60))}, this Atomoe knows ` +
          `${SECTIONS.join(', ')}; use a newer Atomoe, or pack the model again with this one`,
      );
    }
    return named;
  }

  blocks(name: string, value: unknown, fileBytes: number): BlockHashes | undefined {
    if (value === undefined) return undefined;
    const json = this.#object(name, value);
    const blockBytes = this.#whole(`${name}.blockBytes`, json['blockBytes'], LEAST_BLOCK_BYTES);
    if (blockBytes > MOST_BLOCK_BYTES || blockBytes % LEAST_BLOCK_BYTES !== 0) {
      const wanted = `a multiple of ${LEAST_BLOCK_BYTES}, at most ${MOST_BLOCK_BYTES}`;
      throw this.#wrong(`${name}.blockBytes`, blockBytes, wanted);
    }
    const wantedBytes = Math.ceil(fileBytes / blockBytes) * HASH_BYTES;
    return { blockBytes, hashes: this.#base64(`${name}.hashes`, json['hashes'], wantedBytes) };
  }

  source(value: unknown): PackManifest['source'] {
    const { label, totalBytes } = this.#object('source', value);
    if (typeof label !== 'string') throw this.#wrong('source.label', label, 'a string');
    return { label, totalBytes: this.#whole('source.totalBytes', totalBytes, 0) };
  }

  count(json: JsonObject, name: string): number {
    return this.#whole(name, json[name], 1);
  }

  expect(name: string, value: unknown, wanted: string | number): void {
    if (value !== wanted) throw this.#wrong(name, value, JSON.stringify(wanted));
  }

  layout(value: unknown, version: number): RecordLayout {
    const json = this.#object('record', value);
    const common = version === 1 ? this.#format('record.format', json['format']) : undefined;
    const parts = Object.entries(this.#object('record.parts', json['parts'])).map(
      ([name, part]) => [name, this.#part(`record.parts.${name}`, part, common)] as const,
    );
    if (parts.length === 0) throw this.#wrong('record.parts', json['parts'], 'at least one part');
    const layout = recordLayout(
      Object.fromEntries(parts.map(([name, { format }]) => [name, format])),
      Object.fromEntries(parts.map(([name, { rows, cols }]) => [name, [rows, cols]])),
    );
    for (const [name, part] of Object.entries(layout.parts)) {
      const found = parts.find(([each]) => each === name)?.[1].json ?? {};
      this.#expectOffsets(`record.parts.${name}`, found, part, version);
    }
    this.expect('record.sizeBytes', json['sizeBytes'], layout.sizeBytes);
    return layout;
  }

  /** The sizes of parts determine where they are. */
  #expectOffsets(name: string, json: JsonObject, part: RecordPart, version: number): void {
    this.expect(`${name}.offsetBytes`, json['offsetBytes'], part.offsetBytes);
    if (version === 1) {
      this.expect(`${name}.scalesOffsetBytes`, json['scalesOffsetBytes'], scalesOffsetBytes(part));
    }
  }

  #format(name: string, value: unknown): FormatName {
    const known = formatNames();
    const format = known.find((each) => each === value);
    if (format) return format;
    throw this.#wrong(name, value, `one of ${known.join(', ')}`);
  }

  /** @param common - the format of all parts, in version 1 */
  #part(name: string, value: unknown, common: FormatName | undefined) {
    const json = this.#object(name, value);
    const format = common ?? this.#format(`${name}.format`, json['format']);
    const rows = this.#whole(`${name}.rows`, json['rows'], 1);
    const cols = this.#whole(`${name}.cols`, json['cols'], 1);
    if (!holdsRows(format, cols)) throw this.#wrong(`${name}.cols`, cols, `a row that ${format} can hold`);
    if (!Number.isSafeInteger(8 * rows * cols)) {
      throw this.#wrong(name, `${rows} x ${cols}`, 'a matrix of a believable size');
    }
    return { json, format, rows, cols };
  }

  /** The first file says how many records a file takes, and so what all the others are. */
  files(value: unknown, records: number, strideBytes: number): PackFile[] {
    if (!Number.isSafeInteger(records * strideBytes)) {
      throw this.#wrong('layers x unitsPerLayer', records, 'a believable number of records');
    }
    const listed = this.list('files', value);
    const { sizeBytes: firstBytes } = this.#object('files[0]', listed[0]);
    const perFile = this.#whole('files[0].sizeBytes', firstBytes, strideBytes) / strideBytes;
    if (!Number.isInteger(perFile)) {
      throw this.#wrong('files[0].sizeBytes', firstBytes, `a multiple of ${strideBytes}`);
    }
    if (listed.length > MOST_FILES) {
      throw this.#wrong('files', `${listed.length} files`, `at most ${MOST_FILES}`);
    }
    if (listed.length !== Math.ceil(records / perFile)) {
      throw this.#wrong('files', `${listed.length} files`, `${Math.ceil(records / perFile)} for all records`);
    }
    const files = expertFiles(records, perFile, strideBytes);
    for (const [index, { name, sizeBytes }] of files.entries()) {
      const file = this.#object(`files[${index}]`, listed[index]);
      this.expect(`files[${index}].name`, file['name'], name);
      this.expect(`files[${index}].sizeBytes`, file['sizeBytes'], sizeBytes);
    }
    return files;
  }

  hashes(name: string, value: unknown, layers: number, unitsPerLayer: number): Uint8Array<ArrayBuffer>[] {
    const listed = this.list(name, value);
    if (listed.length !== layers)
      throw this.#wrong(name, `${listed.length} strings`, `${layers}, one a layer`);
    return listed.map((text, layer) => this.#base64(`${name}[${layer}]`, text, unitsPerLayer * HASH_BYTES));
  }

  places(name: string, value: unknown, layers: number, unitsPerLayer: number): RecordPlaces {
    if (value === undefined) return undefined;
    const listed = this.list(name, value);
    if (listed.length !== layers)
      throw this.#wrong(name, `${listed.length} strings`, `${layers}, one a layer`);
    return listed.map((text, layer) => {
      const own = new Uint32Array(this.#base64(`${name}[${layer}]`, text, unitsPerLayer * 4).buffer);
      if (isPermutation(own)) return own;
      throw this.#wrong(`${name}[${layer}]`, text, `each place from 0 to ${unitsPerLayer - 1} once`);
    });
  }

  #base64(name: string, text: unknown, sizeBytes: number): Uint8Array<ArrayBuffer> {
    const bytes = typeof text === 'string' ? decodeBase64(text) : undefined;
    if (bytes?.byteLength === sizeBytes) return bytes;
    throw this.#wrong(name, text, `${sizeBytes} bytes as base64`);
  }

  #whole(name: string, value: unknown, least: number): number {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value;
    throw this.#wrong(name, value, `a whole number of at least ${least}`);
  }

  #object(name: string, value: unknown): JsonObject {
    if (isJsonObject(value)) return value;
    throw this.#wrong(name, value, 'an object');
  }

  list(name: string, value: unknown): readonly unknown[] {
    if (Array.isArray(value)) return value;
    throw this.#wrong(name, value, 'a list');
  }

  #wrong(name: string, value: unknown, wanted: string): AtomoeError {
    const text = JSON.stringify(value) ?? 'missing';
    const found = text.length > 60 ? `${text.slice(0, 60)}...` : text;
    return new AtomoeError('bad-file', `${this.#where}: ${name} is ${found}, ${wanted} is wanted; ${ADVICE}`);
  }
}

function encodeBase64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}

function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return undefined; // the caller says which text it was
  }
}
