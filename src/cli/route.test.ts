/** `atomoe route`: a described router beside a model's own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runProgram } from './program.testing.ts';

const folder = mkdtempSync(join(tmpdir(), 'atomoe-route-'));
afterAll(() => rmSync(folder, { recursive: true }));

const MODEL = 'demo/public/models/fable-moe-12m';

function ruleFile(select: object): string {
  const path = join(folder, 'rule.json');
  const score = { kind: 'linear', weight: 'model.layers.{layer}.mlp.gate.weight' };
  const router = { score, transform: [{ kind: 'softmax' }], select, weigh: { normalise: 'sum' } };
  const description = { format: 'atomoe.layer', version: 1, hiddenSize: 192, experts: 32, router };
  writeFileSync(path, JSON.stringify(description));
  return path;
}

const run = (...argv: string[]) => runProgram(argv);

test("the model's own rule gives its own text; another uses other numbers of experts", async () => {
  const options = ['--device', 'cpu', '--max-tokens', '6', '--json'];
  const same = await run('route', ruleFile({ kind: 'topK', k: 4 }), MODEL, 'Once', ...options);
  expect(same.notes).toEqual([]);
  const { own, rule } = JSON.parse(same.out);
  expect(rule.text).toBe(own.text);
  expect(rule.layers).toEqual(own.layers);
  expect(rule.layers[0].expertsPerToken).toBe(4);
  const other = await run('route', ruleFile({ kind: 'topK', k: 1 }), MODEL, 'Once', ...options);
  expect(JSON.parse(other.out).rule.layers[0]).toMatchObject({ expertsPerToken: 1 });
});

test('a file that is no description is one sentence', async () => {
  const path = join(folder, 'none.json');
  writeFileSync(path, '{');
  const { code, notes } = await run('route', path, MODEL, 'Once', '--device', 'cpu');
  expect(code).toBe(2);
  expect(notes.join()).toMatch(/none\.json is no description/);
});
