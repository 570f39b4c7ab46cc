/** The rules as the engine takes them, and as papers have them. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Engine, TokenRoutes } from '../../src/engine/api.ts';
import { createEngine } from '../../src/engine/index.ts';
import { nodeFolder } from '../../src/io/node-file.ts';
import { MODEL, optionsOf, ruleOf, RULES, scoringOptions, type Rule, type RuleOptions } from './rules.ts';

const FOLDER = `demo/public/models/${MODEL.id}`;

/** The experts of the first token that is written. */
async function firstRoutes(engine: Engine, { routing, hooks }: RuleOptions): Promise<TokenRoutes> {
  await engine.load(await nodeFolder(FOLDER), routing ? { routing } : {});
  const asked = { maxTokens: 1, temperature: 0, routes: true, ...(hooks && { hooks }) };
  for await (const event of engine.session().generate('Once upon a time', asked)) {
    if (event.kind === 'token' && event.routes) return event.routes;
  }
  throw new Error('no token was written');
}

function rule(id: string): Rule {
  const found = ruleOf(id);
  if (!found) throw new Error(`there is no rule ${id}`);
  return found;
}

describe('on the CPU', async () => {
  const engine = await createEngine({ device: 'cpu' });
  const own = await firstRoutes(engine, {});

  test.each(RULES.map(({ id }) => id))('%s runs in every layer of the model', async (id) => {
    const { ids } = await firstRoutes(engine, optionsOf(rule(id), []));
    expect(ids).toHaveLength(MODEL.layers);
    if (id === 'own') expect(ids).toEqual(own.ids);
    if (id === 'all') expect(ids[0]).toHaveLength(MODEL.experts);
  });

  test.each(['own', 'best-2'])('%s never chooses a muted expert, and always a forced one', async (id) => {
    const layer = 3;
    const [muted] = own.ids[layer] ?? [];
    const forced = Array.from({ length: MODEL.experts }, (_, each) => each).find(
      (each) => !own.ids[layer]?.includes(each),
    );
    const edits = [
      { layer, expert: muted ?? -1, kind: 'mute' },
      { layer, expert: forced ?? -1, kind: 'force' },
    ] as const;
    const { ids } = await firstRoutes(engine, optionsOf(rule(id), edits));
    expect(ids[layer]).not.toContain(muted);
    expect(ids[layer]).toContain(forced);
    expect(ids[0]).toEqual((await firstRoutes(engine, optionsOf(rule(id), []))).ids[0]);
  });

  test('scores of a layer are those from which the rule chooses', async () => {
    const layer = 4;
    for (const id of ['own', 'top-p', 'sigmoid', 'cosine']) {
      const chosen = (await firstRoutes(engine, optionsOf(rule(id), []))).ids[layer] ?? [];
      const probed = await firstRoutes(engine, scoringOptions(rule(id), [], layer));
      const scores = probed.ids[layer]?.map((expert, rank) => ({
        expert,
        score: probed.weights[layer]?.[rank] ?? 0,
      }));
      expect(scores).toHaveLength(MODEL.experts);
      const best = scores?.toSorted((x, y) => y.score - x.score).slice(0, chosen.length);
      expect(best?.map(({ expert }) => expert)).toEqual(chosen);
    }
  });
});

const PAPERS = JSON.parse(readFileSync('fixtures/routing/papers.json', 'utf8')) as {
  paper: number;
  title: string;
  descriptions: string[];
}[];

test.each(RULES.filter(({ paper }) => paper))('$id is the rule of its paper', ({ router, paper, ranks }) => {
  const entry = PAPERS.find((each) => each.paper === paper?.number);
  const plain = (text = '') => text.replaceAll('’', "'");
  expect(plain(paper?.title)).toBe(plain(entry?.title));
  const described = (entry?.descriptions ?? []).map((name) => {
    const file = readFileSync(`fixtures/routing/${name}.safetensors`);
    const header = JSON.parse(file.subarray(8, 8 + Number(file.readBigUInt64LE(0))).toString('utf8'));
    return JSON.parse(header.__metadata__['atomoe.layer']);
  });
  // The model's own numbers and tensors are in the place of the fixture's.
  const shape = (given: object, hooks: boolean) => {
    const { select, ...rest } = JSON.parse(JSON.stringify(given).replace(/"weight":"[^"]*"/, '"weight":""'));
    return { ...rest, select: { ...select, k: undefined }, hooks };
  };
  const wanted = described.map((each) => shape(each.router, each.hooks?.ranks !== undefined));
  expect(wanted).toContainEqual(shape(router, ranks !== undefined));
});

test('names in links are told apart', () => {
  expect(new Set(RULES.map(({ id }) => id)).size).toBe(RULES.length);
});
