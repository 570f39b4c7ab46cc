/** What tests of strategies share. Not part of the library. */
import type { GenerateEvent, GenerateOptions, LoadOptions, Session } from '../api.ts';
import type { EngineOptions, LocalEngine } from '../engine.ts';
import { openEngine, repositoryFolder } from '../testing.ts';

export const PROMPT = 'Once upon a time, there was a little';
export const MOE = 'demo/public/models/fable-moe-12m';
export const OMNI = 'demo/public/models/fable-omni-8m';

/** What runs models, as the rows of a table of tests. */
export const DEVICES: [device: string, options: EngineOptions][] = [
  ['gpu', {}],
  ['cpu', { device: 'cpu' }],
  ['reference', { device: 'reference' }],
];

/** An engine with a model of the repository. */
export async function engineWith(
  path: string,
  options: LoadOptions = { contextTokens: 96 },
  engineOptions: EngineOptions = {},
): Promise<LocalEngine> {
  const engine = await openEngine(engineOptions);
  await engine.load(await repositoryFolder(path), options);
  return engine;
}

export type TokenEvent = Extract<GenerateEvent, { kind: 'token' }>;
export type DoneEvent = Extract<GenerateEvent, { kind: 'done' }>;

/** A reply, as far as it does not depend on the clock. */
export interface Told {
  readonly ids: readonly number[];
  readonly tokens: readonly Omit<TokenEvent, 'atMs'>[];
  readonly done: DoneEvent;
}

/** A whole reply of a session. */
export async function tellIn(session: Session, options: GenerateOptions, prompt = PROMPT): Promise<Told> {
  const tokens: Omit<TokenEvent, 'atMs'>[] = [];
  let done: DoneEvent | undefined;
  for await (const event of session.generate(prompt, options)) {
    if (event.kind === 'done') done = event;
    if (event.kind !== 'token') continue;
    const { atMs: _, ...token } = event;
    tokens.push(token);
  }
  if (!done) throw new Error('the reply has no end');
  return { ids: tokens.map(({ id }) => id), tokens, done };
}

/** A whole reply of a session of its own. */
export async function tell(engine: LocalEngine, options: GenerateOptions, prompt = PROMPT): Promise<Told> {
  const session = engine.session();
  try {
    return await tellIn(session, options, prompt);
  } finally {
    session.dispose();
  }
}
