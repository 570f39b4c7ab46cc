import { parseTraceCsv } from './trace-csv.ts';
import { readTraceJson } from './trace-json.ts';
import { isReplay, parseReplay } from './trace-replay.ts';
import { parseJsonObject } from '../../io/json-file.ts';
import type { RoutingTrace } from './trace.ts';

/**
 * Reads a trace in any form that is known: CSV, or JSON from the engine, routes (`run --routes`) or hooks (`run --trace`).
 *
 * @param name - what errors call the file
 * @param experts - of each layer of the model, where that is known: hooks do not say it
 * @throws {AtomoeError} bad-file - neither
 */
export function parseTrace(text: string, name: string, experts?: number): RoutingTrace {
  if (!text.trimStart().startsWith('{')) return parseTraceCsv(text, name);
  const json = parseJsonObject(text, name);
  return isReplay(json) ? parseReplay(json, name, experts) : readTraceJson(json, name);
}
