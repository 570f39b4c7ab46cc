/** Whatever is handed to the engine, the answer is an AtomoeError or a value that can be cloned; never another error. */
import { expect, test } from 'vitest';
import { AtomoeError } from '../errors.ts';
import { seededRandom } from '../containers/seeded-random.testing.ts';
import { readChatRequest } from './talk/completions-request.ts';
import { readPrompt } from './talk/messages.ts';
import { modelSource } from './load/model-source.ts';
import {
  readConnectOptions,
  readEngineOptions,
  readGenerateOptions,
  readLoadOptions,
  readResizeOptions,
  readWorkerOptions,
} from './options.ts';
import { readIds } from './talk/token-ids.ts';

const READERS: Readonly<Record<string, (value: unknown) => unknown>> = {
  generate: readGenerateOptions,
  load: readLoadOptions,
  resize: readResizeOptions,
  createEngine: readEngineOptions,
  createWorkerEngine: readWorkerOptions,
  connectEngine: readConnectOptions,
  prompt: readPrompt,
  message: (value) => readPrompt([asMessage(value)]),
  create: (value) => readChatRequest(value, undefined),
  options: (value) => readChatRequest({ messages: [{ role: 'user', content: '' }] }, value),
  model: (value) => modelSource(value, 'the model'),
  ids: (value) => readIds(value, 10, 10),
};

/** What was drawn, as a message where it can be copied. */
function asMessage(value: unknown): unknown {
  const message = { role: 'user', content: '' };
  if (typeof value !== 'object') return value;
  try {
    return Object.defineProperties(message, Object.getOwnPropertyDescriptors(value));
  } catch {
    return value;
  }
}

const FIELDS = [
  ...[
    'messages',
    'role',
    'content',
    'type',
    'text',
    'name',
    'tools',
    'tool_calls',
    'logit_bias',
    'stream_options',
  ],
  ...[
    'response_format',
    'stop',
    'temperature',
    'maxTokens',
    'max_tokens',
    'signal',
    'streaming',
    'policy',
    'lossy',
  ],
  ...[
    'memoryBudget',
    'onProgress',
    'headers',
    'fetch',
    'device',
    'gpu',
    'model',
    'families',
    'tuning',
    'storage',
  ],
  ...[
    'label',
    'open',
    'worker',
    'memory',
    'close',
    'length',
    '__proto__',
    'constructor',
    'toString',
    'then',
    '0',
  ],
];

type Draw = () => number;

function fail(): never {
  throw new Error('trap');
}

/** An object none of whose inner workings can be trusted. */
function trapped(draw: Draw): object {
  const traps = ['get', 'has', 'ownKeys', 'getOwnPropertyDescriptor', 'getPrototypeOf'] as const;
  const target = draw() < 0.5 ? {} : [];
  return new Proxy(target, { [traps[Math.floor(draw() * traps.length)] ?? 'get']: fail });
}

function revoked(draw: Draw): object {
  const { proxy, revoke } = Proxy.revocable(draw() < 0.5 ? {} : [], {});
  revoke();
  return proxy;
}

function cyclic(): object {
  const self: Record<string, unknown> = { role: 'user' };
  self['content'] = [self];
  return self;
}

const ATOMS: readonly ((draw: Draw) => unknown)[] = [
  () => undefined,
  () => null,
  () => Number.NaN,
  () => -1,
  () => 1e300,
  () => 5n,
  () => '',
  () => 'user',
  () => 'x'.repeat(100_000),
  () => '\u001b[2J\u202e\n',
  () => '\ud800',
  () => true,
  () => Symbol('s'),
  () => () => {},
  () => new Date(Number.NaN),
  () => new Map([[{}, 1]]),
  () => new Uint8Array(3),
  () => Array(2 ** 32 - 1),
  () => new AbortController().signal,
  () => new (class Own {})(),
  () => Object.assign(Object.create(null), { toString: fail }),
  () => ({ [Symbol.toPrimitive]: fail, toJSON: fail }),
  cyclic,
  trapped,
  revoked,
];

function any(draw: Draw, depth: number): unknown {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(draw() * list.length)] as T;
  if (depth === 0 || draw() < 0.4) return pick(ATOMS)(draw);
  if (draw() < 0.3) return Array.from({ length: Math.floor(draw() * 4) }, () => any(draw, depth - 1));
  const made: Record<string, unknown> = {};
  for (let count = Math.floor(draw() * 5); count > 0; count--) {
    const name = pick(FIELDS);
    const value = any(draw, depth - 1);
    const isGetter = draw() < 0.1;
    const descriptor = isGetter ? { get: fail } : { value, writable: true };
    Object.defineProperty(made, name, { ...descriptor, enumerable: true, configurable: true });
  }
  return draw() < 0.2 ? new Proxy(made, {}) : made;
}

/** Anything at all, and each kind of value in each field. */
function* inputs(draw: Draw): Generator<unknown> {
  for (let i = 0; i < 1000; i++) yield any(draw, 4);
  for (const name of FIELDS) for (const atom of ATOMS) yield { [name]: atom(draw) };
}

function isRight(error: unknown): boolean {
  if (!(error instanceof AtomoeError)) return false;
  const { code, message } = error;
  return code === 'bad-input' && message.length <= 1010 && /^[^\p{Cc}\u2028\u202e]+$/u.test(message);
}

test.each(Object.keys(READERS))('%s', (name) => {
  let refused = 0;
  for (const value of inputs(seededRandom(7))) {
    try {
      READERS[name]?.(value);
    } catch (error) {
      refused += 1;
      if (!isRight(error)) throw error;
    }
  }
  expect(refused).toBeGreaterThan(100);
});
