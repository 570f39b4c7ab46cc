/** Calls that are JSON between two markers: `{"name": ..., "arguments": {...}}`, or a list of such objects. */
import {
  allOrNone,
  bodyOf,
  callOf,
  isObject,
  parseJson,
  readParts,
  type CallFormat,
  type ToolCall,
} from './format.ts';

interface JsonMarkers {
  readonly open: string;
  readonly close: string;
  readonly tokens?: readonly string[];
  readonly begin?: string; // of the JSON that a grammar forces, up to the name; instead of `[{`
  readonly end?: string; // instead of `}]`
  readonly keys?: readonly [name: string, given: string];
}

/** A list of objects between markers. */
function jsonFormat({ open, close, tokens = [], ...given }: JsonMarkers): CallFormat {
  const { begin = '[{', end = '}]', keys = ['name', 'arguments'] } = given;
  const forced = {
    begin: (name: string) => `${open}${begin}"${keys[0]}": ${JSON.stringify(name)}, "${keys[1]}": `,
    end: `${end}${close}`,
  };
  // Without an end marker, one list may follow another.
  const read = (region: string) =>
    close === ''
      ? readParts(region.slice(open.length).split(open), readJsonCalls)
      : readJsonCalls(bodyOf(region, [open], close));
  return {
    signs: [open],
    tokens,
    markers: () => ({ open: [open], close, read, forced }),
    write: (calls) => {
      const texts = calls.map(
        (call) => `{"name": ${JSON.stringify(call.name)}, "arguments": ${call.arguments}}`,
      );
      return `${open}[${texts.join(', ')}]${close}`;
    },
  };
}

/** @returns none where any of the objects is no call */
export function readJsonCalls(json: string): readonly ToolCall[] {
  const value = parseJson(json);
  return allOrNone((Array.isArray(value) ? value : [value]).map(readJsonCall));
}

function readJsonCall(value: unknown): ToolCall | undefined {
  if (!isObject(value)) return undefined;
  const { name, tool_name: cohere, arguments: given, parameters, id } = value;
  return callOf(name ?? cohere, given ?? parameters ?? {}, id);
}

/** Hermes, Qwen3, Granite 4, ERNIE, EXAONE and many others. */
export const HERMES = jsonFormat({
  open: '<tool_call>',
  close: '</tool_call>',
  begin: '\n{',
  end: '}\n',
});

export const LONGCAT = jsonFormat({
  open: '<longcat_tool_call>',
  close: '</longcat_tool_call>',
  begin: '\n{',
  end: '}\n',
});

/** Hunyuan-A13B and Jamba. */
export const TOOL_CALLS = jsonFormat({ open: '<tool_calls>', close: '</tool_calls>' });

/** Nemotron Nano 2 and Nemotron Super 1.5. */
export const NEMOTRON = jsonFormat({ open: '<TOOLCALL>', close: '</TOOLCALL>' });

export const COHERE = jsonFormat({
  open: '<|START_ACTION|>',
  close: '<|END_ACTION|>',
  tokens: ['<|START_ACTION|>', '<|END_ACTION|>'],
  begin: '[{"tool_call_id": "0", ',
  keys: ['tool_name', 'parameters'],
});

/** Granite 3, whose calls have no end marker: they are the end of the reply. */
export const GRANITE = jsonFormat({ open: '<|tool_call|>', close: '', tokens: ['<|tool_call|>'] });
