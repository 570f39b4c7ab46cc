import { describe, expect, test } from 'vitest';
import { AtomoeError } from '../../errors.ts';
import { parseTrace } from './trace-file.ts';
import { traceToJson } from './trace-json.ts';
import { unitsOf } from './trace.ts';
import { GPT_OSS, QWEN, randomTrace } from './traces.testing.ts';

const COMMENTS = `# route_trace v1
# model=/data/tiny.gguf arch=tiny n_layer=3 n_expert=8 n_expert_used=2
# layer=1 expert_bytes=100 dense_bytes=7
# layer=2 expert_bytes=200 dense_bytes=7
turn,phase,step,layer,slot,expert,weight,residency,expert_bytes
`;
// Two tokens of a prompt, of which the last layer sees one; then two of the reply.
const ROWS = [
  ...['0,0,0,1,0,7', '0,0,0,1,1,6', '0,0,1,1,0,5', '0,0,1,1,1,4', '0,0,1,2,0,3', '0,0,1,2,1,2'],
  ...['0,1,2,1,0,1', '0,1,2,1,1,0', '0,1,2,2,0,7', '0,1,2,2,1,0'],
  ...['0,1,3,1,0,2', '0,1,3,1,1,3', '0,1,3,2,0,4', '0,1,3,2,1,5'],
].map((row) => `${row},0.5,0,100`);
const csv = (rows: readonly string[]) => `${COMMENTS}${rows.join('\n')}\n`;

const JSON_TRACE = {
  format: 'atomoe-routes',
  version: 1,
  label: 'tiny',
  layers: 2,
  units: 4,
  topK: 2,
  unitBytes: 100,
  prime: [
    [1, 2, 3, 0],
    [0, 0, 4, 2],
  ],
  primeTokens: 3,
  steps: [
    [[0, 1], [3]],
    [[2, 3], []],
  ],
};

describe('CSV', () => {
  test('of the shared traces', () => {
    expect(QWEN).toMatchObject({ layers: 48, units: 128, topK: 6, steps: 129, warmUp: 1, prime: null });
    expect(QWEN.label).toBe('Qwen3-30B-A3B-Q4_K_M.gguf');
    expect(new Set(QWEN.unitBytes)).toEqual(new Set([3059712, 2654208]));
    expect(QWEN.ids).toHaveLength(129 * 48 * 6);
    expect([...unitsOf(QWEN, 128, 47)].slice(4)).toEqual([9, 126]); // the last rows of the file
    expect(GPT_OSS).toMatchObject({ layers: 36, units: 128, topK: 2, steps: 65, warmUp: 1 });
    expect([...unitsOf(GPT_OSS, 64, 35)]).toEqual([93, 75]);
  });

  test('of a small one: the prompt step that sees every layer is warm-up, dense layers are left out', () => {
    const trace = parseTrace(csv(ROWS), 'tiny.csv');
    expect(trace).toMatchObject({
      label: 'tiny.gguf',
      layers: 2,
      steps: 3,
      warmUp: 1,
      unitBytes: [100, 200],
    });
    const routes = [0, 1, 2].map((step) => [0, 1].map((layer) => [...unitsOf(trace, step, layer)]));
    expect(routes).toEqual([
      [
        [5, 4],
        [3, 2],
      ],
      [
        [1, 0],
        [7, 0],
      ],
      [
        [2, 3],
        [4, 5],
      ],
    ]);
  });

  test('with Windows line ends', () => {
    const text = csv(ROWS);
    expect(parseTrace(text.replaceAll('\n', '\r\n'), 'x')).toEqual(parseTrace(text, 'x'));
  });

  test.each([
    ['', /there is no column "phase", .* are wanted/],
    [csv(ROWS).replace('expert,weight', 'export,weight'), /there is no column "expert"/],
    [csv(ROWS).replace(' n_expert=8', ''), /no comment says n_expert, one is wanted/],
    [csv(ROWS).replace('# layer=2', '# layer=9'), /no comment says the expert_bytes of layer 2/],
    [csv([...ROWS, '0,1,4,1,0,8,0.5,0,0']), /step 3, layer 0 uses expert 8, whole numbers from 0 to 7/],
    [csv([...ROWS, '0,1,4,1,0,x,0.5,0,0']), /line 20 has "x", a whole number is wanted/],
    [csv([...ROWS, '0,1,4,1']), /line 20 has "", a whole number/],
    [csv([...ROWS, '0,1,3,2,2,0,0.5,0,0']), /step 2, layer 1 uses 3 experts, at most 2 are wanted/],
    [csv([...ROWS, '0,1,4,1,1,0,0.5,0,0']), /step 4, layer 1 has slot 1, 0 is wanted/],
    [csv([...ROWS, '1,0,0,1,0,0,0.5,0,0']), /turn 1 has a prompt after a decode step, one turn is wanted/],
    [csv(ROWS.slice(0, 6)), /it has no decode step, one or more are wanted/],
    [csv(ROWS.with(7, '0,1,2,1,1,1,0.5,0,0')), /step 1, layer 0 uses expert 1 twice, each is wanted once/],
  ])('%#: refuses what is no trace', (text, message) => {
    expectBad(text, message);
  });
});

describe('JSON', () => {
  test('of the engine', () => {
    const trace = parseTrace(JSON.stringify(JSON_TRACE), 'tiny.json');
    expect(trace).toMatchObject({ label: 'tiny', layers: 2, units: 4, topK: 2, unitBytes: [100, 100] });
    expect(trace).toMatchObject({ steps: 2, warmUp: 0 });
    expect(trace.prime).toEqual({
      tokens: 3,
      uses: [Uint32Array.of(1, 2, 3, 0), Uint32Array.of(0, 0, 4, 2)],
    });
    expect([...unitsOf(trace, 0, 1)]).toEqual([3]);
    expect([...unitsOf(trace, 1, 0)]).toEqual([2, 3]);
    expect([...unitsOf(trace, 1, 1)]).toEqual([]);
    expect(JSON.parse(traceToJson(trace))).toEqual(JSON_TRACE);
  });

  test.each([QWEN, GPT_OSS, ...Array.from({ length: 10 }, (_, seed) => randomTrace(seed))])(
    '$label comes back as it was',
    (trace) => {
      expect(parseTrace(traceToJson(trace), 'x.json')).toEqual(trace);
    },
  );

  test.each<[object, RegExp]>([
    [{ format: 'routes' }, /its format is "routes" version 1, "atomoe-routes" version 1 is wanted/],
    [{ version: 2 }, /its format is "atomoe-routes" version 2/],
    [{ layers: 0 }, /its layers is 0, a whole number from 1 on is wanted/],
    [{ units: undefined }, /its units is missing/],
    [{ unitBytes: [1] }, /its unitBytes are no list of 2 whole numbers/],
    [{ unitBytes: -1 }, /its unitBytes is -1/],
    [{ prime: [[1, 2, 3, 0]] }, /its prime is no list of counts, \[2 layers\]\[4 experts\] are wanted/],
    [{ primeTokens: 0 }, /its primeTokens is 0/],
    [{ steps: [[['a'], []]] }, /its steps are not \[steps\]\[layers\]\[ids\]/],
    [{ steps: [] }, /it has no decode step/],
    [{ steps: [[[0]]] }, /step 0 has 1 layers, 2 are wanted/],
    [{ steps: [[[4], []]] }, /step 0, layer 0 uses expert 4, whole numbers from 0 to 3 are wanted/],
    [{ steps: [[[], [0.5]]] }, /step 0, layer 1 uses expert 0.5/],
    [{ layers: 2 ** 32, unitBytes: 1 }, /step 0 has 2 layers, 4294967296 are wanted/],
    [
      { units: 2 ** 40, unitBytes: 1, prime: null },
      /2 layers of 1099511627776 experts, at most 8388608 in all/,
    ],
    [{ topK: 5 }, /it uses 5 of 4 experts, no more than there are/],
    [{ unitBytes: 2 ** 50 }, /an expert has more than 1099511627776 bytes/],
    [{ topK: 1 }, /step 0, layer 0 uses 2 experts, at most 1 are wanted/],
    [{ warmUp: 2 }, /it has no decode step/],
  ])('refuses %j', (changed, message) => {
    expectBad(JSON.stringify({ ...JSON_TRACE, ...changed }), message);
  });

  test('refuses what is no JSON', () => {
    expectBad('{"format": ', /file is not JSON/);
  });
});

/** Three parts: what happened; what was wanted; what to do. */
function expectBad(text: string, message: RegExp) {
  let thrown: unknown;
  try {
    parseTrace(text, 'file');
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(AtomoeError);
  expect(thrown).toMatchObject({ code: 'bad-file', message: expect.stringMatching(message) });
  expect(thrown).toMatchObject({ message: expect.stringMatching(/; (record the trace|download it) again$/) });
}
