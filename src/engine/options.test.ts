import { describe, expect, test, vi } from 'vitest';
import { AtomoeError } from '../errors.ts';
import { memoryFolder } from '../io/memory.ts';
import { nearest } from './checks.ts';
import { createEngine } from './index.ts';
import { readMessages, readPrompt } from './talk/messages.ts';
import { checkOptions, readEngineOptions, readGenerateOptions, readLoadOptions } from './options.ts';
import { draftModel } from './load/planning.ts';

/** What a call is refused with; it has to be. */
function refusal(act: () => unknown): AtomoeError {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(AtomoeError);
    return error as AtomoeError;
  }
  throw new Error('nothing was refused');
}

/** As a store wraps what it keeps: every object behind a proxy, however deep. */
function reactive<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  const get = (target: object, key: PropertyKey): unknown => reactive(Reflect.get(target, key));
  return new Proxy(value, { get }) as T;
}

const throwing = {
  get temperature(): number {
    throw new Error('not today');
  },
};

describe('options of generate', () => {
  test.each<[what: string, options: unknown, says: RegExp]>([
    ['a misspelt name', { temprature: 1 }, /unknown option "temprature", did you mean "temperature"\?/],
    [
      'a name in OpenAI spelling',
      { max_tokens: 1 },
      /unknown option "max_tokens", did you mean "maxTokens"\?/,
    ],
    ['a name like none', { colour: 1 }, /unknown option "colour"; wanted one of maxTokens, /],
    ['a name of every object', { constructor: 1 }, /unknown option "constructor"/],
    ['another', { toString: () => '' }, /unknown option "toString"/],
    ['a prototype as JSON can write it', JSON.parse('{"__proto__": 1}'), /unknown option "__proto__"/],
    ['text for a number', { temperature: '0.7' }, /temperature is "0\.7"; wanted a number from 0 to 10/],
    ['no number', { topP: Number.NaN }, /topP is NaN; wanted a number from 0 to 1;/],
    ['a big integer', { seed: 5n }, /seed is 5n; wanted a whole number from 0 on/],
    ['an object for a number', { maxTokens: {} }, /maxTokens is an object; wanted a whole number/],
    ['text for a list', { stop: 'END' }, /stop is "END"; wanted a list of texts/],
    ['a number for a list', { stop: 5 }, /stop is 5; wanted a list of texts/],
    [
      'a Map for the options',
      new Map(),
      /the argument of generate is an object of class Map; wanted a plain object/,
    ],
    ['a list with a number', { stop: ['a', 5] }, /stop\[1\] is 5; wanted text/],
    [
      'a list that never ends',
      { stop: Array(2 ** 32 - 1) },
      /stop is a list of 4294967295; wanted at most 1000/,
    ],
    ['text for a flag', { routes: 'yes' }, /routes is "yes"; wanted true or false/],
    ['a signal that is none', { signal: {} }, /signal is an object; wanted an AbortSignal itself/],
    ['a controller for a signal', { signal: new AbortController() }, /wanted an AbortSignal itself/],
    [
      'a proxy of a signal',
      { signal: reactive(new AbortController().signal) },
      /wanted an AbortSignal itself/,
    ],
    ['text for the options', 'fast', /the argument of generate is "fast"; wanted a plain object/],
    ['a list for the options', [], /the argument of generate is a list of 0; wanted a plain object/],
    ['a function', () => {}, /the argument of generate is a function; wanted a plain object/],
    ['a getter that throws', throwing, /temperature cannot be read: "not today"; wanted plain data/],
    ['a dead proxy', revoked(), /the argument of generate cannot be read/],
  ])('%s is refused', (_, options, says) => {
    const error = refusal(() => readGenerateOptions(options));
    expect(error.code).toBe('bad-input');
    expect(error.message).toMatch(says);
    expect(error.message.length).toBeLessThan(400);
  });

  test('undefined and null mean that an option is not there', () => {
    const defaults = checkOptions(undefined, () => 7);
    expect(defaults).toMatchObject({ maxTokens: 256, temperature: 0.8, topP: 0.95, seed: 7, stop: [] });
    expect(checkOptions(null, () => 7)).toEqual(defaults);
    const absent = { temperature: undefined, topP: null, stop: null, signal: undefined, nonsense: null };
    expect(checkOptions(absent, () => 7)).toEqual(defaults);
  });

  test('proxies, frozen objects, class instances and plain prototypes are read as what they hold', () => {
    class Held {
      get temperature(): number {
        return 0.5;
      }
      stop = ['a'];
    }
    const wanted = { temperature: 0.5, stop: ['a'] };
    const bare: unknown = Object.assign(Object.create(null), wanted);
    for (const each of [reactive(wanted), Object.freeze({ ...wanted }), new Held(), bare]) {
      const read = readGenerateOptions(each);
      expect(structuredClone(read)).toEqual(wanted);
    }
  });
});

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

describe('options of load', () => {
  test.each<[options: unknown, says: RegExp]>([
    [{ contextToken: 5 }, /did you mean "contextTokens"\?/],
    [{ contextTokens: 0 }, /contextTokens is 0; wanted a whole number from 1 on/],
    [{ memoryBudget: '512MB' }, /memoryBudget is "512MB"; wanted "auto" or a number/],
    [{ memoryBudget: -1 }, /memoryBudget is -1; wanted a number from 0 on/],
    [{ quantize: 5 }, /quantize is 5; wanted text/],
    [{ onProgress: 'log' }, /onProgress is "log"; wanted a function/],
    [{ streaming: 'now' }, /streaming is "now"; wanted a plain object/],
    [{ streaming: { slots: 4 } }, /unknown option "streaming\.slots"; wanted one of start, policy/],
    [{ streaming: { policy: 'best' } }, /streaming\.policy is "best"; wanted "ema" or /],
    [{ streaming: { policy: 'toString' } }, /streaming\.policy is "toString"/],
    [
      new Map([['contextTokens', 5]]),
      /the argument of load is an object of class Map; wanted a plain object/,
    ],
    [new Date(), /the argument of load is an object of class Date; wanted a plain object/],
    [new (class Settings {})(), /the argument of load is an object of class Settings; wanted a plain object/],
    [[5], /the argument of load is a list of 1; wanted a plain object/],
    [{ streaming: new Map() }, /streaming is an object of class Map; wanted a plain object/],
    [{ lossy: new Set() }, /lossy is an object of class Set; wanted a plain object/],
    [
      { headers: new Map([['a', 'secret']]) },
      /headers is an object of class Map; wanted a plain object of names/,
    ],
    [
      { headers: [['a', 'secret']] },
      /headers is a list of 1; wanted a plain object of names to texts, or Headers/,
    ],
    [{ headers: 'secret' }, /headers is a string; wanted a plain object/],
    [{ headers: { 'a b': 'secret' } }, /headers: the name that begins with "a" is none that HTTP allows/],
    [{ headers: { a: 5 } }, /headers: the value of "a" is of type number; wanted text/],
    [
      { headers: { authorization: 'secret\nbreak' } },
      /the value of "authorization" is none that HTTP allows/,
    ],
    [{ streaming: { lookahead: 3 } }, /streaming\.lookahead is 3; wanted 0 or 1 or 2/],
    [{ streaming: { runAhead: -1 } }, /streaming\.runAhead is -1; wanted a whole number/],
    [{ streaming: { hostBudget: 0.5 } }, /streaming\.hostBudget is 0\.5; wanted a whole number/],
    [{ streaming: { start: 'soon' } }, /streaming\.start is "soon"; wanted "whole" or "now"/],
    [{ streaming: { seed: Number.NaN } }, /streaming\.seed is NaN; wanted a whole number/],
    [{ lossy: { skipBelow: -0.1 } }, /lossy\.skipBelow is -0\.1; wanted a number from 0 on/],
    [{ diskCache: 1 }, /diskCache is 1; wanted true or false/],
  ])('%o is refused', (options, says) => {
    const { code, message } = refusal(() => readLoadOptions(options));
    expect(code).toBe('bad-input');
    expect(message).toMatch(says);
    expect(message).not.toContain('secret');
  });

  test('headers are an object of texts, or Headers', () => {
    const wanted = { authorization: 'Bearer x' };
    for (const headers of [wanted, new Headers(wanted), reactive(wanted)]) {
      expect(readLoadOptions({ headers })).toEqual({ headers: wanted });
    }
  });

  test('a format that nothing is quantised in is refused before a file is opened', async () => {
    const load = draftModel(memoryFolder({}), { quantize: 'q5' });
    await expect(load).rejects.toThrow(/quantize is "q5"; wanted "q8_0" or /);
    await expect(draftModel(memoryFolder({}), { quantize: 'bf16' })).rejects.toThrow(/quantize is "bf16"/);
  });

  test('a proxy becomes plain data', () => {
    const options = { streaming: { start: 'whole' }, lossy: { skipBelow: 0 }, memoryBudget: 'auto' };
    expect(structuredClone(readLoadOptions(reactive(options)))).toEqual(options);
  });

  test('what onProgress throws is told apart', () => {
    const { onProgress } = readLoadOptions({
      onProgress: () => {
        throw new TypeError('no bar');
      },
    });
    expect(refusal(() => onProgress?.({ kind: 'ready' })).message).toMatch(/onProgress threw "no bar"/);
  });
});

describe('createEngine', () => {
  const requestAdapter = vi.fn();

  test.each<[options: unknown, says: RegExp]>([
    [{ device: 'cuda' }, /device is "cuda"; wanted "auto", "gpu", "cpu", "reference" or a device of WebGPU/],
    [{ device: {} }, /device is an object/],
    [{ gpu: {} }, /gpu is an object; wanted an entry to WebGPU/],
    [{ modle: '/m/' }, /unknown option "modle", did you mean "model"\?/],
    [{ colour: 1 }, /wanted one of (?!.*(bounds|streamTesting|autoBudget)).*; check/],
    [{ model: 5 }, /model is 5; wanted an address, a list of files, or an object with label and open/],
    [{ model: '' }, /model is ""/],
    [{ model: [] }, /model is a list of 0; wanted at least one file/],
    [{ model: [{ name: 'config.json' }] }, /model\[0\] is an object; wanted a File itself/],
    [{ model: { open: true, label: 'x' } }, /model is an object/],
    [{ tuning: 'fast' }, /tuning is "fast"; wanted "auto", "off" or a Map/],
    [{ families: 5 }, /families is 5; wanted a list of ModelFamily objects/],
    [{ headers: { 'a b': 'x' } }, /headers: the name that begins with "a" is none that HTTP allows/],
    [{ families: [{}] }, /families\[0\] is an object; wanted a ModelFamily/],
    [{ families: [{ parse() {} }] }, /families\[0\]\.modelTypes is undefined; wanted a list of texts/],
    [{ families: [{ parse() {}, modelTypes: 'olmoe' }] }, /modelTypes is "olmoe"; wanted a list of texts/],
    [{ containers: [{ open() {} }] }, /containers\[0\]\.files is undefined; wanted a list of texts/],
    [{ storage: {} }, /storage is an object; wanted a DiskStorage/],
    [{ signal: 'now' }, /signal is "now"/],
    [{ temperature: 1 }, /unknown option "temperature"/],
  ])('%o is refused before anything is opened', async (options, says) => {
    const given = { gpu: { requestAdapter }, ...(options as object) };
    const error: unknown = await createEngine(given as never).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(AtomoeError);
    expect(error).toMatchObject({ code: 'bad-input', message: expect.stringMatching(says) });
    expect(requestAdapter).not.toHaveBeenCalled();
  });

  test('files are taken from a list, or from a proxy around one', () => {
    const files = [new File(['{}'], 'config.json')];
    const { model } = readEngineOptions({ model: new Proxy(files, {}) });
    expect(model).toEqual(files);
  });

  test('an entry to WebGPU that fails is an AtomoeError', async () => {
    const gpu = { requestAdapter: () => Promise.reject(new TypeError('no bus')) };
    await expect(createEngine({ device: 'gpu', gpu: gpu as never })).rejects.toMatchObject({
      name: 'AtomoeError',
      message: expect.stringMatching(/no bus/),
    });
  });

  test('an aborted signal ends it with its reason', async () => {
    const signal = AbortSignal.abort(new Error('no longer'));
    await expect(createEngine({ device: 'cpu', signal })).rejects.toThrow('no longer');
  });
});

describe('messages', () => {
  const user = (content: unknown) => [{ role: 'user', content }];

  test.each<[messages: unknown, says: RegExp]>([
    [[], /there are no messages/],
    [[5], /messages\[0\] is 5; wanted a message/],
    [[null], /messages\[0\] is null; wanted a message/],
    [['hello'], /messages\[0\] is "hello"; wanted a message/],
    [[{ role: 'usr', content: '' }], /messages\[0\]\.role is "usr"; wanted "system" or /],
    [[{ content: 'hello' }], /messages\[0\]\.role is undefined/],
    [user(undefined), /messages\[0\]\.content is undefined; wanted text, or a list of text parts/],
    [user(null), /messages\[0\]\.content is null/],
    [user({ text: 'a' }), /messages\[0\]\.content is an object/],
    [user([{ type: 'image_url' }]), /messages\[0\]\.content\[0\] is a part of type "image_url"/],
    [user([{ type: 'text' }]), /messages\[0\]\.content\[0\]\.text is undefined; wanted text/],
    [user([7]), /messages\[0\]\.content\[0\] is 7/],
    [
      [{ role: 'assistant', content: '', tool_calls: [{}] }],
      /tool_calls\[0\]\.function is undefined; wanted/,
    ],
    [
      [{ role: 'assistant', tool_calls: [{ function: { name: 'a', arguments: '[' } }] }],
      /arguments is "\["; wanted an object, or the JSON of one/,
    ],
    [[{ role: 'assistant', content: null, tool_calls: [] }], /messages\[0\]\.content is null/],
    [new Map(), /messages is an object of class Map; wanted a list of messages/],
    [user('x'.repeat(9)).map((each) => ({ ...each, name: 5 })), /messages\[0\]\.name is 5; wanted text/],
  ])('%j is refused', (messages, says) => {
    expect(refusal(() => readMessages(messages, 'messages')).message).toMatch(says);
  });

  test('what an official client sends back and forth is one text a message', () => {
    const messages = [
      { role: 'developer', content: 'Be short.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Once ' },
          { type: 'text', text: 'upon' },
        ],
        name: 'Ann',
      },
      { role: 'assistant', content: ' a time', refusal: null, tool_calls: [], annotations: [], audio: null },
      { role: 'tool', content: 'rain', tool_call_id: 'call_1' },
      { role: 'user', content: '', id: 4, createdAt: new Date(0) }, // what an application keeps beside
    ];
    const plain = [
      { role: 'system', content: 'Be short.' },
      { role: 'user', content: 'Once upon', name: 'Ann' },
      { role: 'assistant', content: ' a time' },
      { role: 'tool', content: 'rain', tool_call_id: 'call_1' },
      { role: 'user', content: '' },
    ];
    expect(readPrompt(messages)).toEqual(plain);
    expect(structuredClone(readPrompt(reactive(messages)))).toEqual(plain);
  });

  test('arguments of calls are objects, however they are given', () => {
    const call = (given?: unknown) => ({ type: 'function', function: { name: 'rain', arguments: given } });
    const said = {
      role: 'assistant',
      content: null,
      tool_calls: [call('{"at":"Ulm"}'), call({ at: 1 }), call()],
    };
    const plain = [
      {
        role: 'assistant',
        content: '',
        tool_calls: [call({ at: 'Ulm' }), call({ at: 1 }), call({})],
      },
    ];
    expect(readPrompt([said])).toEqual(plain);
    expect(readPrompt(readPrompt([said]))).toEqual(plain); // as in a worker
  });

  test('a prompt is text or messages', () => {
    expect(readPrompt('Once')).toBe('Once');
    for (const wrong of [5, null, undefined, {}, new String('Once')]) {
      expect(refusal(() => readPrompt(wrong)).message).toMatch(
        /the prompt is .*; wanted text, token ids, or a list/,
      );
    }
  });
});

test('misspelt names find the one that was meant, far ones none', () => {
  const known = ['temperature', 'topP', 'seed', 'maxTokens'];
  const cases = {
    temprature: 'temperature',
    top_p: 'topP',
    SEED: 'seed',
    maxToken: 'maxTokens',
    x: undefined,
  };
  for (const [name, wanted] of Object.entries(cases)) expect(nearest(name, known)).toBe(wanted);
  expect(nearest('t'.repeat(1e6), known)).toBeUndefined();
});
