/** Tells the story that the page plays before anything is downloaded. Node only. */
import type { DeviceKind } from '../../src/engine/api.ts';
import { createEngine } from '../../src/engine/index.ts';
import { nodeFolder } from '../../src/node.ts';
import type { Recording } from './recording.ts';
import { packRoutes } from './routes-text.ts';

const MODEL = 'fable-omni-8m';
const TEMPERATURE = 0.6;

/** Enough for the story of this seed, which ends by itself. */
const MOST_TOKENS = 150;

/** What is told before the run that is recorded, so that it is a run of compiled code. */
const WARM_UP_TOKENS = 60;

/** The choice of what to tell, made by reading a few hundred of them. */
export const STORY = { prompt: 'Once upon a time, there was a small robot', seed: 23 } as const;

/** Runs the model and writes down what came of it. */
export async function record(device: Exclude<DeviceKind, 'auto'>): Promise<Recording> {
  const folder = new URL(`../public/models/${MODEL}`, import.meta.url).pathname;
  const engine = await createEngine({ device, threads: 1, model: await nodeFolder(folder) });
  try {
    const { experts, plan } = engine.model ?? {};
    if (!experts?.grid || !plan) throw new Error(`${MODEL} has no grid of experts`);
    const { layers, perLayer, grid } = experts;
    const options = { seed: STORY.seed, temperature: TEMPERATURE, routes: true };
    await drain(engine.session().generate(STORY.prompt, { ...options, maxTokens: WARM_UP_TOKENS }));
    const tokens = [];
    for await (const event of engine
      .session()
      .generate(STORY.prompt, { ...options, maxTokens: MOST_TOKENS })) {
      if (event.kind === 'token') tokens.push(event);
    }
    return {
      model: MODEL,
      adapter: engine.adapter.name,
      prompt: STORY.prompt,
      seed: STORY.seed,
      temperature: TEMPERATURE,
      experts: { layers, perLayer, grid },
      expertsPerToken: plan.expertsPerToken,
      ids: tokens.map(({ id }) => id),
      texts: tokens.map(({ text }) => text),
      atMs: tokens.map(({ atMs }) => Math.round(atMs * 100) / 100),
      routes: tokens.map(({ routes }) => (routes?.ids ?? []).map((ids) => packRoutes(ids, grid)).join(' ')),
    };
  } finally {
    engine.dispose();
  }
}

async function drain(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of events);
}
