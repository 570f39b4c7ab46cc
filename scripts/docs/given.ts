/** What the code of the documents takes for granted: values that a page has shown how to make. */
import type {
  ChatMessage,
  ChatTool,
  Engine,
  GenerateOptions,
  RoutingTrace,
  Session,
} from '../../src/index.ts';

/** By the names that blocks use. */
export interface Given {
  engine: Engine;
  session: Session;
  other: Session;
  model: string;
  prompt: string;
  messages: ChatMessage[];
  tools: ChatTool[];
  hooks: NonNullable<GenerateOptions['hooks']>;
  trace: RoutingTrace | undefined;
  show: (...what: unknown[]) => void;
  /** A page, as far as blocks look at it. */
  document: Document;
}

export const GIVEN_NAMES = [
  'engine',
  'session',
  'other',
  'model',
  'prompt',
  'messages',
  'tools',
  'hooks',
  'trace',
  'show',
  'document',
] as const satisfies readonly (keyof Given)[];

const WEATHER: ChatTool = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'The weather of a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};

/** An element that takes everything and shows nothing. */
function silentElement(): unknown {
  const listeners = { addEventListener: () => {}, append: () => {}, remove: () => {} };
  return { ...listeners, textContent: '', value: 'Once upon a time', body: listeners, files: [] };
}

/** Values for a block, with sessions of their own. */
export function givenBy(engine: Engine, model: string, show: (...what: unknown[]) => void): Given {
  const page = {
    ...(silentElement() as object),
    querySelector: silentElement,
    createElement: silentElement,
  };
  return {
    engine,
    session: engine.session(),
    other: engine.session(),
    model,
    prompt: 'Once upon a time',
    messages: [{ role: 'user', content: 'Tell me of a fox.' }],
    tools: [WEATHER],
    hooks: { all: { mask: [3] } },
    trace: undefined,
    show,
    document: page as unknown as Document,
  };
}
