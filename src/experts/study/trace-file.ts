import { parseTraceCsv } from './trace-csv.ts';
import { parseTraceJson } from './trace-json.ts';
import type { RoutingTrace } from './trace.ts';

/**
 * Reads a trace in any form that is known: CSV, or JSON from the engine.
 *
 * @param name - what errors call the file
 * @throws {AtomoeError} bad-file - neither
 */
export function parseTrace(text: string, name: string): RoutingTrace {
  return text.trimStart().startsWith('{') ? parseTraceJson(text, name) : parseTraceCsv(text, name);
}
