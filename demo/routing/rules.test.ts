/** The rules as the engine takes them, and as papers have them. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Engine, TokenRoutes } from '../../src/engine/api.ts';
import { createEngine } from '../../src/engine/index.ts';
import { nodeFolder } from '../../src/io/node-file.ts';
import { readDescription } from './description.ts';
import {
  describedRule,
  MODEL,
  optionsOf,
  ruleOf,
  RULES,
  scoringOptions,
  textOf,
  type Changes,
  type Rule,
  type RuleOptions,
} from './rules.ts';

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

const UNCHANGED: Changes = { edits: [], steering: 'hard', seed: 5 };

describe('on the CPU', async () => {
  const engine = await createEngine({ device: 'cpu' });
  const own = await firstRoutes(engine, {});

  test.each(RULES.map(({ id }) => id))('%s runs in every layer of the model', async (id) => {
    const { ids } = await firstRoutes(engine, optionsOf(rule(id), UNCHANGED));
    expect(ids).toHaveLength(MODEL.layers);
    if (id === 'own') expect(ids).toEqual(own.ids);
    if (id === 'all') expect(ids[0]).toHaveLength(MODEL.experts);
  });

  test.each(['own', 'best-2'])('%s never chooses a muted expert, and always one steered hard', async (id) => {
    const layer = 3;
    const [muted] = own.ids[layer] ?? [];
    const steered = Array.from({ length: MODEL.experts }, (_, each) => each).find(
      (each) => !own.ids[layer]?.includes(each),
    );
    const edits = [
      { layer, expert: muted ?? -1, kind: 'mute' },
      { layer, expert: steered ?? -1, kind: 'steer' },
    ] as const;
    const { ids } = await firstRoutes(engine, optionsOf(rule(id), { ...UNCHANGED, edits }));
    expect(ids[layer]).not.toContain(muted);
    expect(ids[layer]).toContain(steered);
    expect(ids[0]).toEqual((await firstRoutes(engine, optionsOf(rule(id), UNCHANGED))).ids[0]);
  });

  test('soft steering is as strong as it is said to be', async () => {
    const layer = 0; // which reads the same under every rule
    const next = (await firstRoutes(engine, optionsOf(rule('next-4'), UNCHANGED))).ids[layer]?.[0] ?? -1;
    const edits = [{ layer, expert: next, kind: 'steer' }] as const;
    const chosen = async (id: string, steering: Changes['steering']) =>
      (await firstRoutes(engine, optionsOf(rule(id), { ...UNCHANGED, edits, steering }))).ids[layer] ?? [];
    for (const id of ['own', 'best-4-scores']) {
      expect(await chosen(id, 'off')).not.toContain(next); // the fifth
      expect(await chosen(id, 0)).toEqual(own.ids[layer]);
      expect(await chosen(id, -1)).toEqual(own.ids[layer]);
      expect((await chosen(id, 4))[0]).toBe(next);
      expect((await chosen(id, 'hard'))[0]).toBe(next);
    }
  });

  test('random rules follow the seed, the layer and the position', async () => {
    const ids = async (seed: number) =>
      (await firstRoutes(engine, optionsOf(rule('random-4'), { ...UNCHANGED, seed }))).ids;
    const first = await ids(5);
    expect(await ids(5)).toEqual(first);
    expect(await ids(6)).not.toEqual(first);
    expect(new Set(first.map(String)).size).toBe(MODEL.layers);
  });

  test('a description that is made of a rule runs as the rule', async () => {
    for (const each of RULES) {
      const reading = await readDescription(textOf(each, UNCHANGED.seed));
      if (!('rule' in reading)) throw new Error(`${each.id}: ${reading.problems.join()}`);
      const { routing } = optionsOf(reading.rule, UNCHANGED);
      if (each.isOwn) expect((await firstRoutes(engine, { routing: routing! })).ids).toEqual(own.ids);
      else expect(routing?.[0], each.id).toEqual(optionsOf(each, UNCHANGED).routing?.[0]);
    }
  });

  test('a description keeps its hooks beside edits, and is probed for scores without them', async () => {
    const own4 = JSON.parse(textOf(rule('next-4'), 1)) as Record<string, unknown>;
    const described = describedRule(own4);
    const edits = [{ layer: 1, expert: 3, kind: 'mute' }] as const;
    const { routing = [] } = optionsOf(described, { ...UNCHANGED, edits });
    expect(routing[0]).toEqual(own4);
    expect(routing[1]).toMatchObject({ hooks: { ranks: [4, 5, 6, 7], mask: [3] } });
    const probed = await firstRoutes(engine, scoringOptions(described, { ...UNCHANGED, edits }, 2));
    expect(probed.ids[2]).toHaveLength(MODEL.experts);
  });

  test('scores of a layer are those from which the rule chooses', async () => {
    const layer = 4;
    for (const id of ['own', 'top-p', 'sigmoid', 'cosine']) {
      const chosen = (await firstRoutes(engine, optionsOf(rule(id), UNCHANGED))).ids[layer] ?? [];
      const probed = await firstRoutes(engine, scoringOptions(rule(id), UNCHANGED, layer));
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
    const { select, ...rest } = JSON.parse(
      JSON.stringify(given)
        .replace(/"weight":"[^"]*"/, '"weight":""')
        .replace(/"seed":\d+/, '"seed":0')
        .replace(/,"layer":\d+/, ''),
    );
    return { ...rest, select: { ...select, k: undefined }, hooks };
  };
  const wanted = described.map((each) => shape(each.router, each.hooks?.ranks !== undefined));
  expect(wanted).toContainEqual(shape(router, ranks !== undefined));
});

test('names in links are told apart', () => {
  expect(new Set(RULES.map(({ id }) => id)).size).toBe(RULES.length);
});
