/** Bad models, bad prompts, bad machines: one typed error that says what, where and what to do; nothing is left behind. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { create } from 'webgpu';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { AtomoeError } from '../errors.ts';
import type { GpuEntry, HostDevice } from '../gpu/device.ts';
import { memoryFolder } from '../io/memory.ts';
import { nodeFolder } from '../io/node-file.ts';
import type { FolderSource } from '../io/source.ts';
import type { Prompt } from './api.ts';
import { LocalEngine, type EngineOptions } from './engine.ts';

// Dawn on a software driver: only a hang takes longer than this.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const root = resolve(import.meta.dirname, '../..');

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}
type Header = Record<string, Entry>;

let config: Record<string, unknown>;
let weights: Uint8Array<ArrayBuffer>;
let header: Header;
let dataOffset: number;
let dawn: GPU; // kept reachable: Dawn goes when it is collected
let device: HostDevice;
let liveBytes = 0;

beforeAll(async () => {
  const folder = resolve(root, 'fixtures/models/mixtral');
  config = JSON.parse(await readFile(resolve(folder, 'config.json'), 'utf8'));
  weights = new Uint8Array(await readFile(resolve(folder, 'model.safetensors')));
  dataOffset = 8 + Number(new DataView(weights.buffer).getBigUint64(0, true));
  header = JSON.parse(new TextDecoder().decode(weights.subarray(8, dataOffset)));
  dawn = create([]);
  device = counted(await (await dawn.requestAdapter())!.requestDevice());
});

afterAll(() => {
  device.destroy();
  expect(dawn).toBeDefined();
});

/** Counts the bytes of the buffers that a device has made and that were not destroyed yet. */
function counted(real: GPUDevice): HostDevice {
  const make = real.createBuffer.bind(real);
  real.createBuffer = (descriptor) => {
    const buffer = make(descriptor);
    const destroy = buffer.destroy.bind(buffer);
    let isLive = true;
    liveBytes += descriptor.size;
    buffer.destroy = () => {
      if (isLive) liveBytes -= descriptor.size;
      isLive = false;
      return destroy();
    };
    return buffer;
  };
  return real;
}

interface Damage {
  config?: Record<string, unknown> | string | undefined;
  header?: (copy: Header) => void; // the text of the header; the data stay where they are
  bytes?: (copy: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> | undefined;
  without?: string;
}

/** The model with something wrong in it. */
function damaged(damage: Damage): FolderSource {
  let bytes = weights.slice();
  if (damage.header) {
    const copy = structuredClone(header);
    damage.header(copy);
    const text = new TextEncoder().encode(JSON.stringify(copy));
    bytes = new Uint8Array(8 + text.length + weights.length - dataOffset);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
    bytes.set(text, 8);
    bytes.set(weights.subarray(dataOffset), 8 + text.length);
  }
  bytes = damage.bytes?.(bytes) ?? bytes;
  const text =
    typeof damage.config === 'string' ? damage.config : JSON.stringify({ ...config, ...damage.config });
  const files: Record<string, Uint8Array | string> = { 'config.json': text, 'model.safetensors': bytes };
  if (damage.without !== undefined) delete files[damage.without];
  return memoryFolder(files, 'a model');
}

/** Where a tensor's data begin in the file. */
function offsetOf(name: string): number {
  return dataOffset + header[name]!.data_offsets[0];
}

const Q = 'model.layers.1.self_attn.q_proj.weight';
const LAST_EXPERT = 'model.layers.1.block_sparse_moe.experts.3.w2.weight';

const CASES: readonly { what: string; damage: () => Damage; code: string; says: RegExp[] }[] = [
  {
    what: 'no config.json',
    damage: () => ({ without: 'config.json' }),
    code: 'bad-file',
    says: [/a model: config\.json is missing/, /give a Hugging Face model folder/],
  },
  {
    what: 'no weights',
    damage: () => ({ without: 'model.safetensors' }),
    code: 'bad-file',
    says: [/a model: model\.safetensors is missing/, /give a Hugging Face model folder/],
  },
  {
    what: 'a config that is no JSON',
    damage: () => ({ config: '{"model_type": ' }),
    code: 'bad-file',
    says: [/config\.json is not JSON/, /download it again/],
  },
  {
    what: 'an unknown family',
    damage: () => ({ config: { model_type: 'strange' } }),
    code: 'unsupported-model',
    says: [/a model: model_type "strange"/, /qwen3_moe/, /choose a model/],
  },
  {
    what: 'a key of the wrong kind',
    damage: () => ({ config: { num_local_experts: 'four' } }),
    code: 'bad-file',
    says: [/config\.json: num_local_experts.* is "four"; wanted a positive integer/, /check/],
  },
  {
    what: 'a truncated file',
    damage: () => ({ bytes: (bytes) => bytes.slice(0, bytes.length - 100) }),
    code: 'bad-file',
    says: [
      /model\.safetensors: tensor "/,
      /ends at byte \d+ of the data, the file has only \d+/,
      /download it again/,
    ],
  },
  {
    what: 'overlapping tensors',
    damage: () => ({
      header: (copy) => {
        const [begin, end] = copy[Q]!.data_offsets;
        copy[Q]!.data_offsets = [begin - 4, end - 4];
      },
    }),
    code: 'bad-file',
    says: [
      /model\.safetensors: tensor "model\.layers\.1\.self_attn/,
      /begins at byte \d+ of the data/,
      /download it again/,
    ],
  },
  {
    what: 'a header longer than the file',
    damage: () => ({
      bytes: (bytes) => {
        new DataView(bytes.buffer).setBigUint64(0, 50_000_000n, true);
        return bytes;
      },
    }),
    code: 'bad-file',
    says: [/model\.safetensors: its header claims 50000000 bytes, the file has \d+/, /download it again/],
  },
  {
    what: 'an unknown dtype',
    damage: () => ({ header: (copy) => (copy[Q]!.dtype = 'Q3_K') }),
    code: 'bad-file',
    says: [
      /model\.safetensors: tensor "model\.layers\.1\.self_attn\.q_proj\.weight" has the type "Q3_K", one of .*BF16/,
    ],
  },
  {
    what: 'a dtype that no weight has',
    damage: () => ({
      header: (copy) => {
        const [rows, cols] = copy[Q]!.shape as [number, number];
        Object.assign(copy[Q]!, { dtype: 'F8_E4M3', shape: [rows, 4 * cols] }); // as many bytes
      },
    }),
    code: 'unsupported-model',
    says: [
      /model\.safetensors: tensor "model\.layers\.1\.self_attn\.q_proj\.weight" is F8_E4M3; wanted F16, BF16 or F32/,
    ],
  },
  {
    what: 'a missing tensor',
    damage: () => ({
      header: (copy) => {
        copy['renamed'] = copy[Q]!;
        delete copy[Q];
      },
    }),
    code: 'bad-file',
    says: [/a model: tensor "model\.layers\.1\.self_attn\.q_proj\.weight" is missing/, /download/],
  },
  {
    what: 'a missing expert',
    damage: () => ({
      header: (copy) => {
        copy['renamed'] = copy[LAST_EXPERT]!;
        delete copy[LAST_EXPERT];
      },
    }),
    code: 'bad-file',
    says: [
      /a model: tensor "model\.layers\.1\.block_sparse_moe\.experts\.3\.w2\.weight" is missing/,
      /download/,
    ],
  },
  {
    what: 'a wrong shape',
    damage: () => ({
      header: (copy) => {
        const [rows, cols] = copy[Q]!.shape as [number, number];
        copy[Q]!.shape = [rows * 2, cols / 2];
      },
    }),
    code: 'bad-file',
    says: [
      /model\.safetensors: tensor "model\.layers\.1\.self_attn\.q_proj\.weight" has shape \[\d+, \d+\]; wanted /,
      /config\.json/,
    ],
  },
  {
    what: 'an expert of a wrong shape',
    damage: () => ({
      header: (copy) => {
        const [rows, cols] = copy[LAST_EXPERT]!.shape as [number, number];
        copy[LAST_EXPERT]!.shape = [cols, rows];
      },
    }),
    code: 'bad-file',
    says: [
      /model\.safetensors: tensor "model\.layers\.1\.block_sparse_moe\.experts\.3\.w2\.weight" has shape/,
      /wanted/,
    ],
  },
  {
    what: 'NaN in the last expert',
    damage: () => ({
      bytes: (bytes) => {
        new DataView(bytes.buffer).setFloat32(offsetOf(LAST_EXPERT) + 40, Number.NaN, true);
        return bytes;
      },
    }),
    code: 'non-finite',
    says: [
      /model\.safetensors: tensor "model\.layers\.1\.block_sparse_moe\.experts\.3\.w2\.weight"/,
      /element 10/,
      /download it again/,
    ],
  },
  {
    what: 'an infinity in a dense tensor',
    damage: () => ({
      bytes: (bytes) => {
        new DataView(bytes.buffer).setFloat32(offsetOf(Q), -Infinity, true);
        return bytes;
      },
    }),
    code: 'non-finite',
    says: [
      /model\.safetensors: tensor "model\.layers\.1\.self_attn\.q_proj\.weight"/,
      /NaN or an infinity at element 0/,
    ],
  },
];

/** What a promise is rejected with; it has to be. */
async function refusal(promise: Promise<unknown>): Promise<AtomoeError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AtomoeError);
  return error as AtomoeError;
}

const BAD_IDS: readonly [ids: number[], code: string, says: RegExp][] = [
  [[], 'bad-input', /no ids; wanted at least one/],
  [[96], 'bad-input', /token id 96 is outside the vocabulary of 96/],
  [[-1], 'bad-input', /token id -1 is outside/],
  [[1, 2, 3, 4, 5], 'context-full', /5 ids do not fit the context of 4 tokens/],
];

describe.each(['cpu', 'gpu'] as const)('on the %s', (kind) => {
  const options = (): EngineOptions => (kind === 'cpu' ? { device: 'cpu' } : { device, tuning: 'off' });

  test.each(CASES)('$what', async ({ damage, code, says }) => {
    const engine = await LocalEngine.open(options());
    const error = await refusal(engine.load(damaged(damage())));
    expect(error.message).toMatch(/^[^\n]+$/);
    expect({ code: error.code, message: error.message }).toMatchObject({ code });
    for (const part of says) expect(error.message).toMatch(part);
    expect(liveBytes).toBe(0);
    expect(engine.model).toBeUndefined();
    engine.dispose();
  });

  // One test, because compiling a model for a software adapter takes longer than all of the above.
  test('after a bad model a good one loads; it refuses bad ids; all of it is let go', async () => {
    const engine = await LocalEngine.open(options());
    await refusal(engine.load(damaged({ without: 'config.json' })));
    await engine.load(damaged({}), { contextTokens: 4 });
    if (kind === 'gpu') expect(liveBytes).toBeGreaterThan(400_000);
    for (const [ids, code, says] of BAD_IDS) {
      const error = await refusal(engine.logits(ids));
      expect(error.code).toBe(code);
      expect(error.message).toMatch(says);
    }
    expect((await engine.logits([1, 2])).length).toBe(2 * 96);
    engine.dispose();
    await vi.waitFor(() => expect(liveBytes).toBe(0));
  });

  test('a load that is aborted midway leaves nothing behind', async () => {
    const engine = await LocalEngine.open(options());
    const stop = new AbortController();
    let mostBytes = 0;
    const onProgress = ({ kind: step }: { kind: string }) => {
      mostBytes = Math.max(mostBytes, liveBytes);
      if (step === 'downloading' && ++downloads === 20) stop.abort(new Error('enough'));
    };
    let downloads = 0;
    await expect(engine.load(damaged({}), { signal: stop.signal, onProgress })).rejects.toThrow('enough');
    if (kind === 'gpu') expect(mostBytes).toBeGreaterThan(0);
    expect(liveBytes).toBe(0);
    engine.dispose();
  });
});

const PROMPTS: readonly [what: string, prompt: Prompt, options: object, code: string, says: RegExp][] = [
  ['an empty prompt', '', {}, 'bad-input', /the prompt is empty; wanted at least one token/],
  ['no messages', [], {}, 'bad-input', /no messages, at least one is wanted/],
  [
    'too long a prompt',
    'Once upon a time, there was a fox.',
    {},
    'context-full',
    /\d+ tokens long, .* holds 8;/,
  ],
  [
    'a low temperature',
    'Once',
    { temperature: -1 },
    'bad-input',
    /temperature is -1; wanted a number from 0/,
  ],
  ['half a token', 'Once', { maxTokens: 0.5 }, 'bad-input', /maxTokens is 0\.5; wanted a whole number/],
  ['an unknown option', 'Once', { tempurature: 1 }, 'bad-input', /unknown option "tempurature"/],
];

describe('prompts', () => {
  let engine: LocalEngine;
  beforeAll(async () => {
    engine = await LocalEngine.open({ device: 'cpu' });
    const folder = await nodeFolder(resolve(root, 'demo/public/models/fable-omni-8m'));
    await engine.load(folder, { contextTokens: 8 });
  });
  afterAll(() => engine.dispose());

  test.each(PROMPTS)('%s is refused, and the session goes on', async (_, prompt, options, code, says) => {
    const session = engine.session();
    const tell = async (text: Prompt, how: object) => {
      for await (const event of session.generate(text, how)) if (event.kind === 'done') return event.reason;
      return undefined;
    };
    const error = await refusal(tell(prompt, options));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(says);
    expect(await tell('Once', { maxTokens: 1, temperature: 0 })).toBe('length');
    session.dispose();
  });
});

describe('machines', () => {
  test('without an adapter', async () => {
    const gpu = { requestAdapter: () => Promise.resolve(null) } as unknown as GpuEntry;
    const error = await refusal(LocalEngine.open({ device: 'gpu', gpu }));
    expect(error.code).toBe('no-webgpu');
    expect(error.message).toMatch(/offers no adapter; wanted one; .*device: 'cpu'/);
  });

  test('too small for what lies in one piece: it is named, and no device is opened', async () => {
    const { features, limits, info } = (await dawn.requestAdapter())!;
    const small = { maxBufferSize: limits.maxBufferSize, maxStorageBufferBindingSize: 16_384 };
    const requestDevice = vi.fn();
    const adapter = { features, limits: { ...readAll(limits), ...small }, info, requestDevice };
    const gpu = { requestAdapter: () => Promise.resolve(adapter) } as unknown as GpuEntry;
    const engine = await LocalEngine.open({ device: 'gpu', gpu });
    const plan = await engine.plan(damaged({}), { contextTokens: 128 });
    expect(plan.fits).toBe(false);
    const error = await refusal(engine.load(damaged({}), { contextTokens: 128 }));
    expect(error.code).toBe('limit-too-small');
    expect(error.message).toMatch(
      /a model does not fit: the work space of a prompt needs a \d+-byte binding, this adapter allows 16384; quantize/,
    );
    expect(requestDevice).not.toHaveBeenCalled();
    engine.dispose();
  });

  test('a budget that is too small', async () => {
    const engine = await LocalEngine.open({ device, tuning: 'off' });
    const error = await refusal(engine.load(damaged({}), { memoryBudget: 100_000 }));
    expect(error.code).toBe('limit-too-small');
    expect(error.message).toMatch(
      /needs (\d+) bytes of GPU memory at least, the budget is 100000; .*raise memoryBudget to \1/,
    );
    expect(liveBytes).toBe(0);
    engine.dispose();
  });
});

/** Limits stand on the prototype: spreading would lose them. */
function readAll(limits: GPUSupportedLimits): Record<string, number> {
  const all: Record<string, number> = {};
  for (const name in limits) all[name] = (limits as unknown as Record<string, number>)[name]!;
  return all;
}
