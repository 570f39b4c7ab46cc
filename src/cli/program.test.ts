import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { runProgram } from './program.testing.ts';

// Models on the CPU: only a hang takes longer than this.
vi.setConfig({ testTimeout: 60_000 });

const root = resolve(import.meta.dirname, '../..');
const model = (name: string) => join(root, 'fixtures/models', name);
const layer = (name: string) => join(root, 'fixtures/layers', `${name}.safetensors`);
const story = join(root, 'demo/public/models/fable-omni-8m');

const run = (...argv: string[]) => runProgram(argv);

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

/** A folder with the files of another, some of them replaced. */
async function altered(
  of: string,
  names: readonly string[],
  changed: Readonly<Record<string, string | Uint8Array>>,
) {
  const folder = await mkdtemp(join(tmpdir(), 'atomoe-cli-'));
  folders.push(folder);
  for (const name of names) if (!(name in changed)) await symlink(join(of, name), join(folder, name));
  for (const [name, content] of Object.entries(changed)) await writeFile(join(folder, name), content);
  return folder;
}

/** Values that are wrong whatever the model: said before anything is opened, so none of these models is missed. */
const wrongValues = [
  [['run', 'MODEL', 'x', '--device', 'tpu'], /--device is "tpu"; wanted auto or gpu or cpu or reference/],
  [['run', 'MODEL', 'x', '--tuning', 'fast'], /--tuning is "fast"; wanted auto or off/],
  [['run', 'MODEL', 'x', '--device', 'cpu', '--tuning', 'fast'], /--tuning is "fast"/], // though nothing is tuned there
  [['run', 'MODEL', 'x', '--budget', 'much'], /--budget is "much"/],
  [['run', 'MODEL', 'x', '--context', '1.5'], /--context is 1.5/],
  [['run', 'MODEL', 'x', '--seed=-1'], /seed is -1/],
  [['run', 'MODEL', 'x', '--stop', ''], /stop\[0\] is ""/],
  [['run', 'MODEL', 'x', '--decoding', 'mgram'], /decoding is "mgram"; wanted "ngram"/],
  [
    ['run', 'MODEL', 'x', '--decoding', 'nowhere.json'],
    /the file of a strategy cannot be read: .*nowhere\.json.*; wanted a JSON file/,
  ],
  [['run', 'MODEL', 'x', '--hooks', ''], /--hooks is empty; wanted a path/],
  [
    ['run', 'MODEL', 'x', '--hooks', 'nowhere.json'],
    /the file of hooks cannot be read: .*nowhere\.json.*; wanted a JSON file/,
  ],
  [['run', 'MODEL', 'x', '--hooks', 'package.json', '--trace', ''], /--trace is empty; wanted a path/],
  [['run', 'MODEL', 'x', '--routes', ''], /--routes is empty; wanted a path/],
  [['run', 'http://127.0.0.1:1/', 'x', '--cache', ''], /--cache is empty/],
  [['logits', 'MODEL', '--ids', '1', '--slots', '0'], /streaming\.slotsPerLayer is 0/],
  [['logits', 'MODEL', '--ids', '1', '--policy', 'fifo'], /--policy is "fifo"/],
  [['inspect', 'MODEL', '--quantize', 'q5'], /--quantize is "q5"/],
  [['plan', 'MODEL', '--slots', '0'], /streaming\.slotsPerLayer is 0/],
  [['plan', 'MODEL', '--device', 'tpu'], /--device is "tpu"/],
  [['serve', 'MODEL', '--port', '65536'], /--port is 65536; wanted a whole number of 0 to 65535/],
  [['serve', 'MODEL', '--token', 'a\u00e9'], /--token has characters that no header can have/],
  [['serve', 'MODEL', '--token', ''], /--token is empty/],
  [['bench', 'MODEL', '--reply', '0'], /--reply is 0/],
  [['bench', 'MODEL', '--kernels', '--device', 'cpu'], /--kernels times the kernels of a GPU/],
  [['verify', 'MODEL', '--device', 'tpu'], /--device is "tpu"/],
  // Of a folder that is not empty, too.
  [['pack', 'MODEL', root, '--quantize', 'q5'], /--quantize is "q5"/],
  [['pack', 'MODEL', root, '--split', 'x'], /--split is "x"; wanted a size such as 512MB/],
  [['simulate', 'MODEL', '--ratio', '0'], /--ratio has "0"/],
  [['simulate', 'MODEL', '--policy', 'fifo'], /--policy has "fifo"/],
  [['simulate', 'MODEL', '--svg', ''], /--svg is empty/],
].map(([argv, message]): [string[], RegExp] => [
  (argv as string[]).map((each) => (each === 'MODEL' ? '/no/such/model' : each)),
  message as RegExp,
]);

describe('usage', () => {
  test('the examples name models and traces that a checkout has', async () => {
    const { out } = await run('--help');
    const examples = [...out.matchAll(/^ +npx atomoe (\w+) (\S+)/gm)].map(([, name = '', path = '']) => [
      name,
      path,
    ]);
    expect(examples.map(([name]) => name)).toEqual(
      expect.arrayContaining(['run', 'plan', 'pack', 'simulate']),
    );
    expect(examples).toHaveLength(8);
    for (const [name = '', path = ''] of examples) {
      expect(existsSync(join(root, path)), `${name} ${path}`).toBe(true);
      expect((await run(name, '--help')).out).toContain(`Example: npx atomoe ${name} ${path}`);
    }
  });

  test('models lists what the tables hold', async () => {
    const { out } = await run('models', '--json');
    const { families, gguf, quantizations, formats } = JSON.parse(out);
    expect(families).toEqual(expect.arrayContaining(['olmoe', 'omnimoe', 'gpt_oss']));
    expect(gguf).toEqual(expect.arrayContaining(['llama', 'qwen3moe']));
    expect(quantizations).toEqual(expect.arrayContaining(['mxfp4']));
    expect(formats).toEqual(expect.arrayContaining(['f32', 'q4_k']));
    expect((await run('models')).out).toContain(families.at(-1));
  });

  test('help fits one screen and gives every command an example', async () => {
    const { code, out } = await run('--help');
    expect(code).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(24);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80);
    for (const name of ['run', 'logits', 'inspect', 'bench', 'verify'])
      expect(out).toContain(`npx atomoe ${name} `);
  });

  test.each(['run', 'logits', 'inspect', 'bench', 'verify'])('%s --help fits one screen', async (name) => {
    const { code, out } = await run(name, '--help');
    expect(code).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(24);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80);
    expect(out).toContain(`npx atomoe ${name} `);
  });

  test.each([
    [['frob'], /no command "frob"; wanted run, serve, logits/],
    [['run', 'models/x'], /PROMPT is missing/],
    [['run', 'models/x', 'Once', 'upon'], /unexpected argument "upon".*quote/],
    [['inspect'], /MODEL is missing/],
    [['run', 'x', 'y', '--frob'], /unknown option '--frob'/],
    [['run', 'x', 'y', '--seed'], /--seed/],
    [['logits', model('olmoe'), '--ids', '1,x'], /--ids is "1,x"/],
    [['logits', model('olmoe')], /--ids is missing/],
    [
      ['logits', model('olmoe'), '--ids', '1', '--device', 'tpu'],
      /--device is "tpu"; wanted auto or gpu or cpu or reference/,
    ],
    [['inspect', model('olmoe'), '--context', '0'], /--context is 0/],
    [
      ['run', story, 'x', '--device', 'cpu', '--temperature', 'hot'],
      /--temperature is "hot"; wanted a number/,
    ],
    // What the reply is to be is read before the model is looked for.
    [['run', '/no/such/model', 'x', '--top-p', '9'], /topP is 9/],
    [['run', '/no/such/model', 'x', '--max-tokens', '0'], /maxTokens is 0/],
    [['run', '/no/such/model', 'x', '--template', 'a'], /--template is "a"; wanted NAME=X/],
    [['verify', story, '--device', 'none'], /--device is "none"/],
    [['run', story, 'x', '--tuning', 'fast'], /--tuning is "fast"; wanted auto or off/],
    [
      ['bench', model('olmoe'), '--device', 'cpu', '--prompt', '4', '--reply', '1', '--kernels'],
      /wanted --device gpu/,
    ],
    [['run', story, 'x', '--slots', '0'], /streaming\.slotsPerLayer is 0/],
    [['run', story, 'x', '--run-ahead=-1'], /streaming\.runAhead is -1/],
    [['run', story, 'x', '--device', 'reference', '--policy', 'lru'], /--policy has no effect/],
    [['run', story, 'x', '--cache', '/tmp/x'], /--cache keeps what comes from a URL/],
    [['bench', story, '--rounds', '0'], /--rounds is 0/],
    [
      ['plan', story, '--budget', '-5'],
      /^atomoe: --budget is followed by what looks like an option; wanted its value/,
    ],
    [['inspect', ''], /MODEL is empty; wanted a path or an address/],
    [['pack', story, ''], /OUT is empty/],
    [['simulate', ''], /TRACE is empty/],
    [['inspect', 'http://'], /"http:\/\/" is not an http or https URL/],
    ...wrongValues,
  ])('%j is wrong usage, said in one sentence', async (argv, message) => {
    const { code, out, notes } = await run(...argv);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(/^atomoe: [^\n]+; see npx atomoe [^\n]*--help$/);
    expect(notes[0]).toMatch(message);
  });

  test.each([
    [
      ['logits', model('olmoe'), '--ids', '96', '--device', 'cpu'],
      /token id 96 is outside the vocabulary of 96/,
    ],
    [['inspect', '/no/such/folder'], /\/no\/such\/folder does not exist/],
    [['run', model('olmoe'), 'Once', '--device', 'cpu'], /tokenizer\.json is missing/],
    [['run', story, '', '--device', 'cpu'], /prompt is empty/],
    [['bench', model('olmoe'), '--device', 'cpu', '--prompt', '9999'], /do not fit the context/],
  ])('%j fails with one sentence', async (argv, message) => {
    const { code, out, notes } = await run(...argv);
    expect(code).toBe(1);
    expect(out).toBe('');
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(/^atomoe: [^\n]+$/);
    expect(notes[0]).not.toContain('a bug');
    expect(notes[0]).toMatch(message);
  });

  test('a machine without an adapter is told to use --device cpu', async () => {
    vi.doMock('webgpu', () => ({ create: () => ({ requestAdapter: () => Promise.resolve(null) }) }));
    const { code, notes } = await run('logits', model('olmoe'), '--ids', '1', '--device', 'gpu');
    vi.doUnmock('webgpu');
    expect(code).toBe(1);
    expect(notes.join()).toMatch(/no graphics adapter.*--device cpu/);
  });
});

describe('inspect', () => {
  test('tells spec, sizes and tensors of a model', async () => {
    const { code, out } = await run('inspect', story, '--json');
    expect(code).toBe(0);
    const { kind, spec, plan, tensors, totalBytes } = JSON.parse(out);
    expect(kind).toBe('model');
    expect(spec).toMatchObject({ family: 'omnimoe', hidden: 192, vocab: 4096 });
    const at = 'model.layers.0.mlp.';
    const shape = [4096, 192];
    expect(spec.layers[0].sublayers[1].block).toMatchObject({
      kind: 'moe',
      experts: 4096,
      router: { score: { kind: 'product', rows: `${at}router_gate_x.weight` }, select: { k: 32 } },
      // Where experts stand is data, too.
      expert: { kind: 'neuron', input: { tensor: `${at}up_embed.weight`, shape } },
    });
    // One atomic expert is two vectors of 192 halves.
    expect(plan.bytes.oneExpert).toBe(2 * 192 * 2);
    expect(plan.bytes.allExperts).toBe(4 * 4096 * 768);
    expect(plan.bytes.download).toBe(totalBytes);
    const gate = tensors.find(({ name }: { name: string }) => name === 'model.layers.0.mlp.up_embed.weight');
    expect(gate).toMatchObject({ dtype: 'F16', shape: [4096, 192], sizeBytes: 4096 * 384 });
  });

  test('aligns its tables', async () => {
    const { out } = await run('inspect', model('mixtral'));
    const lines = out.slice(out.indexOf('\ntensor ')).trim().split('\n');
    expect(lines.length).toBeGreaterThan(10);
    expect(new Set(lines.map(({ length }) => length)).size).toBe(1); // right-aligned sizes end together
  });

  test('lists the tensors of a file that is no model', async () => {
    const { code, out } = await run('inspect', layer('peer'));
    expect(code).toBe(0);
    expect(out).toContain('no model: there is no config.json');
    expect(out).toMatch(/keys_x +F32 +\[16, 12\] +768 bytes/);
  });

  test('lists the tensors of a family that Atomoe does not run', async () => {
    const files = ['config.json', 'model.safetensors'];
    const folder = await altered(model('olmoe'), files, { 'config.json': '{"model_type": "strange"}' });
    const { code, out } = await run('inspect', folder);
    expect(code).toBe(0);
    expect(out).toContain('model_type "strange" is not a supported family');
    expect(out).toContain('model.embed_tokens.weight');
  });
});

test('headers of the environment go with every request, and into no message', async () => {
  const seen: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.writeHead(401).end();
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  vi.stubEnv('ATOMOE_HEADERS', 'authorization: Bearer secret');
  try {
    const { port } = server.address() as AddressInfo;
    const { code, notes } = await run('inspect', `http://127.0.0.1:${port}/model/`);
    expect(code).toBe(1);
    expect(notes.join()).not.toContain('secret');
    expect(seen.length).toBeGreaterThan(0);
    expect(new Set(seen)).toEqual(new Set(['Bearer secret']));
    vi.stubEnv('ATOMOE_HEADERS', 'no name');
    const { notes: refusal } = await run('inspect', `http://127.0.0.1:${port}/model/`);
    expect(refusal.join()).toMatch(/ATOMOE_HEADERS has a line without a name/);
    vi.stubEnv('ATOMOE_HEADERS', 'a b: secret');
    const wrong = await run('inspect', `http://127.0.0.1:${port}/model/`);
    expect(wrong.code).toBe(2);
    expect(wrong.notes.join()).toMatch(/headers: /);
    expect(wrong.notes.join()).not.toContain('secret');
  } finally {
    vi.unstubAllEnvs();
    server.close();
  }
});

describe('logits', () => {
  test('that are no finite numbers are printed, and fail', async () => {
    const weights = await readFile(join(model('mixtral'), 'model.safetensors'));
    const end = 8 + Number(weights.readBigUInt64LE(0));
    // The head's first row: finite weights whose products are not.
    for (let at = end; at < end + 4 * 64; at += 4) weights.writeFloatLE(3e38, at);
    const broken = await altered(model('mixtral'), ['config.json'], { 'model.safetensors': weights });
    const { code, out, notes } = await run('logits', broken, '--ids', '1', '--device', 'cpu', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(out).logits[0][0]).toBe(null);
    expect(notes).toEqual(['position 0 has logits that are no finite numbers; check the weights']);
  });

  test('gives every position, in one go and token by token', async () => {
    const golden = JSON.parse(await readFile(join(model('granitemoe'), 'golden.json'), 'utf8'));
    const ids = golden.ids.slice(0, 5);
    const argv = ['logits', model('granitemoe'), '--ids', ids.join(','), '--device', 'cpu', '--json'];
    for (const mode of [[], ['--one-by-one']]) {
      const { out } = await run(...argv, ...mode);
      const answer = JSON.parse(out);
      expect(answer).toMatchObject({ ids, vocab: 96 });
      expect(answer.logits).toHaveLength(5);
      for (const [position, row] of answer.logits.entries()) {
        row.forEach((value: number, id: number) => expect(value).toBeCloseTo(golden.logits[position][id], 4));
      }
    }
  });
});

test('run streams what greedy decoding says', async () => {
  const golden = JSON.parse(await readFile(join(story, 'golden.json'), 'utf8'));
  const options = ['--device', 'cpu', '--temperature', '0', '--max-tokens', '6'];
  const { code, out } = await run('run', story, golden.prompt, ...options);
  expect(code).toBe(0);
  expect(out.trim().length).toBeGreaterThan(6);
  expect(golden.greedy_text.startsWith(golden.prompt + out.trimEnd())).toBe(true);
  const { out: json } = await run('run', story, golden.prompt, ...options, '--json');
  expect(JSON.parse(json)).toMatchObject({
    reason: 'length',
    text: out.trimEnd(),
    usage: { completionTokens: 6 },
  });
});

test('run decides on tokens by a strategy, and says which', async () => {
  const folder = await altered(story, [], {});
  const options = ['--device', 'cpu', '--temperature', '0', '--max-tokens', '12', '--json'];
  const told = async (...given: string[]) => {
    const { code, out } = await run('run', story, 'Once upon', ...options, ...given);
    expect(code).toBe(0);
    return JSON.parse(out) as { text: string; decoding: object };
  };
  const plain = await told();
  const file = join(folder, 'decoding.json');
  await writeFile(file, '{ "kind": "ngram", "draft": 4 }');
  for (const given of ['ngram', file]) {
    const { text, decoding } = await told('--decoding', given);
    expect(text).toBe(plain.text);
    expect(decoding).toMatchObject({ strategy: 'ngram' });
  }
});

test('run writes a trace that --hooks replays, and takes other hooks', async () => {
  const folder = await altered(story, [], {});
  const [trace, mute] = [join(folder, 'trace.json'), join(folder, 'mute.json')];
  const moe = 'demo/public/models/fable-moe-12m';
  const options = ['--device', 'cpu', '--temperature', '0', '--max-tokens', '6', '--json'];
  const textOf = async (...more: string[]) => {
    const { code, out } = await run('run', moe, 'Once upon', ...options, ...more);
    expect(code).toBe(0);
    return (JSON.parse(out) as { text: string }).text;
  };
  const text = await textOf('--trace', trace);
  const { replay } = JSON.parse(await readFile(trace, 'utf8'));
  expect(replay.trace.tokens[0].ids).toHaveLength(6);
  expect(await textOf('--hooks', trace)).toBe(text);
  const lost = await run('run', moe, 'Once upon', ...options, '--trace', folder);
  expect([lost.code, lost.notes.at(-1)]).toEqual([
    1,
    expect.stringMatching(/--trace .* cannot be written: EISDIR.*; choose another place$/),
  ]);
  await writeFile(mute, JSON.stringify({ all: { mask: Array.from({ length: 28 }, (_, e) => e) } }));
  expect(await textOf('--hooks', mute)).not.toBe(text);
  await writeFile(mute, JSON.stringify({ all: { mask: [32] } }));
  const { code, notes } = await run('run', moe, 'Once upon', ...options, '--hooks', mute);
  expect([code, notes.join()]).toEqual([1, expect.stringMatching(/hooks\.all\.mask\.0 is 32/)]);
});

test('run keeps thoughts out of the results', async () => {
  const names = ['config.json', 'generation_config.json', 'model.safetensors', 'tokenizer.json'];
  const ending = "{{ '</think>' if enable_thinking is defined and not enable_thinking else '<think>' }}";
  const folder = await altered(story, [...names, 'tokenizer_config.json'], {
    'chat_template.jinja': `{# of one role #}{{ messages[0].content }}${ending}`,
  });
  const options = ['--device', 'cpu', '--temperature', '0', '--max-tokens', '6'];
  const { code, out, aside } = await run('run', folder, 'Once', ...options);
  expect(code).toBe(0);
  expect(out).toBe('\n');
  expect(aside.trim().length).toBeGreaterThan(6);
  expect(aside.endsWith('\n\n')).toBe(true);
  const { out: json } = await run('run', folder, 'Once', ...options, '--json');
  expect(JSON.parse(json)).toMatchObject({ text: '', reasoning: aside.slice(0, -2) });
  const off = await run('run', folder, 'Once', ...options, '--template', 'enable_thinking=false');
  expect(off.out.trim().length).toBeGreaterThan(6);
  expect(off.aside).toBe('');
});

describe('verify', () => {
  test('accepts a model whose logits agree', async () => {
    const { code, out } = await run('verify', model('qwen2_moe'), '--device', 'cpu', '--json');
    expect(code).toBe(0);
    const { ok, checks } = JSON.parse(out);
    expect(ok).toBe(true);
    expect(checks.map(({ mode }: { mode: string }) => mode)).toEqual(['in one go', 'token by token']);
    for (const { error, of } of checks) {
      expect(error).toBeLessThan(1e-4);
      expect(of).toBe(12 * 96);
    }
  });

  test('refuses a model when a single logit is off', async () => {
    const golden = JSON.parse(await readFile(join(model('olmoe'), 'golden.json'), 'utf8'));
    golden.logits[7][50] += 3e-4;
    const files = ['config.json', 'generation_config.json', 'model.safetensors', 'golden.json'];
    const folder = await altered(model('olmoe'), files, { 'golden.json': JSON.stringify(golden) });
    const { code, out } = await run('verify', folder, '--device', 'cpu');
    expect(code).toBe(1);
    expect(out).toMatch(/logits +in one go +3\.\d+e-4 absolute +1e-4 +FAILED/);
    expect(out).toContain('2 of 2 checks FAILED');
  });

  test('refuses router ids, greedy ids and perplexity that are off, and accepts those that agree', async () => {
    const golden = JSON.parse(await readFile(join(story, 'golden.json'), 'utf8'));
    const files = [
      'config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
      'golden.json',
    ];
    // A short window keeps this quick: its perplexity is not the file's, so that check has to fail.
    golden.perplexity = { ...golden.perplexity, ids: golden.ids, window: golden.ids.length };
    golden.greedy_ids = golden.greedy_ids.slice(0, 14);
    golden.greedy_ids[12] = (golden.greedy_ids[12] + 1) % 4096;
    golden.router_ids[2][3][0] = golden.router_ids[2][3][0] === 0 ? 1 : 0;
    const folder = await altered(story, files, { 'golden.json': JSON.stringify(golden) });
    const { code, out } = await run('verify', folder, '--device', 'cpu', '--json');
    expect(code).toBe(1);
    const { checks } = JSON.parse(out);
    const find = (wanted: string) => checks.filter(({ name }: { name: string }) => name === wanted);
    expect(find('logits').map(({ ok }: { ok: boolean }) => ok)).toEqual([true, true]);
    expect(find('router ids').map(({ error }: { error: number }) => error)).toEqual([1, 1]);
    for (const { error } of find('greedy ids')) expect(error).toBeGreaterThanOrEqual(1);
    expect(find('perplexity')[0].ok).toBe(false);
  });

  test.each([
    ['omnimoe', ['ids', 'log_scores', 'weights', 'y', 'y_renormalised']],
    ['peer', ['ids', 'scores', 'weights', 'y']],
  ])('accepts the layer %s', async (name, outputs) => {
    const { code, out } = await run('verify', layer(name), '--device', 'cpu', '--json');
    expect(code).toBe(0);
    const { checks } = JSON.parse(out);
    expect(checks.map((check: { name: string }) => check.name)).toEqual([...outputs, ...outputs]);
    for (const { error, tolerance } of checks) {
      expect(error).toBeLessThanOrEqual(tolerance);
      expect(tolerance).toBeLessThanOrEqual(1e-5);
    }
  });

  test.each([
    ['omnimoe', 'expected.y_renormalised', 'y_renormalised'],
    ['omnimoe', 'expected.log_scores', 'log_scores'],
    ['peer', 'expected.weights', 'weights'],
    ['peer', 'keys_y', 'y'],
  ])('refuses the layer %s when %s is off', async (name, tensor, output) => {
    const bytes = await readFile(layer(name));
    const headerBytes = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerBytes));
    const at = 8 + headerBytes + header[tensor].data_offsets[0] + 20;
    bytes.writeFloatLE(bytes.readFloatLE(at) + 0.01, at);
    const folder = await altered(root, [], { 'layer.safetensors': bytes });
    const { code, out } = await run('verify', join(folder, 'layer.safetensors'), '--device', 'cpu', '--json');
    expect(code).toBe(1);
    const failed = JSON.parse(out).checks.filter(({ ok }: { ok: boolean }) => !ok);
    expect(failed.map((check: { name: string }) => check.name)).toContain(output);
  });

  test('works without the metadata', async () => {
    const bytes = await readFile(layer('peer'));
    const headerBytes = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerBytes));
    delete header.__metadata__;
    bytes.fill(0x20, 8, 8 + headerBytes); // a header may be padded with spaces
    bytes.write(JSON.stringify(header), 8);
    const folder = await altered(root, [], { 'layer.safetensors': bytes });
    const { code } = await run('verify', join(folder, 'layer.safetensors'), '--device', 'cpu');
    expect(code).toBe(0);
  });

  test('a folder without known answers is told so', async () => {
    const folder = await altered(model('olmoe'), ['config.json', 'model.safetensors'], {});
    const { code, notes } = await run('verify', folder, '--device', 'cpu');
    expect(code).toBe(1);
    expect(notes.join()).toMatch(/neither a golden\.json nor a layer file/);
  });
});
