/** The known answers of a model: `golden.json` beside its weights, in either of two forms. */
import { AtomoeError } from '../errors.ts';
import { readJson, type JsonObject } from '../io/json-file.ts';
import type { FolderSource } from '../io/source.ts';

/** Known answers of a model: ids, and the logits of some positions. */
export interface Golden {
  readonly ids: readonly number[];
  readonly positions: readonly number[]; // which rows `logits` are: all, or those that the file names
  readonly logits: readonly (readonly number[])[]; // [positions, vocab]
  readonly routerIds: readonly (readonly (readonly number[])[])[] | undefined; // [layers, ids, experts], as sets
  readonly greedyIds: readonly number[] | undefined; // `ids` and what greedy decoding adds
  readonly perplexity: Perplexity | undefined;
}

/** A text to measure perplexity on, and the known result. */
export interface Perplexity {
  readonly ids: readonly number[]; // windows one after another
  readonly window: number;
  readonly nllPerToken: number; // of every token of a window but its first
}

/**
 * `golden.json`, or `NAME.golden.json` beside `NAME.gguf`.
 *
 * @returns undefined when the folder has none
 */
export async function readGolden(folder: FolderSource, signal: AbortSignal): Promise<Golden | undefined> {
  const name = goldenName(folder);
  const json = await readJson(folder, name, { signal });
  return json && parseGolden(json, `${folder.label}: ${name}`);
}

/** Where the known answers of a model are: a folder may hold several GGUF files. */
export function goldenName({ entry }: FolderSource): string {
  return entry !== undefined && /\.gguf$/i.test(entry)
    ? `${entry.slice(0, -'.gguf'.length)}.golden.json`
    : 'golden.json';
}

/** @throws {AtomoeError} bad-file - a key is missing or has another shape */
export function parseGolden(json: JsonObject, where: string): Golden {
  const ids = numbers(json['ids'], `${where}: ids`);
  const logits = rows(json['logits'], `${where}: logits`);
  const positions =
    json['logits_positions'] === undefined
      ? [...ids.keys()]
      : numbers(json['logits_positions'], `${where}: logits_positions`);
  if (
    positions.length !== logits.length ||
    positions.some((position) => position < 0 || position >= ids.length)
  ) {
    throw wrong(`${where}: logits`, `a row for each of ${ids.length} ids, or logits_positions`);
  }
  const layers = json['router_ids'];
  return {
    ids,
    positions,
    logits,
    routerIds: list(layers)?.map((layer, index) => rows(layer, `${where}: router_ids[${index}]`)),
    greedyIds:
      json['greedy_ids'] === undefined ? undefined : numbers(json['greedy_ids'], `${where}: greedy_ids`),
    perplexity: parsePerplexity(json['perplexity'], `${where}: perplexity`),
  };
}

function parsePerplexity(value: unknown, where: string): Perplexity | undefined {
  if (value === undefined) return undefined;
  const { ids, window, nll_per_token: nllPerToken } = (value ?? {}) as Record<string, unknown>;
  if (typeof window !== 'number' || typeof nllPerToken !== 'number')
    throw wrong(where, 'ids, window, nll_per_token');
  return { ids: numbers(ids, `${where}.ids`), window, nllPerToken };
}

function list(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? (value as unknown[]) : undefined;
}

function numbers(value: unknown, where: string): readonly number[] {
  const found = list(value);
  if (found?.every((item): item is number => typeof item === 'number') && found.length > 0) return found;
  throw wrong(where, 'numbers');
}

function rows(value: unknown, where: string): readonly (readonly number[])[] {
  const found = list(value);
  if (!found) throw wrong(where, 'rows of numbers');
  return found.map((row, index) => numbers(row, `${where}[${index}]`));
}

function wrong(where: string, wanted: string): AtomoeError {
  return new AtomoeError(
    'bad-file',
    `${where} is missing or of another shape; wanted ${wanted}; make the file again`,
  );
}
