/** The numbers that experts had before some of them were left out or merged: config.json has them under `atomoe.experts`. */
import { AtomoeError } from '../../errors.ts';
import { isJsonObject, type JsonObject } from '../../io/json-file.ts';
import type { ExpertNumbers } from '../api.ts';

/** A config and what errors call it. */
export interface NumberedConfig {
  readonly config: JsonObject;
  readonly label: string;
}

/** The section of a config about its experts; undefined where it has none. */
export function expertsSection({
  config: { atomoe },
}: Pick<NumberedConfig, 'config'>): JsonObject | undefined {
  const section = isJsonObject(atomoe) ? atomoe['experts'] : undefined;
  return isJsonObject(section) ? section : undefined;
}

/**
 * The original numbers of a model's experts.
 *
 * @param experts - in each layer with experts
 * @returns undefined where its experts have them
 * @throws {AtomoeError} bad-file - the config's numbers are not of these experts
 */
export function readNumbers(file: NumberedConfig, experts: readonly number[]): ExpertNumbers | undefined {
  const section = expertsSection(file);
  if (!section) return undefined;
  const { count, ids } = section;
  if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 1)
    throw wrong(file.label, 'count', count, 'the original number of experts of a layer');
  const isOf = (own: unknown, layer: number): own is number[] =>
    Array.isArray(own) &&
    own.length === experts[layer] &&
    own.every((id, index) => Number.isInteger(id) && id >= 0 && id < count && own.indexOf(id) === index);
  if (Array.isArray(ids) && ids.length === experts.length && ids.every(isOf)) return { count, ids };
  const wanted = `${experts.length} lists of ${experts[0] ?? 0} different ids below ${count}, one a layer`;
  throw wrong(file.label, 'ids', ids, wanted);
}

/** The numbers of a model whose experts may still have them. */
export function originalIds(file: NumberedConfig, experts: readonly number[]): ExpertNumbers {
  const own = experts.map((count) => Array.from({ length: count }, (_, id) => id));
  return readNumbers(file, experts) ?? { count: Math.max(...experts), ids: own };
}

/** An error about a key of the section. */
export function wrong(label: string, key: string, value: unknown, wanted: string): AtomoeError {
  const text = JSON.stringify(value) ?? 'missing';
  return new AtomoeError(
    'bad-file',
    `${label} config.json: atomoe.experts.${key} is ${text.length > 60 ? `${text.slice(0, 60)}...` : text}; wanted ${wanted}; ` +
      'write the model again',
  );
}
