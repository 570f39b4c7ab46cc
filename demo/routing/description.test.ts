import { expect, test } from 'vitest';
import { readDescription } from './description.ts';
import { ruleOf, textOf } from './rules.ts';

interface Description extends Record<string, unknown> {
  router: { score: { kind: unknown }; transform: unknown[]; select: unknown };
}

/** A right description with other values. */
function changed(change: (description: Description) => void): string {
  const description = JSON.parse(textOf(ruleOf('top-p')!, 1)) as Description;
  change(description);
  return JSON.stringify(description);
}

const problems = async (text: string) => {
  const reading = await readDescription(text);
  return 'problems' in reading ? reading.problems : [];
};

test('what is right is a rule', async () => {
  expect(await problems(changed(() => {}))).toEqual([]);
  expect(await readDescription(changed((each) => (each['title'] = 'Mine')))).toMatchObject({
    rule: { name: 'Mine', router: { select: { kind: 'topP' } } },
  });
});

test('each error has its path', async () => {
  const found = await problems(
    changed((each) => {
      each.router.score.kind = 'linaer';
      each.router.transform.push({ kind: 'scale', by: null });
      each.router.select = { kind: 'topK', k: 0, of: 3 };
      each['experts'] = '32';
    }),
  );
  expect(found.map((text) => text.split(' is ')[0])).toEqual([
    'experts',
    'router.score.kind',
    'router.transform.1.by',
    'router.select.of',
    'router.select.k',
  ]);
});

test.each([
  ['{', /^This is not JSON: /],
  ['[]', /^the description is \[\]; wanted an object/],
  [changed((each) => (each.router.transform = [])), /^router\.select/], // top p of scores that are none
  [changed((each) => (each['experts'] = 8)), /^experts is 8; layer 0 of the model has 32/],
  [changed((each) => (each['expert'] = { kind: 'linear', weight: 'a' })), /^expert is given; /],
])('%s', async (text, wanted) => {
  const found = await problems(text);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(wanted);
});
