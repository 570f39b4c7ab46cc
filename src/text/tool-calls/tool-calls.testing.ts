/** Replies with calls in every format, as the families' templates write them, and what splits them. */
import { markersOf } from '../reply-markers.ts';
import { ReplySplitter, type ReplyPiece } from '../reply-splitter.ts';
import type { ToolCall } from './format.ts';
import { callMarkersOf } from './index.ts';

/** A tool with parameters of every type. */
export const TOOLS = [
  {
    type: 'function',
    function: {
      name: 'rain',
      description: 'Rain at a place',
      parameters: {
        type: 'object',
        properties: {
          at: { type: 'string' },
          days: { type: 'integer' },
          share: { type: 'number' },
          sure: { type: 'boolean' },
          hours: { type: 'array', items: { type: 'integer' } },
          by: { type: 'object' },
          note: { anyOf: [{ type: 'string' }, { type: 'null' }] },
        },
      },
    },
  },
  { type: 'function', function: { name: 'now', description: 'The time', parameters: {} } },
] as const;

/** Arguments of every type. The strings look like other things; none has a quote, which some templates do not escape. */
export const GIVEN = {
  at: 'Ulm, "<b>" & 42',
  days: 3,
  share: -0.5,
  sure: true,
  hours: [6, 18],
  by: { map: { id: 7, on: false } },
  note: null,
};

export const NO_TOKENS = (_token: string): boolean => false;

export function splitterOf(
  template: string,
  hasToken: (token: string) => boolean = NO_TOKENS,
  prompt = '',
  tools: readonly object[] = TOOLS,
): ReplySplitter {
  return new ReplySplitter(markersOf(template, hasToken, callMarkersOf(template, hasToken, tools)), prompt);
}

/** The pieces of a reply that comes in parts. */
export function piecesOf(splitter: ReplySplitter, deltas: readonly string[]): readonly ReplyPiece[] {
  return [...deltas.flatMap((delta) => splitter.push(delta)), ...splitter.flush()];
}

export function callsIn(pieces: readonly ReplyPiece[]): readonly ToolCall[] {
  return pieces.flatMap((piece) => (piece.kind === 'call' ? piece.calls : []));
}

/** Calls with their arguments as values: the white space of JSON does not count. */
export function plainCalls(calls: readonly ToolCall[]): readonly [name: string, given: unknown][] {
  return calls.map(({ name, arguments: json }) => [name, JSON.parse(json) as unknown]);
}

/** A reply in two, at every place. */
export function cutsOf(reply: string): readonly (readonly string[])[] {
  return Array.from({ length: reply.length + 1 }, (_, at) => [reply.slice(0, at), reply.slice(at)]);
}
