import { describe, expect, test } from 'vitest';
import { AtomoeError } from '../errors.ts';
import { memoryFile } from '../io/memory.ts';
import { readSafetensorsHeader } from './safetensors-header.ts';
import { openSafetensors } from './safetensors/open.ts';
import { safetensorsBytes, safetensorsText } from './safetensors.testing.ts';
import { seededRandom } from './seeded-random.testing.ts';

const good = { dtype: 'F32', shape: [2, 2], data_offsets: [0, 16] };

async function failure(bytes: Uint8Array): Promise<AtomoeError> {
  const error: unknown = await readSafetensorsHeader(memoryFile('m.safetensors', bytes)).then(
    () => expect.fail('was accepted'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AtomoeError);
  return error as AtomoeError;
}

test('reads tensors, metadata, scalars and empty tensors', async () => {
  const header = await readSafetensorsHeader(
    memoryFile(
      'm.safetensors',
      safetensorsBytes(
        {
          __metadata__: { format: 'pt' },
          b: { dtype: 'F16', shape: [], data_offsets: [16, 18] },
          a: good,
          none: { dtype: 'I64', shape: [0, 7], data_offsets: [16, 16] },
        },
        18,
      ),
    ),
  );
  expect(header.metadata).toEqual({ format: 'pt' });
  const start = header.tensors.get('a')!.offsetBytes;
  expect(header.tensors.get('a')).toEqual({
    dtype: 'F32',
    shape: [2, 2],
    offsetBytes: start,
    sizeBytes: 16,
  });
  expect(header.tensors.get('b')).toEqual({
    dtype: 'F16',
    shape: [],
    offsetBytes: start + 16,
    sizeBytes: 2,
  });
  expect(header.tensors.get('none')!.sizeBytes).toBe(0);
});

test('metadata of null is none, and any name is only a name', async () => {
  const names = ['__proto__', 'constructor', 'toString'];
  const entries = names.map(
    (name, i) =>
      `${JSON.stringify(name)}: ${JSON.stringify({ ...good, data_offsets: [16 * i, 16 * i + 16] })}`,
  );
  const text = `{"__metadata__": null, ${entries.join(', ')}}`;
  const header = await readSafetensorsHeader(memoryFile('m', safetensorsText(text, 48)));
  expect(header.metadata).toEqual({});
  expect([...header.tensors.keys()]).toEqual(names);
});

test('a header that nests without end is refused at once', async () => {
  const nested = `{"a": {"dtype": "F32", "shape": [1], "data_offsets": ${'['.repeat(8000)}${']'.repeat(8000)}}}`;
  const error = await failure(safetensorsText(nested, 4));
  expect(error.code).toBe('bad-file');
  expect(error.message).toMatch(/the header is nested deeper than 3 levels/);
});

test('a header padded with blanks is fine', async () => {
  const text = `${JSON.stringify({ a: good })}      `;
  const header = await readSafetensorsHeader(memoryFile('m', safetensorsText(text, 16)));
  expect([...header.tensors.keys()]).toEqual(['a']);
});

/** One bad file per line: what is wrong, the header, the bytes of data, and what the message must say. */
const badHeaders: [string, Record<string, unknown>, number, RegExp][] = [
  [
    'truncated data',
    { w: good },
    12,
    /tensor "w" ends at byte 16 of the data, the file has only 12; it is truncated/,
  ],
  [
    'overlap',
    { w: good, v: { ...good, data_offsets: [8, 24] } },
    24,
    /"v" begins at byte 8 of the data, inside tensor "w"/,
  ],
  [
    'same place twice',
    { w: good, v: good },
    16,
    /tensor "v" begins at byte 0 of the data, inside tensor "w"/,
  ],
  [
    'hole',
    { w: good, v: { ...good, data_offsets: [20, 36] } },
    36,
    /"v" begins at byte 20 of the data, 4 bytes after tensor "w"/,
  ],
  [
    'hole at the start',
    { w: { ...good, data_offsets: [4, 20] } },
    20,
    /begins at byte 4 of the data, 4 bytes after the header/,
  ],
  ['trailing bytes', { w: good }, 20, /4 bytes follow tensor "w", none are wanted/],
  ['wrong shape', { w: { ...good, shape: [3, 2] } }, 16, /tensor "w" has 16 bytes, F32 \[3, 2\] takes 24/],
  [
    'unknown dtype',
    { w: { ...good, dtype: 'Q9' } },
    16,
    /tensor "w" has the type "Q9", one of F4, F6_E2M3, F6_E3M2, BOOL, .*F32.* is wanted/,
  ],
  ['dtype of Object.prototype', { w: { ...good, dtype: 'toString' } }, 16, /has the type "toString"/],
  ['dtype missing', { w: { shape: [2, 2], data_offsets: [0, 16] } }, 16, /has the type missing/],
  ['negative size', { w: { ...good, shape: [-2, -2] } }, 16, /has the shape \[-2,-2\]/],
  ['fractional size', { w: { ...good, shape: [1.5] } }, 16, /has the shape \[1.5\]/],
  [
    'astronomic shape',
    { w: { ...good, shape: [2 ** 40, 2 ** 40] } },
    16,
    /has 16 bytes, F32 .* takes 4.8.*e\+24/,
  ],
  ['offsets swapped', { w: { ...good, data_offsets: [16, 0] } }, 16, /ends at 0, before it begins at 16/],
  ['three offsets', { w: { ...good, data_offsets: [0, 8, 16] } }, 16, /data_offsets \[0,8,16\]/],
  ['entry is no object', { w: 7 }, 16, /tensor "w" is 7, an object is wanted/],
  [
    'metadata of numbers',
    { __metadata__: { a: 1 }, w: good },
    16,
    /__metadata__ is {"a":1}, an object of strings/,
  ],
];

describe('bad headers', () => {
  test.each(badHeaders)('%s', async (_case, header, dataBytes, message) => {
    const error = await failure(safetensorsBytes(header, dataBytes));
    expect(error.code).toBe('bad-file');
    expect(error.message).toMatch(/^m\.safetensors: /);
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/download it again$/);
  });

  const lyingLength = (claimed: bigint, sizeBytes: number) => {
    const bytes = new Uint8Array(sizeBytes);
    new DataView(bytes.buffer).setBigUint64(0, claimed, true);
    return bytes;
  };
  test.each([
    ['empty file', new Uint8Array(0), /it has 0 bytes, a header length alone takes 8/],
    ['half a length', new Uint8Array(5), /it has 5 bytes/],
    [
      'header longer than the file',
      lyingLength(1000n, 108),
      /its header claims 1000 bytes, the file has 100 more/,
    ],
    [
      'header beyond the limit',
      lyingLength(100_000_001n, 20),
      /claims 100000001 bytes, at most 100000000 are allowed/,
    ],
    ['header of 2^63 bytes', lyingLength(2n ** 63n, 20), /claims 9223372036854775808 bytes/],
    ['no header', lyingLength(0n, 8), /the header is not JSON/],
    ['header is no JSON', safetensorsText('{"w": ', 0), /the header is not JSON/],
    ['header is an array', safetensorsText('[1]', 0), /the header holds an array, an object is wanted/],
    ['header is null', safetensorsText('null', 0), /the header holds null/],
    ['header is not UTF-8', Uint8Array.from([2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe]), /the header is not UTF-8/],
    [
      'a name twice',
      safetensorsText(
        `{"w": ${JSON.stringify(good)}, "x\\"{": ${JSON.stringify({ ...good, data_offsets: [16, 32] })}, ` +
          `"\\u0077": ${JSON.stringify(good)}}`,
        32,
      ),
      /its header names "w" twice/,
    ],
  ])('%s', async (_case, bytes, message) => {
    const error = await failure(bytes);
    expect(error.code).toBe('bad-file');
    expect(error.message).toMatch(message);
  });
});

test('damage at random gives an AtomoeError or the untouched header, never anything else', async () => {
  const header = {
    __metadata__: { format: 'pt' },
    'a.weight': good,
    'b.weight': { dtype: 'F16', shape: [3, 4], data_offsets: [16, 40] },
    'c.bias': { dtype: 'BF16', shape: [5], data_offsets: [40, 50] },
  };
  const whole = safetensorsBytes(header, 50);
  const random = seededRandom(42);
  const outcomes = { refused: 0, accepted: 0 };
  for (let round = 0; round < 3000; round++) {
    let bytes = whole.slice();
    const kind = round % 3;
    if (kind === 0) bytes = bytes.slice(0, Math.floor(random() * bytes.length));
    else {
      const count = kind === 1 ? 1 : 1 + Math.floor(random() * 8);
      for (let i = 0; i < count; i++) {
        bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      }
    }
    try {
      const file = await openSafetensors(memoryFile('fuzz', bytes));
      for (const name of file.names()) await file.read(name);
      outcomes.accepted += 1;
    } catch (error) {
      if (!(error instanceof AtomoeError)) throw error;
      outcomes.refused += 1;
    }
  }
  expect(outcomes.refused).toBeGreaterThan(1500);
  expect(outcomes.accepted).toBeGreaterThan(50); // damage to the numbers themselves cannot be seen
});
