/** What a reply's options ask of its tokens, checked. */
import { AtomoeError } from '../../errors.ts';
import type { ReplyMarkers } from '../../text/reply-markers.ts';
import type { TextShape, Vocabulary } from '../../text/grammar/token-masks.ts';
import type { ChatTool, JsonSchemaFormat, ReplyConstraints, ToolChoice } from '../api.ts';
import {
  fields,
  flag,
  isObject,
  numberFrom,
  oneOf,
  plainObject,
  refuse,
  text,
  type Check,
} from '../checks.ts';
import type { CheckedOptions } from '../options.ts';

/** What changes the logits of a reply's tokens. */
export interface Constraints {
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  readonly biases: readonly (readonly [id: number, bias: number])[];
  readonly shape: TextShape | undefined; // of the answer
  readonly openingIds: ReadonlySet<number>; // tokens that begin thoughts: a reply may begin with one in place of its shape
}

/** What a reply is made with. */
export interface ReplyMeans extends Vocabulary {
  readonly markers: ReplyMarkers | undefined; // undefined where the prompt is plain text
}

/** @throws {AtomoeError} bad-input - an option; unsupported-model - calls in a way that is not known */
export function readConstraints(options: CheckedOptions, means: ReplyMeans): Constraints {
  const { presencePenalty = 0, frequencyPenalty = 0, logitBias = {}, responseFormat } = options;
  const answer = responseFormat && readFormat(responseFormat);
  const call = readCalls(options, means);
  const { tokenizer, markers } = means;
  const openings = (markers?.open ?? []).flatMap((marker) => tokenizer.tokenId(marker) ?? []);
  return {
    presencePenalty,
    frequencyPenalty,
    biases: readBiases(logitBias, means.vocab),
    shape: call ?? answer,
    openingIds: new Set(openings),
  };
}

const bias = numberFrom(-100, 100);

function readBiases(given: Readonly<Record<string, unknown>>, vocab: number): [number, number][] {
  return Object.entries(given).map(([key, value]) => {
    const id = Number(key);
    if (!/^\d+$/.test(key) || id >= vocab) {
      refuse('a key of logitBias', key, `the id of a token, a whole number below ${vocab}`);
    }
    return [id, bias(value, `logitBias.${key}`)];
  });
}

type FormatReader = (format: Readonly<Record<string, unknown>>, name: string) => TextShape | undefined;

const schemaFormat: Check<JsonSchemaFormat> = (value, name) =>
  fields<JsonSchemaFormat>({ name: text, description: text, schema: plainObject, strict: flag })(value, name);

const FORMATS: Readonly<Record<string, FormatReader>> = {
  text: () => undefined,
  json_object: () => ({ kind: 'json' }),
  json_schema: ({ json_schema: given }, name) => {
    if (!isObject(given)) refuse(`${name}.json_schema`, given, 'an object with a schema');
    const { schema = {} } = schemaFormat(given, `${name}.json_schema`);
    return { kind: 'schema', schema };
  },
  regex: ({ pattern }, name) => ({ kind: 'regex', pattern: text(pattern, `${name}.pattern`) }),
  grammar: ({ grammar }, name) => ({ kind: 'grammar', text: text(grammar, `${name}.grammar`) }),
};

function readFormat(given: NonNullable<ReplyConstraints['responseFormat']>): TextShape | undefined {
  const type = oneOf(...Object.keys(FORMATS))(given.type, 'responseFormat.type');
  return FORMATS[type]?.({ ...given }, 'responseFormat');
}

/** The shape of a reply that has to call tools. */
function readCalls(
  { tools, toolChoice, parallelToolCalls = true }: CheckedOptions,
  { markers, tokenizer, eosIds }: ReplyMeans,
): TextShape | undefined {
  const wanted = toolChoice === undefined ? undefined : wantedTools(toolChoice, tools);
  if (!wanted) return undefined;
  const { forced } = markers?.calls ?? {};
  if (!forced) {
    throw new AtomoeError(
      'unsupported-model',
      'toolChoice asks for a call, and how this model writes calls of tools is not known; wanted a chat with a model whose ' +
        "template shows one of the known ways; leave toolChoice at 'auto'",
    );
  }
  // gpt-oss ends calls, and replies, with one token: nothing may come behind it.
  const end = eosIds.has(tokenizer.tokenId(forced.end) ?? -1) ? '' : forced.end;
  const shapes = wanted.map(({ function: { name, parameters = { type: 'object' } } }) => ({
    begin: forced.begin(name),
    schema: parameters,
    end,
  }));
  return { kind: 'calls', calls: shapes, isOne: !parallelToolCalls || typeof toolChoice === 'object' };
}

function wantedTools(choice: ToolChoice, tools: readonly ChatTool[]): readonly ChatTool[] | undefined {
  if (typeof choice === 'string') {
    if (oneOf('auto', 'none', 'required')(choice, 'toolChoice') !== 'required') return undefined;
    if (tools.length > 0) return tools;
    throw new AtomoeError(
      'bad-input',
      "toolChoice is 'required' without tools; wanted at least one; give tools",
    );
  }
  const name = text(choice.function?.name, 'toolChoice.function.name');
  const found = tools.filter((tool) => tool.function.name === name);
  if (found.length > 0) return found;
  return refuse(
    'toolChoice.function.name',
    name,
    tools.map((tool) => tool.function.name).join(' or ') || 'a tool',
  );
}
